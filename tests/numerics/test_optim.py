"""Our optimizer against torch's AdamW, and Muon's orthogonalisation against what it promises."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim._muon import _zeropower_via_newtonschulz

from fittingroom.models import build_model
from fittingroom.training.optim import NEWTON_SCHULZ, MuonAdamW, OptimConfig, build_optimizer, orthogonalise


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, seed: int = 0) -> None:
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        model(torch.randn(8, 6, generator=draw)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))


def test_the_adamw_part_is_torchs() -> None:
    ours, theirs = small(), small()
    config = OptimConfig(name="adamw", lr=0.01, weight_decay=0.1, betas=(0.9, 0.99))
    group = {"params": list(ours.parameters()), "weight_decay": 0.1, "lr": 0.01}
    train(ours, MuonAdamW([group], config), 12)
    train(theirs, torch.optim.AdamW(theirs.parameters(), lr=0.01, betas=(0.9, 0.99), weight_decay=0.1), 12)
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@given(rows=st.integers(2, 40), columns=st.integers(2, 40), seed=st.integers(0, 50))
def test_every_singular_value_comes_near_one_and_directions_stay(rows: int, columns: int, seed: int) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    u, values, v = torch.linalg.svd(matrix, full_matrices=False)
    out = orthogonalise(matrix[None])[0]
    found = (u.T @ out @ v.T).diagonal()
    torch.testing.assert_close(u @ found.diag() @ v, out, rtol=0, atol=1e-6)
    large = values / values.norm() > 0.02  # smaller ones need more than five steps
    assert found[large].min() > 0.65
    assert found.max() < 1.25


def test_the_iteration_is_torchs_but_for_its_rounding() -> None:
    matrix = torch.randn(24, 40, generator=torch.Generator().manual_seed(1))
    theirs = _zeropower_via_newtonschulz(matrix, NEWTON_SCHULZ, 5, 1e-7).float()
    torch.testing.assert_close(orthogonalise(matrix[None])[0], theirs, rtol=0, atol=0.03)


def test_the_fused_qkv_is_three_matrices() -> None:
    model = build_model("vit", {"depth": 1, "embed_dim": 16, "num_heads": 2})
    optimizer = build_optimizer(model, OptimConfig())
    shapes = {
        (tuple(group["params"][0].shape), group["num_blocks"])
        for group in optimizer.param_groups
        if group["method"] == "muon"
    }
    assert shapes == {((48, 16), 3), ((16, 16), 1), ((64, 16), 1), ((16, 64), 1)}


def test_a_filter_is_a_matrix_of_outputs_in_any_memory_layout() -> None:
    filters = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        conv = nn.Conv2d(4, 6, 3).to(memory_format=layout)  # type: ignore[call-overload]
        group = {"params": [conv.weight], "method": "muon", "lr": 0.1, "num_blocks": 1}
        optimizer = MuonAdamW([group], OptimConfig())
        before = conv.weight.detach().clone()
        conv.weight.grad = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(2)).contiguous(
            memory_format=layout
        )
        optimizer.step()
        filters[layout] = conv.weight.detach()
    step = (filters[torch.contiguous_format] - before).flatten(1)
    torch.testing.assert_close(*filters.values())
    assert torch.linalg.svdvals(step).max() / torch.linalg.svdvals(step).min() < 1.9


def test_vectors_and_embeddings_do_not_decay() -> None:
    model = build_model("vit_cls", {"depth": 1})
    optimizer = build_optimizer(model, OptimConfig(weight_decay=0.5))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    grouped = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(names.values())
    free = {names[id(p)] for group in optimizer.param_groups if not group["weight_decay"] for p in group["params"]}
    assert {"cls_token", "pos_embed", "norm.weight", "head.bias"} <= free
    assert not any(name.endswith(("qkv.weight", "head.weight", "proj.weight")) for name in free)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_a_saved_state_goes_on_where_it_stood(name: str) -> None:
    whole, parted = small(), small()
    config = OptimConfig(name=name)  # type: ignore[arg-type]
    one = build_optimizer(whole, config)
    train(whole, one, 4)
    train(whole, one, 4, seed=1)
    first = build_optimizer(parted, config)
    train(parted, first, 4)
    second = build_optimizer(parted, config)
    second.load_state_dict(first.state_dict())
    train(parted, second, 4, seed=1)
    for mine, other in zip(whole.parameters(), parted.parameters(), strict=True):
        assert torch.equal(mine, other)
