"""A linear layer and its activation in one pass: the same numbers, and only where nothing can observe a difference."""

from collections.abc import Callable, Iterator
from unittest import mock

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fittingroom.models import build_model
from fittingroom.models.cost import _count, _without_onednn
from fittingroom.models.layers import fused
from fittingroom.models.layers.blocks import Mlp
from fittingroom.models.layers.fused import LEAST_ROWS, linear_then

HALF_A_STEP = 2.0**-8
"""Largest relative rounding error of a bf16 number between 1 and 2."""


@pytest.fixture
def calls() -> Iterator[mock.Mock]:
    """Counts the calls of oneDNN's operator."""
    with mock.patch.object(fused, "ONEDNN_LINEAR", wraps=fused.ONEDNN_LINEAR) as spy:
        yield spy


def layer(in_features: int = 16, out_features: int = 24, *, bias: bool = True) -> nn.Linear:
    """A layer whose outputs are about 1."""
    torch.manual_seed(0)
    return nn.Linear(in_features, out_features, bias=bias)


@given(
    shape=st.sampled_from([(LEAST_ROWS, 16), (2, LEAST_ROWS, 16), (3, 5, LEAST_ROWS, 16)]),
    activation=st.sampled_from([nn.GELU(), nn.ReLU()]),
    bias=st.booleans(),
    transposed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_fused_is_what_two_modules_give(
    shape: tuple[int, ...], activation: nn.GELU | nn.ReLU, bias: bool, transposed: bool, seed: int
) -> None:
    linear = layer(bias=bias)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if transposed:
        x = x.transpose(0, -2)
    with torch.inference_mode(), mock.patch.object(fused, "ONEDNN_LINEAR", wraps=fused.ONEDNN_LINEAR) as spy:
        found = linear_then(activation, linear, x)
    assert spy.call_count == 1
    torch.testing.assert_close(found, activation(linear(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("activation", [nn.GELU(), nn.ReLU()])
def test_bf16_is_rounded_once(calls: mock.Mock, activation: nn.GELU | nn.ReLU) -> None:
    linear, x = layer(), torch.randn(LEAST_ROWS, 16).bfloat16()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = linear_then(activation, linear, x)
    assert found.dtype == torch.bfloat16
    assert calls.call_count == int(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    exact = activation(
        nn.functional.linear(x.float(), linear.weight.bfloat16().float(), linear.bias.bfloat16().float())
    )
    if calls.call_count:
        assert ((found.float() - exact).abs() <= exact.abs() * HALF_A_STEP + 1e-6).all()


def mlp_output(x: Tensor) -> Tensor:
    """The output of an MLP with seeded weights."""
    torch.manual_seed(0)
    return Mlp(16, 64).eval()(x)


def watched(x: Tensor) -> Tensor:
    """The same with a hook on the first layer, which must see its output before the activation."""
    torch.manual_seed(0)
    mlp, seen = Mlp(16, 64).eval(), []
    mlp.fc1.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    found = mlp(x)
    torch.testing.assert_close(seen[0], mlp.fc1(x))
    return found


def exported(x: Tensor) -> Tensor:
    """The output of the exported graph, which must not need oneDNN."""
    torch.manual_seed(0)
    program = torch.export.export(Mlp(16, 64).eval(), (x,))
    assert "mkldnn" not in program.graph_module.print_readable(print_output=False)
    found: Tensor = program.module()(x)
    return found


def with_gradients(x: Tensor) -> Tensor:
    """The output with gradients on."""
    with torch.inference_mode(False), torch.enable_grad():
        found = mlp_output(x.clone())
        assert found.requires_grad
    return found.detach()


def counted(x: Tensor) -> Tensor:
    """The output without oneDNN, as for counting multiply-adds: torch does not count oneDNN's."""
    assert _count(Mlp(16, 64), x) == 2 * LEAST_ROWS * 16 * 64
    with _without_onednn():
        return mlp_output(x)


@pytest.mark.parametrize("way", [watched, exported, with_gradients, counted])
def test_where_someone_could_tell_it_goes_the_usual_way(calls: mock.Mock, way: Callable[[Tensor], Tensor]) -> None:
    x = torch.randn(2, LEAST_ROWS // 2, 16)
    with torch.no_grad():
        found = way(x)
        assert calls.call_count == 0
        torch.testing.assert_close(mlp_output(x), found, rtol=1e-5, atol=1e-6)
    assert calls.call_count == 1


class Doubled(nn.Linear):
    """A layer that does more than `nn.Linear`, such as an adapter or a quantised layer."""

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


def test_what_does_something_else_goes_the_usual_way(calls: mock.Mock) -> None:
    x, tanh = torch.randn(LEAST_ROWS, 16), nn.GELU(approximate="tanh")
    linear, doubled = layer(), Doubled(16, 24)
    with torch.no_grad():
        assert torch.equal(linear_then(tanh, linear, x), tanh(linear(x)))
        assert torch.equal(linear_then(nn.GELU(), doubled, x), nn.GELU()(doubled(x)))
    assert calls.call_count == 0


@pytest.mark.parametrize("name", ["vit", "vit_cls", "hybrid"])
def test_whole_networks_say_the_same(calls: mock.Mock, name: str) -> None:
    torch.manual_seed(0)
    model, images = build_model(name).eval(), torch.rand(12, 1, 28, 28)
    with torch.inference_mode():
        found = model(images)
    assert calls.call_count == sum(isinstance(module, Mlp) for module in model.modules()) > 0
    torch.testing.assert_close(found, model(images).detach(), rtol=1e-5, atol=1e-5)


def test_few_rows_and_other_precisions_go_the_usual_way(calls: mock.Mock) -> None:
    with torch.no_grad():
        linear_then(nn.ReLU(), layer(), torch.randn(LEAST_ROWS - 1, 16))
        linear_then(nn.ReLU(), layer().double(), torch.randn(LEAST_ROWS, 16).double())
        with pytest.raises(RuntimeError, match="same dtype"):
            linear_then(nn.ReLU(), layer(), torch.randn(LEAST_ROWS, 16).bfloat16())
    assert calls.call_count == 0


def test_a_torch_without_the_operator_goes_the_usual_way() -> None:
    linear, x = layer(), torch.randn(LEAST_ROWS, 16)
    with torch.no_grad(), mock.patch.object(fused, "ONEDNN_LINEAR", None):
        assert torch.equal(linear_then(nn.GELU(), linear, x), nn.GELU()(linear(x)))
