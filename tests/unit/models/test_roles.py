"""Roles come from declarations. What declares nothing is left to AdamW."""

from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from fittingroom.models import MODELS, SEQUENCE_MODELS, build_model
from fittingroom.models.layers.blocks import Block
from fittingroom.models.roles import Roles, fused_blocks, parameter_roles
from fittingroom.tasks.config import OptimConfig
from fittingroom.training.optim import build_optimizer
from tests.unit.explain.networks import hugging_face, timm_like


class TorchvisionLike(nn.Module):
    """Modules with the names of torchvision's networks and of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8))
        self.stem, self.features = nn.Conv2d(3, 8, 3), nn.Linear(8, 8)
        self.blocks, self.qkv = nn.Sequential(nn.Linear(8, 8)), nn.Linear(8, 24)
        self.rnn, self.fused_blocks = nn.LSTM(8, 8), nn.ModuleList([nn.Linear(8, 8)])
        self.classifier = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
        self.fc = nn.Linear(8, 4)


def methods(model: nn.Module) -> dict[str, str]:
    """The optimizer's method for each parameter, by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = build_optimizer(model, OptimConfig(name="muon")).param_groups
    return {names[id(parameter)]: group["method"] for group in groups for parameter in group["params"]}


@pytest.mark.parametrize("make", [TorchvisionLike, timm_like, hugging_face, lambda: nn.Linear(3, 2)])
def test_a_foreign_network_has_no_roles_and_goes_to_adamw(make: Any) -> None:
    model = make()
    assert parameter_roles(model) == {} and fused_blocks(model) == {}
    found = methods(model)
    assert set(found) == {name for name, _ in model.named_parameters()}
    assert set(found.values()) == {"adamw"}


def test_weights_of_a_foreign_network_decay_and_its_vectors_do_not() -> None:
    model = TorchvisionLike()
    decayed, free = build_optimizer(model, OptimConfig(weight_decay=0.1)).param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.1, 0.0)
    assert all(parameter.ndim > 1 for parameter in decayed["params"])
    assert all(parameter.ndim == 1 for parameter in free["params"])


@pytest.mark.parametrize("name", [*MODELS, *SEQUENCE_MODELS])
def test_every_parameter_of_ours_has_a_role(name: str) -> None:
    registry = MODELS if name in MODELS.names() else SEQUENCE_MODELS
    model = build_model(name, registry=registry)
    roles = parameter_roles(model)
    assert list(roles) == [name for name, _ in model.named_parameters()]
    assert set(roles.values()) == {"input", "hidden", "head", "vector"}
    for name, parameter in model.named_parameters():
        assert roles[name] == "vector" or parameter.ndim > 1


def test_roles_of_a_vit() -> None:
    roles = parameter_roles(build_model("vit_cls", {"depth": 1}))
    assert {name: role for name, role in roles.items() if not name.startswith("blocks")} == {
        "cls_token": "vector",
        "pos_embed": "vector",
        "patch_embed.proj.weight": "input",
        "patch_embed.proj.bias": "vector",
        "norm.weight": "vector",
        "norm.bias": "vector",
        "head.weight": "head",
        "head.bias": "vector",
    }
    assert {name for name, role in roles.items() if role == "hidden"} == {
        "blocks.0.attn.qkv.weight", "blocks.0.attn.proj.weight", "blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc2.weight",
    }  # fmt: skip


class Inner(nn.Module):
    weight_roles: ClassVar[Roles] = {"score": "head"}

    def __init__(self) -> None:
        super().__init__()
        self.key, self.score = nn.Linear(4, 4), nn.Linear(4, 4)


class Outer(nn.Module):
    weight_roles: ClassVar[Roles] = {"stack": "hidden", "stack.0": "input", "attention": "hidden", "gone": "head"}

    def __init__(self) -> None:
        super().__init__()
        self.stack = nn.Sequential(*(nn.Linear(4, 4) for _ in range(11)))
        self.attention, self.extra = Inner(), nn.Linear(4, 4)


def test_inner_modules_and_later_entries_win_and_the_undeclared_have_no_role() -> None:
    roles = parameter_roles(Outer())
    assert roles["stack.0.weight"] == "input" and roles["stack.0.bias"] == "vector"
    assert {roles[f"stack.{index}.weight"] for index in range(1, 11)} == {"hidden"}
    assert roles["attention.key.weight"] == "hidden" and roles["attention.score.weight"] == "head"
    assert not any(name.startswith(("extra", "gone")) for name in roles)


def test_declarations_reach_through_wrappers() -> None:
    plain: Any = build_model("vit", {"depth": 1, "embed_dim": 16, "num_heads": 2})
    compiled: Any = torch.compile(plain, backend="eager")
    for found in (parameter_roles, fused_blocks):
        assert found(compiled) == {f"_orig_mod.{name}": value for name, value in found(plain).items()}


def test_our_block_in_a_foreign_network_declares_only_how_it_is_fused() -> None:
    model = nn.Sequential(nn.Linear(8, 8), Block(8, 2))
    assert parameter_roles(model) == {}
    assert fused_blocks(model) == {"1.attn.qkv.weight": 3, "1.attn.qkv.bias": 3}


@pytest.mark.parametrize(("cell", "gates"), [("gru", 3), ("lstm", 4)])
def test_a_recurrent_network_declares_its_gates(cell: str, gates: int) -> None:
    model = build_model("recurrent", {"cell": cell, "embed_dim": 8, "hidden_dim": 8}, SEQUENCE_MODELS)
    assert set(fused_blocks(model).values()) == {gates}
    assert {name.split(".")[0] for name in fused_blocks(model)} == {"encoder", "decoder"}
