"""Captured attention is the attention that the fast path uses: ours and others', compiled, in bfloat16, in both modes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers, capture_attention, fused_weights
from fittingroom.explain.eval_mode import logits_of
from fittingroom.models.layers.attention import CrossAttention, SelfAttention, causal_mask
from tests.unit.explain.networks import TOKENS, draw_images, hugging_face, timm_like, tiny

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    **{name: (lambda name=name: tiny(name)) for name in TOKENS},
    **{f"{name}, fused": (lambda name=name: tiny(name, attention_path="fused")) for name in TOKENS},
    "timm": timm_like,
    "Hugging Face": hugging_face,
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return NETWORKS[request.param]()


def assert_close(found: Tensor, expected: Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=atol)


def assert_rows_sum_to_one(weights: Tensor) -> None:
    assert weights.min() >= 0
    assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))


def run(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return logits_of(model(images)).clone()


def caught(model: nn.Module, images: Tensor) -> tuple[Tensor, dict[str, list[Tensor]]]:
    with capture_attention(model) as weights:
        logits = run(model, images)
    return logits, weights


def test_the_output_is_that_of_the_fast_path_and_rows_sum_to_one(network: nn.Module) -> None:
    images = draw_images()
    fast = run(network, images)
    logits, weights = caught(network, images)
    assert_close(logits, fast)
    assert len(weights) == 2 and all(len(calls) == 1 for calls in weights.values())
    for (layer,) in weights.values():
        assert layer.shape[:2] == (3, 2) and layer.dtype == torch.float32 and not layer.requires_grad
        assert layer.std() > 0.1 * layer.mean(), "even attention would prove nothing"
        assert_rows_sum_to_one(layer)
    assert torch.equal(run(network, images), fast)


FUSED = "_scaled_dot_product_flash_attention_for_cpu"
"""The operator behind torch's fused attention on a CPU."""


class Operators(TorchDispatchMode):
    """The names of all operators that run inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Write the name down and run the operator."""
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))

    @property
    def num_fused(self) -> int:
        """How often the fused kernel ran."""
        return self.names.count(FUSED)


@pytest.mark.parametrize("name", [*(f"{name}, fused" for name in TOKENS), "timm", "Hugging Face"])
def test_capturing_gives_what_the_fused_kernel_gives(name: str) -> None:
    """The fast side really runs torch's kernel, once a layer; the captured side computes the weights and never calls it."""
    network, images = NETWORKS[name](), draw_images()
    with Operators() as fast:
        expected = run(network, images)
    with Operators() as captured:
        logits, weights = caught(network, images)
    assert fast.num_fused == len(weights) == 2 and captured.num_fused == 0
    assert_close(logits, expected)


def test_the_weights_times_the_values_are_what_torch_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images, calls = timm_like(), draw_images(), []
    fused = F.scaled_dot_product_attention
    for block in model.blocks:
        block.attn.register_forward_pre_hook(lambda module, inputs: calls.append((module, inputs[0])))  # type: ignore[union-attr]
    _, weights = caught(model, images)
    for (attention, x), (layer,) in zip(calls, weights.values(), strict=True):
        q, k, v = attention.qkv(x).reshape(3, -1, 3, 2, 8).permute(2, 0, 3, 1, 4).unbind(0)
        assert_close((layer @ v).detach(), fused(q, k, v).detach())


def test_layers_are_named_by_the_module_that_attends() -> None:
    names = {name: list(caught(make(), draw_images())[1]) for name, make in NETWORKS.items()}
    assert names["timm"] == names["vit"] == ["blocks.0.attn", "blocks.1.attn"]
    assert all(name.endswith("attention") or "attention." in name for name in names["Hugging Face"])


def test_hugging_faces_own_weights_are_the_captured_ones() -> None:
    images, eager = draw_images(), hugging_face("eager")
    with torch.no_grad():
        expected = eager(images, output_attentions=True).attentions
    for found, theirs in zip(attention_layers(hugging_face(), images), expected, strict=True):
        assert_close(found, theirs)


