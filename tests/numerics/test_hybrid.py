"""Sequence pooling and the convolutional tokenizer."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.models import build_model
from fittingroom.models.hybrid import HybridConfig, SequencePool
from fittingroom.models.image_size import ImageSize
from fittingroom.models.layers.patches import ConvTokenizer, to_tokens


@given(batch=st.integers(1, 4), tokens=st.integers(1, 9), dim=st.integers(1, 6))
def test_sequence_pooling_is_the_papers_softmax_mean(batch: int, tokens: int, dim: int) -> None:
    torch.manual_seed(batch + tokens)
    pool, x = SequencePool(dim), torch.randn(batch, tokens, dim)
    weight, bias = pool.attention.weight.detach().numpy()[0], pool.attention.bias.item()
    for image, found in zip(x.numpy(), pool(x).detach().numpy(), strict=True):
        share = np.exp(image @ weight + bias)
        expected = (share[:, None] * image).sum(axis=0) / share.sum()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("img_size", [28, 31, 32, (31, 20), (1, 9)])
@pytest.mark.parametrize("strides", [(1, 2, 2), (2, 2, 2), (2, 1, 1)])
@pytest.mark.parametrize("downsample", ["stride", "pool"])
def test_the_config_knows_how_many_tokens_its_tokenizer_makes(
    img_size: ImageSize, strides: tuple[int, ...], downsample: str
) -> None:
    config = HybridConfig(img_size=img_size, stem_widths=(4, 4, 4), stem_strides=strides)
    maps = ConvTokenizer(1, (4, 4, 4), strides, downsample)(torch.zeros(2, 1, *config.image_size))
    assert maps.shape == (2, 4, *config.grid)


def test_a_tokenizer_that_pools_sees_every_place_and_keeps_the_largest() -> None:
    """In numpy: convolve everywhere, keep the maximum of each 2x2, apply batch norm, then ReLU."""
    torch.manual_seed(0)
    tokenizer = ConvTokenizer(1, (3,), (2,), "pool").eval()
    norm = tokenizer[2]
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert norm.running_mean is not None
    torch.nn.init.normal_(norm.running_mean)
    torch.nn.init.uniform_(norm.weight, -1, 1)
    image, kernels = torch.randn(6, 6).numpy(), tokenizer[0].weight.detach().numpy()[:, 0]  # type: ignore[index]
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, 1), (3, 3))
    maps = np.einsum("hwij,cij->chw", windows, kernels)
    largest = maps.reshape(3, 3, 2, 3, 2).max(axis=(2, 4))
    mean, scale = norm.running_mean.numpy(), norm.weight.detach().numpy() / np.sqrt(1 + norm.eps)
    expected = np.maximum((largest - mean[:, None, None]) * scale[:, None, None], 0)
    found = tokenizer(torch.tensor(image)[None, None]).detach().numpy()[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_tokens_stand_row_by_row() -> None:
    maps = torch.arange(2 * 3 * 4 * 5).view(2, 3, 4, 5).float()
    tokens = to_tokens(maps)
    assert tokens.shape == (2, 20, 3)
    assert torch.equal(tokens[1, 2 * 5 + 3], maps[1, :, 2, 3])


def test_a_stem_that_ends_at_another_width_is_joined_by_a_1x1_convolution() -> None:
    joined, plain = build_model("vit_conv_stem"), build_model("hybrid")
    assert joined.join.weight.shape == (128, 96, 1, 1)  # type: ignore[union-attr]
    assert list(plain.join.parameters()) == []  # type: ignore[union-attr]
