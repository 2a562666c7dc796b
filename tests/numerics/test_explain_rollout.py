"""Rollout and relevance against short references in numpy, written from the papers' equations; pooling of the tokens."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.eval_mode import logits_of
from fittingroom.explain.relevance import relevance
from fittingroom.explain.rollout import attention_rollout
from tests.unit.explain.networks import TOKENS, draw_images, hugging_face, timm_like, tiny


def draw_layers(num_layers: int, tokens: int, *, seed: int = 0, batch: int = 2, heads: int = 3) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [(2 * torch.randn(batch, heads, tokens, tokens, generator=generator)).softmax(-1) for _ in range(num_layers)]


def numpy_rollout(layers: list[np.ndarray], heads: str, discard_rate: float) -> np.ndarray:
    """One image: [layers, N, N] from weights [H, N, N], a matrix at a time."""
    steps, before = [], np.eye(layers[0].shape[-1])
    for weights in layers:
        fused = {"mean": np.mean, "max": np.max, "min": np.min}[heads](weights.astype(np.float64), axis=0)
        for row in fused:
            row[np.argsort(row)[: int(discard_rate * len(row))]] = 0
        mixed = 0.5 * fused + 0.5 * np.eye(len(fused))
        before = (mixed / mixed.sum(axis=1)[:, None]) @ before
        steps.append(before)
    return np.array(steps)


@given(
    num_layers=st.integers(1, 4),
    tokens=st.integers(1, 7),
    heads=st.sampled_from(["mean", "max", "min"]),
    discard_rate=st.sampled_from([0.0, 0.3, 0.9]),
    seed=st.integers(0, 99),
)
def test_rollout_is_the_numpy_reference(
    num_layers: int, tokens: int, heads: str, discard_rate: float, seed: int
) -> None:
    layers = draw_layers(num_layers, tokens, seed=seed)
    found = attention_rollout(layers, heads=heads, discard_rate=discard_rate)  # type: ignore[arg-type]
    assert found.shape == (num_layers, 2, tokens, tokens)
    torch.testing.assert_close(found.sum(-1), torch.ones(num_layers, 2, tokens))
    for image in range(2):
        expected = numpy_rollout([weights[image].numpy() for weights in layers], heads, discard_rate)
        np.testing.assert_allclose(found[:, image].numpy(), expected, rtol=0, atol=1e-6)


def test_rollout_by_hand() -> None:
    swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])[None, None]
    found = attention_rollout([swap, swap])
    torch.testing.assert_close(found[0, 0], torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    look_left = torch.tensor([[1.0, 0.0], [1.0, 0.0]])[None, None]
    found = attention_rollout([look_left, look_left])[:, 0]
    torch.testing.assert_close(found[0], torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
    torch.testing.assert_close(found[1], torch.tensor([[1.0, 0.0], [0.75, 0.25]]))


def test_rollout_of_uniform_attention_keeps_the_residual_path() -> None:
    """Without the identity (the classic mistake) every entry would be 1/N."""
    found = attention_rollout([torch.full((1, 1, 4, 4), 0.25)] * 3)[-1, 0]
    assert (found.diagonal() > found[0, 1] + 0.1).all()


def test_rollout_of_causal_attention_never_looks_ahead() -> None:
    layers = [weights.tril() / weights.tril().sum(-1, keepdim=True) for weights in draw_layers(3, 6)]
    assert attention_rollout(layers).triu(1).abs().max() == 0


def test_rollout_changes_neither_its_input_nor_with_its_neighbours_in_the_batch() -> None:
    layers = draw_layers(3, 5)
    copies = [weights.clone() for weights in layers]
    whole = attention_rollout(layers, heads="max", discard_rate=0.5)
    assert all(torch.equal(a, b) for a, b in zip(layers, copies, strict=True))
    alone = attention_rollout([weights[1:] for weights in layers], heads="max", discard_rate=0.5)
    torch.testing.assert_close(whole[:, 1:], alone)


def test_rollout_refuses_what_it_cannot_mean() -> None:
    layers = draw_layers(1, 3)
    with pytest.raises(FittingRoomError, match="did you mean 'mean'"):
        attention_rollout(layers, heads="means")  # type: ignore[arg-type]
    for rate in (-0.1, 1.0):
        with pytest.raises(FittingRoomError, match="discard_rate"):
            attention_rollout(layers, discard_rate=rate)
    with pytest.raises(FittingRoomError, match="at least one layer"):
        attention_rollout([])


def numpy_relevance(model: nn.Module, images: Tensor, targets: Tensor) -> np.ndarray:
    """Equations 5 and 6 of Chefer 2021 in numpy; each gradient by central differences of a weight, in double precision.

    Independent of autograd and of the capture: the attention of one layer is replaced by given weights.
    """
    layers = [layer.double() for layer in attention_layers(model, images)]
    found = np.stack([np.eye(layers[0].shape[-1])] * len(images))
    for place, weights in enumerate(layers):
        gradient = np.zeros(weights.shape)
        for at in np.ndindex(*weights.shape[1:]):
            logits = []
            for step in (1e-4, -1e-4):
                moved = weights.clone()
                moved[(slice(None), *at)] += step
                logits.append(run_with(model, images, place, moved))
            slope = (logits[0] - logits[1]) / 2e-4
            gradient[(slice(None), *at)] = slope[np.arange(len(images)), targets.numpy()]
        mean = np.maximum(gradient * weights.numpy(), 0).mean(axis=1)
        found = found + mean @ found
    return found


def run_with(model: nn.Module, images: Tensor, place: int, weights: Tensor) -> np.ndarray:
    """Logits when layer `place` uses `weights` in place of its own: equation 1 of attention, from its module's parts."""
    attention = model.blocks[place].attn  # type: ignore[union-attr,index]

    def instead(module: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
        values = attention.qkv(inputs[0])[..., -output.shape[-1] :]
        heads = torch.stack(values.chunk(weights.shape[1], dim=-1), dim=1)
        return attention.proj(torch.cat(list((weights @ heads).unbind(1)), dim=-1))

    handle = attention.register_forward_hook(instead)
    with torch.no_grad():
        logits = model(images).numpy()
    handle.remove()
    return logits


@pytest.mark.parametrize("name", ["vit", "vit_cls", "hybrid"])
def test_relevance_is_the_numpy_reference(name: str) -> None:
    small = {"patch_size": 4} if name != "hybrid" else {"stem_strides": (2, 2)}
    model, images, targets = tiny(name, **small).double(), draw_images(2).double(), torch.tensor([1, 3])
    expected = numpy_relevance(model, images, targets)
    found = relevance(model, images, targets)
    assert found.dtype == torch.float32 and not found.requires_grad
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    assert np.abs(expected - np.eye(expected.shape[-1])).max() > 1e-3, "nothing but the identity would prove nothing"


@pytest.mark.parametrize("make", [*(lambda name=name: tiny(name) for name in TOKENS), timm_like, hugging_face])
def test_relevance_by_autograd_gradients_and_the_recursion_in_numpy(make) -> None:  # type: ignore[no-untyped-def]
    model, images, targets = make(), draw_images(), torch.tensor([0, 2, 3])
    from fittingroom.explain.capture import capture_attention

    with capture_attention(model, keep_graph=True) as caught:
        logits = logits_of(model(images))
    layers = [layer for (layer,) in caught.values()]
    expected = np.stack([np.eye(layers[0].shape[-1])] * 3)
    picked = sum(logits[image, target] for image, target in enumerate(targets.tolist()))
    for weights, slope in zip(layers, torch.autograd.grad(picked, layers), strict=True):  # type: ignore[arg-type]
        product = (weights.detach() * slope).double().numpy()
        for image in range(3):
            cam = sum(np.where(head > 0, head, 0) for head in product[image]) / product.shape[1]
            expected[image] = expected[image] + cam @ expected[image]
    np.testing.assert_allclose(
        relevance(model, images, targets).numpy(), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max()
    )


def test_relevance_works_without_gradients_around_it_and_leaves_no_trace() -> None:
    model, images, targets = tiny("vit", drop_rate=0.5).train(), draw_images(), torch.tensor([0, 1, 2])
    expected = relevance(model, images, targets)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        assert torch.equal(relevance(model, images, targets), expected)
    with torch.inference_mode():
        assert torch.equal(relevance(model, images.clone(), targets), expected)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    assert torch.equal(relevance(model, images, targets), expected)
    assert model.training and all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())


def test_relevance_depends_on_the_class_and_not_on_the_batch() -> None:
    model, images = tiny("vit"), draw_images()
    first, second = (relevance(model, images, torch.full((3,), target)) for target in (0, 1))
    assert not torch.allclose(first, second)
    alone = relevance(model, images[1:2], torch.tensor([0]))
    torch.testing.assert_close(first[1:2], alone, rtol=1e-4, atol=1e-5)


def test_relevance_of_a_compiled_or_bfloat16_network() -> None:
    model, images, targets = tiny("vit"), draw_images(), torch.tensor([0, 1, 2])
    expected = relevance(model, images, targets)
    torch.compiler.reset()
    torch.testing.assert_close(relevance(torch.compile(model, backend="eager"), images, targets), expected)  # type: ignore[arg-type]
    found = relevance(model.bfloat16(), images, targets)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0.1 * float(expected.max()))


def test_a_cnn_has_no_relevance() -> None:
    with pytest.raises(FittingRoomError, match="CNN has none"):
        relevance(tiny("cnn"), draw_images(), torch.tensor([0, 1, 2]))
    with pytest.raises(FittingRoomError, match="one class for each"):
        relevance(tiny("vit"), draw_images(), torch.tensor([0, 1]))
