"""Our optimizer against torch's AdamW and Muon, and the orthogonalisation against its definition."""

from typing import ClassVar

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim._muon import _zeropower_via_newtonschulz

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import build_model
from fittingroom.models.roles import Roles
from fittingroom.tasks.config import OptimConfig
from fittingroom.training.optim import AT_ONCE, NEWTON_SCHULZ, MuonAdamW, build_optimizer, orthogonalise


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int, seed: int = 0) -> None:
    draw = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        model(torch.randn(8, 6, generator=draw)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


class Hidden(nn.Sequential):
    """Layers that declare themselves hidden."""

    weight_roles: ClassVar[Roles] = {"0": "hidden", "2": "hidden"}


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return Hidden(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4))


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


@given(rows=st.integers(1, 20), columns=st.integers(1, 20), seed=st.integers(0, 50))
def test_the_iteration_is_its_polynomial_on_singular_values(rows: int, columns: int, seed: int) -> None:
    a, b, c = NEWTON_SCHULZ
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    u, values, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    values = values / values.norm()
    for _ in range(5):
        values = a * values + b * values**3 + c * values**5
    expected = (u * values) @ v
    torch.testing.assert_close(orthogonalise(matrix[None])[0].double(), expected, rtol=0, atol=1e-4)


def test_a_batch_of_matrices_is_each_of_them_and_zeros_stay_zero() -> None:
    matrices = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(4))
    alone = torch.stack([orthogonalise(matrix[None])[0] for matrix in matrices])
    torch.testing.assert_close(orthogonalise(matrices), alone)
    assert orthogonalise(torch.zeros(1, 3, 4)).abs().max() == 0


def test_the_iteration_is_torchs_but_for_its_rounding() -> None:
    matrix = torch.randn(24, 40, generator=torch.Generator().manual_seed(1))
    theirs = _zeropower_via_newtonschulz(matrix, NEWTON_SCHULZ, 5, 1e-7).float()
    torch.testing.assert_close(orthogonalise(matrix[None])[0], theirs, rtol=0, atol=0.03)


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (32, 32)])
def test_in_bfloat16_the_iteration_is_torchs_bit_for_bit(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    theirs = _zeropower_via_newtonschulz(matrix, NEWTON_SCHULZ, 5, 1e-7)
    ours = orthogonalise(matrix[None].bfloat16())[0]
    assert ours.dtype == theirs.dtype == torch.bfloat16
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize(("dtype", "share"), [(torch.float32, 0.1), (torch.bfloat16, 1e-5)])
def test_muon_on_plain_matrices_is_torchs(dtype: torch.dtype, share: float) -> None:
    """In float32 within a tenth of the weights' change, because torch always rounds. In bfloat16 to float32's last digits."""
    ours, theirs = small()[:1], small()[:1]
    start, mine, other = (next(model.parameters()) for model in (small(), ours, theirs))  # the weight comes first
    group = {"params": [mine], "method": "muon", "lr": 0.05, "weight_decay": 0.1}
    train(ours, MuonAdamW([group], OptimConfig(momentum=0.9), dtype), 6)
    muon = torch.optim.Muon([other], lr=0.05, weight_decay=0.1, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    train(theirs, muon, 6)
    moved = (mine - start).abs().mean()
    torch.testing.assert_close(mine, other, rtol=0, atol=share * moved.item())


def test_weights_and_momentum_stay_in_float32_where_the_iteration_is_in_bfloat16() -> None:
    model = small()
    optimizer = build_optimizer(model, OptimConfig(), torch.bfloat16)
    train(model, optimizer, 2)
    kept = [*model.parameters(), *(state for each in optimizer.state.values() for state in each.values())]
    assert {each.dtype for each in kept if isinstance(each, torch.Tensor)} == {torch.float32}


def test_an_update_of_muon_has_the_size_of_adams() -> None:
    for shape in ((64, 16), (32, 32), (8, 40)):
        weight = nn.Parameter(torch.zeros(shape))
        weight.grad = torch.randn(shape, generator=torch.Generator().manual_seed(5))
        MuonAdamW([{"params": [weight], "method": "muon", "lr": 1.0}], OptimConfig()).step()
        assert weight.detach().square().mean().sqrt().item() == pytest.approx(0.2, rel=0.15)


def test_each_third_of_qkv_is_made_orthogonal_by_itself() -> None:
    qkv = nn.Linear(8, 24, bias=False)
    before, gradient = qkv.weight.detach().clone(), torch.randn(24, 8, generator=torch.Generator().manual_seed(3))
    gradient[:8] *= 100  # as one matrix, this third would dominate the others
    qkv.weight.grad = gradient.clone()
    MuonAdamW([{"params": [qkv.weight], "method": "muon", "lr": 0.1, "num_blocks": 3}], OptimConfig()).step()
    thirds = [orthogonalise(third[None])[0] for third in gradient.chunk(3)]
    expected = before - 0.1 * 0.2 * 8**0.5 * torch.cat(thirds)
    torch.testing.assert_close(qkv.weight.detach(), expected, rtol=0, atol=1e-5)


def test_more_matrices_than_are_iterated_together_each_get_their_own_update() -> None:
    draw = torch.Generator().manual_seed(6)
    weights = [nn.Parameter(torch.zeros(6, 5)) for _ in range(AT_ONCE + 2)]
    gradients = [torch.randn(6, 5, generator=draw) for _ in weights]
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    MuonAdamW([{"params": weights, "method": "muon", "lr": 0.1}], OptimConfig()).step()
    for weight, gradient in zip(weights, gradients, strict=True):
        expected = -0.1 * 0.2 * 6**0.5 * orthogonalise(gradient[None])[0]
        torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-5)


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


def test_first_and_last_layers_are_not_for_muon_but_all_between_them_are() -> None:
    for model_name, outside in {
        "vit": {"patch_embed.proj.weight", "head.weight"},
        "cnn": {"stem.0.weight", "head.weight"},
        "hybrid": {"tokenizer.0.weight", "pool.attention.weight", "head.weight"},
    }.items():
        model = build_model(model_name)
        groups = build_optimizer(model, OptimConfig()).param_groups
        muon = {id(param) for group in groups if group["method"] == "muon" for param in group["params"]}
        matrices = {name for name, param in model.named_parameters() if param.ndim > 1}
        left = {name for name, param in model.named_parameters() if param.ndim > 1 and id(param) not in muon}
        assert left == outside
        assert matrices > outside


def test_a_parameter_without_gradient_or_frozen_stays() -> None:
    model = small()
    model[2].requires_grad_(False)
    optimizer = build_optimizer(model, OptimConfig())
    assert len([param for group in optimizer.param_groups for param in group["params"]]) == 2
    before = [param.detach().clone() for param in model.parameters()]
    optimizer.step()
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize(
    "values",
    [{"lr": 0.0}, {"lr": float("nan")}, {"muon_lr": float("inf")}, {"weight_decay": -1.0}, {"momentum": 1.0},
     {"betas": (0.9, 1.0)}],
)  # fmt: skip
def test_rates_that_cannot_be_are_refused(values: dict) -> None:
    with pytest.raises(FittingRoomError, match=next(iter(values))) as caught:
        OptimConfig(**values)
    assert "\n" not in str(caught.value)
