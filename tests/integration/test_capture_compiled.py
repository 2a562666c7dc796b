"""Attention is captured of compiled networks too. Here, where no hook checks shapes: torch compiles what users compile."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from fittingroom.explain.capture import attention_layers
from tests.numerics.test_explain_capture import NETWORKS, assert_close, caught, run
from tests.unit.explain.networks import draw_images


@pytest.fixture
def compiler() -> Iterator[None]:
    """What other tests compiled is forgotten before and after, so that no limit on recompiling is met."""
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("name", ["vit", "timm", "Hugging Face"])
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_network_shows_its_weights_and_stays_compiled(name: str, backend: str) -> None:
    plain, images, graphs = NETWORKS[name](), draw_images(), 0
    expected = attention_layers(plain, images)

    def counting(graph: Any, inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return torch._dynamo.lookup_backend(backend)(graph, inputs)

    model: Any = torch.compile(plain, backend=counting)
    fast = run(model, images)
    after_first = graphs
    logits, weights = caught(model, images)
    assert_close(logits, fast)
    for found, (layer,), theirs in zip(attention_layers(model, images), weights.values(), expected, strict=True):
        assert_close(found, theirs)
        assert_close(layer, theirs)
    assert not any("_orig_mod" in key for key in weights)
    assert_close(run(model, images), fast)
    assert graphs == after_first > 0, "capturing must neither compile nor throw away what was compiled"


@pytest.mark.usefixtures("compiler")
def test_compiled_blocks_inside_a_network_show_their_weights() -> None:
    for name in ("vit", "timm"):
        plain: Any = NETWORKS[name]()
        expected = attention_layers(plain, draw_images())
        for number in range(2):
            plain.blocks[number] = torch.compile(plain.blocks[number], backend="eager")
        _, weights = caught(plain, draw_images())
        assert list(weights) == ["blocks.0.attn", "blocks.1.attn"]
        assert_close(weights["blocks.1.attn"][0], expected[1])
