"""Tokens are contiguous in memory. Otherwise every layer norm would copy them, a tenth of a ViT's step."""

import pytest
import torch

from fittingroom.models import build_model
from fittingroom.models.layers.blocks import Block


@pytest.mark.parametrize("name", ["vit", "vit_cls", "hybrid"])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_every_block_gets_and_gives_rows(name: str, layout: torch.memory_format) -> None:
    model = build_model(name).to(memory_format=layout)  # type: ignore[call-overload]
    seen: list[bool] = []
    for module in model.modules():
        if isinstance(module, Block):
            module.register_forward_hook(
                lambda _, args, out: seen.extend((args[0].is_contiguous(), out.is_contiguous()))
            )
    model(torch.rand(2, 1, 28, 28).to(memory_format=layout))
    assert seen and all(seen)
