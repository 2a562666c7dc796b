"""The convolutional networks against the paper's numbers, and against their layers written out."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fittingroom.models import build_model
from fittingroom.models.cnn import ResidualBlock
from fittingroom.models.cost import num_params


def drawn_block(in_width: int, width: int, stride: int) -> ResidualBlock:
    """A block whose batch norms are far from the identity, in evaluation mode."""
    torch.manual_seed(0)
    block = ResidualBlock(in_width, width, stride).eval()
    for norm in (block.bn1, block.bn2):
        for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert value is not None
            nn.init.uniform_(value, 0.5, 1.5)
    return block


def normalised(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """Batch norm in evaluation, as in its paper (epsilon 1e-5)."""
    assert norm.running_mean is not None and norm.running_var is not None
    mean, deviation = norm.running_mean, (norm.running_var + 1e-5).sqrt()
    return ((x.movedim(1, -1) - mean) / deviation * norm.weight + norm.bias).movedim(-1, 1)


@pytest.mark.parametrize(("in_width", "width", "stride"), [(5, 5, 1), (5, 8, 2), (5, 8, 1), (6, 6, 2)])
def test_a_residual_block_is_its_layers_written_out(in_width: int, width: int, stride: int) -> None:
    block = drawn_block(in_width, width, stride)
    x = torch.randn(2, in_width, 9, 9)
    out = normalised(F.conv2d(x, block.conv1.weight, stride=stride, padding=1), block.bn1).clamp(min=0)
    out = normalised(F.conv2d(out, block.conv2.weight, padding=1), block.bn2)
    shortcut = torch.zeros_like(out)  # option A: every stride-th pixel, and zeros for the new channels
    shortcut[:, :in_width] = x[:, :, ::stride, ::stride]
    torch.testing.assert_close(block(x), (out + shortcut).clamp(min=0), rtol=0, atol=1e-5)


def test_resnet20_has_the_papers_size_and_layers() -> None:
    model = build_model("resnet20", {"in_chans": 3, "img_size": 32})
    convs = 9 * (3 * 16 + 6 * 16 * 16 + 16 * 32 + 5 * 32 * 32 + 32 * 64 + 5 * 64 * 64)
    norms = 2 * (7 * 16 + 6 * 32 + 6 * 64)
    assert num_params(model) == convs + norms + 64 * 10 + 10 == 269_722  # "0.27M", table 6
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in model.modules()) == 20


def test_resnet20_halves_its_maps_twice_and_averages_what_is_left() -> None:
    model = build_model("resnet20").eval()
    images = torch.randn(2, 1, 28, 28)
    maps = model.forward_features(images)  # type: ignore[operator]
    assert maps.shape == (2, 64, 7, 7)
    weight, bias = (tensor.detach().numpy() for tensor in model.head.parameters())  # type: ignore[union-attr]
    expected = maps.detach().numpy().mean(axis=(2, 3)) @ weight.T + bias
    np.testing.assert_allclose(model(images).detach().numpy(), expected, rtol=0, atol=1e-5)


def test_the_fast_network_starts_with_residual_blocks_that_change_nothing() -> None:
    block = next(module for module in build_model("cnn").modules() if isinstance(module, ResidualBlock)).eval()
    x = torch.rand(2, block.conv1.in_channels, 7, 7)
    torch.testing.assert_close(block(x), x)
