"""The optimizer's groups, pinned: the declared roles give every variant the groups that the earlier rule by name gave it."""

from typing import Any

import pytest
from torch import Tensor, nn

from fittingroom.models import MODELS, SEQUENCE_MODELS, build_model
from fittingroom.tasks.config import OptimConfig
from fittingroom.training.optim import build_optimizer
from tests.contract.test_sequence_models import SHAPES as SEQUENCE_SHAPES
from tests.contract.test_sequence_models import TINY

IMAGE_SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in MODELS},
    "learned positions": ("hybrid", {"positions": "learned", "pool": "mean", "qkv_bias": False}),
    "one row": ("hybrid", {"stem_widths": [4, 1], "stem_strides": [2, 2], "depth": 1}),
    "no positions": ("vit_cls", {"positions": "none"}),
}
EVERY = pytest.mark.parametrize("shape", [*IMAGE_SHAPES, *SEQUENCE_SHAPES])


def built(shape: str) -> nn.Module:
    if shape in IMAGE_SHAPES:
        return build_model(*IMAGE_SHAPES[shape])
    name, values = SEQUENCE_SHAPES[shape]
    return build_model(name, {**TINY[name], **values}, SEQUENCE_MODELS)


def rule_by_name(model: nn.Module, *, use_muon: bool) -> list[dict[str, Any]]:
    """An independent reference. It guesses from names, which holds for our models only."""
    cells = {nn.GRU: 3, nn.LSTM: 4}
    gates = {
        f"{place}.{name}": cells[type(module)]
        for place, module in model.named_modules()
        if type(module) in cells
        for name, _ in module.named_parameters()
    }

    def is_hidden(name: str, parameter: Tensor) -> bool:
        outer = name.startswith(("patch_embed", "head", "stem.0", "tokenizer.0", "pool")) or "embed" in name
        return parameter.ndim >= 2 and not outer and len(parameter) > 1 and "token" not in name.split(".")[-1]

    def num_blocks(name: str) -> int:
        layer = name.split(".")[-2] if "." in name else ""
        return gates.get(name) or {"qkv": 3, "kv": 2}.get(layer, 1)

    muon: dict[tuple[Any, ...], list[str]] = {}
    decayed, free = [], []
    for name, parameter in model.named_parameters():
        if use_muon and is_hidden(name, parameter):
            muon.setdefault((tuple(parameter.shape), num_blocks(name)), []).append(name)
        elif parameter.ndim > 1 and "pos_embed" not in name and "cls_token" not in name:
            decayed.append(name)
        else:
            free.append(name)
    adamw = {"method": "adamw", "num_blocks": 1, "lr": 0.5}
    groups = [{"params": decayed, **adamw, "weight_decay": 0.125}, {"params": free, **adamw, "weight_decay": 0.0}]
    for (_, blocks), params in muon.items():
        groups.append({"params": params, "method": "muon", "num_blocks": blocks, "lr": 0.25, "weight_decay": 0.125})
    return [group for group in groups if group["params"]]


@EVERY
@pytest.mark.parametrize("method", ["muon", "adamw"])
def test_groups_their_order_and_their_rates_are_pinned(shape: str, method: Any) -> None:
    model = built(shape)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    config = OptimConfig(name=method, lr=0.5, muon_lr=0.25, weight_decay=0.125)
    found = [
        {**group, "params": [names[id(parameter)] for parameter in group["params"]]}
        for group in build_optimizer(model, config).param_groups
    ]
    assert found == rule_by_name(model, use_muon=method == "muon")
