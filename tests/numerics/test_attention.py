"""Attention against torch's, its two paths against each other, masks and capture."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import build_model
from fittingroom.models.layers.attention import (
    CrossAttention,
    SelfAttention,
    attention_weights,
    capture_attention,
    causal_mask,
    scaled_dot_product_attention,
)

SIZES = st.integers(1, 9)


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0.0, atol=1e-5)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def torch_attention(ours: SelfAttention, dim: int, heads: int) -> nn.MultiheadAttention:
    """torch's module with the weights of `ours`."""
    theirs = nn.MultiheadAttention(dim, heads, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.qkv.weight,
            "in_proj_bias": ours.qkv.bias,
            "out_proj.weight": ours.proj.weight,
            "out_proj.bias": ours.proj.bias,
        }
    )
    return theirs


@given(
    batch=SIZES, heads=SIZES, queries=SIZES, keys=SIZES, head_dim=SIZES, masked=st.booleans(), seed=st.integers(0, 99)
)
def test_explicit_fused_and_the_formula_agree(
    batch: int, heads: int, queries: int, keys: int, head_dim: int, masked: bool, seed: int
) -> None:
    q, k, v = (draw(batch, heads, n, head_dim, seed=seed + i) for i, n in enumerate((queries, keys, keys)))
    mask = draw(batch, 1, queries, keys, seed=seed + 3) > 0 if masked else None
    scores = torch.einsum("bhnk,bhmk->bhnm", q.double(), k.double()) / head_dim**0.5
    if mask is not None:
        mask[..., 0] = True  # each query may attend to a key; another test covers empty rows
        scores = scores.masked_fill(~mask, -torch.inf)
    expected = torch.einsum("bhnm,bhmk->bhnk", scores.softmax(-1), v.double()).float()
    assert_close(scaled_dot_product_attention(q, k, v, mask, "explicit"), expected)
    assert_close(scaled_dot_product_attention(q, k, v, mask, "fused"), expected)
    rows = attention_weights(q, k, mask).sum(-1)
    assert_close(rows, torch.ones_like(rows))


@pytest.mark.parametrize("path", ["explicit", "fused"])
def test_a_query_that_may_attend_to_nothing_gets_zeros(path: str) -> None:
    q, k, v = (draw(1, 1, 3, 4, seed=i) for i in range(3))
    mask = torch.tensor([[True, True, True], [False, False, False], [True, False, False]])
    out = scaled_dot_product_attention(q, k, v, mask, path)  # type: ignore[arg-type]
    assert out[0, 0, 1].abs().max() == 0
    assert_close(out[0, 0, 2], v[0, 0, 0])


@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_is_torchs_with_its_weights(masked: bool) -> None:
    ours = SelfAttention(24, 3)
    theirs = torch_attention(ours, 24, 3)
    x, mask = draw(2, 7, 24), causal_mask(7) if masked else None
    expected, weights = theirs(x, x, x, attn_mask=None if mask is None else ~mask, average_attn_weights=False)
    assert_close(ours(x, mask), expected)
    with capture_attention(ours) as caught:
        ours(x, mask)
    assert_close(caught[""][0], weights.detach())


@pytest.mark.parametrize("masked", [False, True])
def test_cross_attention_is_torchs_with_its_weights(masked: bool) -> None:
    ours = CrossAttention(24, 3)
    theirs = nn.MultiheadAttention(24, 3, batch_first=True)
    state = {
        "in_proj_weight": torch.cat([ours.q.weight, ours.kv.weight]),
        "in_proj_bias": torch.cat([ours.q.bias, ours.kv.bias]),
        "out_proj.weight": ours.proj.weight,
        "out_proj.bias": ours.proj.bias,
    }
    theirs.load_state_dict(state)
    x, memory = draw(2, 5, 24), draw(2, 8, 24, seed=1)
    mask = torch.ones(5, 8, dtype=torch.bool).tril(2) if masked else None
    hidden = None if mask is None else ~mask
    expected, weights = theirs(x, memory, memory, attn_mask=hidden, average_attn_weights=False)
    assert_close(ours(x, memory, mask), expected)
    with capture_attention(ours) as caught:
        assert_close(ours(x, memory, mask), expected)
    assert_close(caught[""][0], weights.detach())
    assert_close(caught[""][0].sum(-1), torch.ones(2, 3, 5))


@given(changed=st.integers(1, 8), path=st.sampled_from(["explicit", "fused"]))
def test_a_causal_mask_leaks_nothing(changed: int, path: str) -> None:
    layer = SelfAttention(16, 2, path=path).eval()  # type: ignore[arg-type]
    x = draw(1, 9, 16)
    later = x.clone()
    later[:, changed:] += 10
    before, after = (layer(tokens, causal_mask(9))[:, :changed] for tokens in (x, later))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-6)
    assert not torch.allclose(layer(x)[:, :changed], layer(later)[:, :changed])


def test_captured_and_fast_outputs_agree_and_capture_ends_with_its_block() -> None:
    model = build_model("vit", {"depth": 2, "num_heads": 4}).eval()
    images = draw(3, 1, 28, 28)
    fast = model(images)
    with capture_attention(model) as weights:
        assert_close(model(images), fast)
    assert list(weights) == ["blocks.0.attn", "blocks.1.attn"]
    assert weights["blocks.0.attn"][0].shape == (3, 4, 49, 49)
    model(images)
    assert len(weights["blocks.0.attn"]) == 1


def test_catching_nothing_raises() -> None:
    with pytest.raises(FittingRoomError, match="no attention was captured"), capture_attention(build_model("vit")):
        pass
    with pytest.raises(FittingRoomError, match="has no attention"), capture_attention(build_model("cnn")):
        pass


def test_capture_ends_and_lets_the_error_through_when_its_block_fails() -> None:
    layer = SelfAttention(8, 2)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"), capture_attention(layer):
        layer(draw(1, 3, 7))
    assert layer.captured is None


def test_every_call_in_the_block_is_kept_in_order_and_bound_to_no_gradient() -> None:
    layer = SelfAttention(8, 2)
    with capture_attention(layer) as caught:
        layer(draw(1, 3, 8))
        layer(draw(2, 5, 8))
    assert [tuple(weights.shape) for weights in caught[""]] == [(1, 2, 3, 3), (2, 2, 5, 5)]
    assert not any(weights.requires_grad for weights in caught[""])