@pytest.mark.parametrize("name", ["vit", "timm", "Hugging Face"])
def test_bfloat16(name: str) -> None:
    plain, images = NETWORKS[name](), draw_images()
    layers = attention_layers(plain, images)
    model = plain.to(torch.bfloat16)
    fast = run(model, images.bfloat16())
    logits, weights = caught(model, images.bfloat16())
    assert logits.dtype == torch.bfloat16
    assert_close(logits, fast, atol=0.03 * float(fast.abs().max()))
    for (layer,), full in zip(weights.values(), layers, strict=True):
        assert_rows_sum_to_one(layer)
        assert (layer - full).abs().mean() < 0.01 and (layer - full).abs().max() < 0.15
    assert [layer.dtype for layer in attention_layers(model, images)] == [torch.float32] * 2


@pytest.mark.parametrize("name", ["vit", "timm", "Hugging Face"])
def test_autocast(name: str) -> None:
    model, images = NETWORKS[name](), draw_images()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fast = run(model, images)
        logits, weights = caught(model, images)
    assert_close(logits.float(), fast.float(), atol=0.03 * float(fast.abs().max()))
    for (layer,) in weights.values():
        assert_rows_sum_to_one(layer)


@pytest.mark.parametrize("make", [lambda: tiny("vit", drop_rate=0.3, drop_path_rate=0.3), lambda: timm_like(0.5)])
def test_in_training_mode_the_weights_are_those_before_dropout(make: Callable[[], nn.Module]) -> None:
    model, images = make().train(), draw_images()
    torch.manual_seed(0)
    _, weights = caught(model, images)
    assert model.training
    for (layer,) in weights.values():
        assert_rows_sum_to_one(layer)
    torch.manual_seed(0)
    first = run(model, images)
    assert not torch.allclose(first, run(model, images)), "dropout must be at work"


def test_attention_layers_evaluates_and_gives_each_module_its_mode_back() -> None:
    model: Any = tiny("vit", drop_rate=0.5).train()
    model.blocks[0].eval()
    modes = [module.training for module in model.modules()]
    first, second = attention_layers(model, draw_images()), attention_layers(model, draw_images())
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert [module.training for module in model.modules()] == modes


@given(queries=st.integers(1, 6), keys=st.integers(1, 6), kind=st.sampled_from(["none", "bool", "float", "causal"]),
       scale=st.sampled_from([None, 0.3]), groups=st.sampled_from([1, 2]))  # fmt: skip
def test_every_argument_of_torchs_attention_is_honoured(
    queries: int, keys: int, kind: str, scale: float | None, groups: int
) -> None:
    generator = torch.Generator().manual_seed(queries * 7 + keys)
    q, (k, v) = (
        torch.randn(2, 4, queries, 5, generator=generator),
        torch.randn(2, 2, 4 // groups, keys, 5, generator=generator),
    )
    mask: Tensor | None = None
    if kind in ("bool", "float"):
        allowed = torch.rand(2, 1, queries, keys, generator=generator) > 0.4
        allowed[0, 0, 0] = False  # nothing may be seen: torch gives zeros
        mask = allowed if kind == "bool" else torch.randn(allowed.shape).masked_fill(~allowed, -torch.inf)
    arguments: Any = {"attn_mask": mask, "is_causal": kind == "causal", "scale": scale, "enable_gqa": groups == 2}

    class Attends(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, k, v, **arguments)

    expected = Attends()(q)
    with capture_attention(Attends()) as weights:
        pass_through = Attends()(q)
    assert_close(pass_through, expected)
    (layer,) = weights[""]
    assert_close(layer @ v.repeat_interleave(groups, dim=1), expected)
    if kind == "causal":
        assert layer.triu(1).abs().max() == 0


def test_the_fused_weights_of_a_masked_row_have_gradients_that_are_numbers() -> None:
    q = torch.randn(1, 1, 2, 3, requires_grad=True)
    mask = torch.tensor([[False, False], [True, True]])
    fused_weights(q, torch.randn(1, 1, 2, 3), mask).square().sum().backward()
    assert q.grad is not None and q.grad.isfinite().all()


def test_a_causal_mask_leaks_nothing_into_the_captured_weights() -> None:
    layer, x = SelfAttention(16, 2).eval(), torch.randn(2, 9, 16)
    later = x.clone()
    later[:, 5:] += 10
    with capture_attention(layer) as weights:
        layer(x, causal_mask(9))
        layer(later, causal_mask(9))
    before, after = weights[""]
    assert before.triu(1).abs().max() == 0
    assert torch.equal(before[:, :, :5], after[:, :, :5])
    assert not torch.allclose(before[:, :, 5:], after[:, :, 5:])


def test_cross_attention_is_captured_but_is_no_layer_of_self_attention() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reads = CrossAttention(16, 2)

        def forward(self, images: Tensor) -> Tensor:
            return self.reads(images.flatten(2)[:, :, :16], torch.ones(len(images), 5, 16))

    _, weights = caught(Reads(), draw_images())
    assert weights["reads"][0].shape == (3, 2, 1, 5)
    with pytest.raises(FittingRoomError, match="does not relate the same tokens"):
        attention_layers(Reads(), draw_images())


@pytest.mark.parametrize("drop_rate", [0.0, 0.5])
@pytest.mark.parametrize("need_weights", [False, True])
def test_torchs_own_module_is_captured_too(need_weights: bool, drop_rate: float) -> None:
    torch.manual_seed(0)
    module = nn.MultiheadAttention(16, 2, dropout=drop_rate, batch_first=True).train(drop_rate > 0)
    x = torch.randn(3, 5, 16)
    torch.manual_seed(1)
    with torch.no_grad():
        expected, _ = module(x, x, x, need_weights=need_weights)
        _, plain = module.eval()(x, x, x, average_attn_weights=False)
    module.train(drop_rate > 0)
    with capture_attention(module) as weights, torch.no_grad():
        torch.manual_seed(1)
        output, returned = module(x, x, x, need_weights=need_weights)
    if drop_rate == 0:
        assert_close(output, expected)
    assert (returned is not None) == need_weights
    assert_close(weights[""][0], plain)


def test_torchs_encoder_layer_does_not_slip_past_on_its_fast_path() -> None:
    torch.manual_seed(0)
    module = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    x = torch.randn(3, 5, 16)
    with torch.no_grad():
        expected = module(x)
        with capture_attention(module) as weights:
            assert_close(module(x), expected)
    assert_rows_sum_to_one(weights["self_attn"][0])


def test_the_graph_is_kept_on_request_and_no_hook_outlives_the_block(network: nn.Module) -> None:
    with capture_attention(network, keep_graph=True) as weights:
        logits = logits_of(network(draw_images()))
    gradients = torch.autograd.grad(logits.sum(), [layer for (layer,) in weights.values()])
    assert all(gradient.abs().max() > 0 for gradient in gradients)
    hooks = [module._forward_hooks or module._forward_pre_hooks for module in network.modules()]
    assert not any(hooks)


def test_hooks_go_when_the_network_fails() -> None:
    model = timm_like()
    with pytest.raises(RuntimeError), capture_attention(model):
        model(torch.zeros(1, 3, 8, 8))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_catching_nothing_raises() -> None:
    with pytest.raises(FittingRoomError, match="no attention was captured"), capture_attention(timm_like()):
        pass
    with pytest.raises(FittingRoomError, match="no attention was captured"), capture_attention(tiny("vit")):
        pass
    eager = hugging_face("eager")
    with pytest.raises(FittingRoomError, match="attn_implementation='sdpa'"), capture_attention(eager):
        run(eager, draw_images())
    with pytest.raises(FittingRoomError, match="no attention was captured from FastCNN"):
        attention_layers(tiny("cnn"), draw_images())


def test_real_timm() -> None:
    timm = pytest.importorskip("timm")
    model = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, depth=2, num_classes=4, pretrained=False
    ).eval()
    images = torch.randn(2, 3, 32, 32)
    fast = run(model, images)
    logits, weights = caught(model, images)
    assert_close(logits, fast)
    assert list(weights) == ["blocks.0.attn", "blocks.1.attn"]
    assert_rows_sum_to_one(weights["blocks.0.attn"][0])
