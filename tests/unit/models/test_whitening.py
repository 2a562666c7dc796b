"""Whitened patches: tokens of the training images are uncorrelated and have equal variances."""

import itertools
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from fittingroom.core.config import config_hash
from fittingroom.core.errors import FittingRoomError
from fittingroom.models.layers.patches import PatchEmbed
from fittingroom.models.layers.whitening import LEAST, whiten_patches
from fittingroom.recipes import recipe
from fittingroom.tasks.load import open_task
from tests.image_fixture import tiny_image_config


def weights_of(model: Any, part: str) -> torch.Tensor:
    """All weights of a part, in a row."""
    return torch.cat([param.detach().flatten() for param in getattr(model, part).parameters()])


def smooth_images(channels: int = 1) -> torch.Tensor:
    """Random images in which neighbouring pixels are alike, with a mean of 3."""
    draw = torch.Generator().manual_seed(0)
    return 3 + F.avg_pool2d(torch.randn(400, channels, 10, 10, generator=draw), 3, stride=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_tokens_have_mean_0_and_the_covariance_that_shrinkage_leaves(channels: int) -> None:
    images = smooth_images(channels)
    number = 16 * channels
    embed = PatchEmbed(4, channels, number)
    whiten_patches(embed.proj, images, scale=2.0)
    tokens = embed(images).flatten(0, 1).double()
    patches = F.unfold(images, 4, stride=4).transpose(1, 2).flatten(0, 1).double()
    variances = torch.linalg.eigvalsh(torch.cov(patches.T, correction=0)).flip(0)
    expected = torch.diag(4 * variances / (variances + LEAST * variances.mean()))
    torch.testing.assert_close(tokens.mean(0), torch.zeros(number, dtype=torch.float64), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.cov(tokens.T, correction=0), expected, atol=2e-3, rtol=0)


def test_more_outputs_than_pixels_repeat_the_directions_with_the_other_sign() -> None:
    embed = PatchEmbed(4, 1, 40)
    whiten_patches(embed.proj, smooth_images())
    tokens = embed(smooth_images())
    torch.testing.assert_close(tokens[..., 16:32], -tokens[..., :16])
    torch.testing.assert_close(tokens[..., 32:], tokens[..., :8])


def test_fewer_outputs_keep_the_directions_that_vary_most() -> None:
    few, all_of_them = PatchEmbed(4, 1, 5), PatchEmbed(4, 1, 16)
    for embed in (few, all_of_them):
        whiten_patches(embed.proj, smooth_images())
    torch.testing.assert_close(few.proj.weight, all_of_them.proj.weight[:5])


def test_images_of_one_colour_do_not_give_infinite_weights_elsewhere() -> None:
    embed = PatchEmbed(4, 1, 16)
    images = smooth_images()
    images[..., :2, :] = 0.0  # a border that never varies
    whiten_patches(embed.proj, images)
    assert embed.proj.weight.isfinite().all() and embed(images).abs().max() < 100


def test_a_run_starts_with_whitened_patches_of_its_own_images_only_if_asked() -> None:
    plain = tiny_image_config("fashion-mnist", model="vit", num_train=200)
    white = tiny_image_config("fashion-mnist", model="vit", num_train=200, whiten_patches=True)
    assert config_hash(plain) != config_hash(white)
    task: Any = open_task(white)
    first, again, start = task.new_model(), open_task(white).new_model(), open_task(plain).new_model()
    assert torch.equal(weights_of(first, "patch_embed"), weights_of(again, "patch_embed"))
    assert torch.equal(weights_of(first, "head"), weights_of(start, "head"))
    with torch.no_grad():
        tokens = first.patch_embed(torch.cat([task.batches.batch(0, step)[0] for step in range(4)])).flatten(0, 1)
    assert float(tokens.std(0)[0]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("model", ["cnn", "hybrid"])
def test_a_network_without_a_patch_projection_is_refused(model: str) -> None:
    with pytest.raises(FittingRoomError, match="whiten_patches is for a ViT from scratch"):
        open_task(tiny_image_config("fashion-mnist", model=model, num_train=200, whiten_patches=True)).new_model()


def test_only_the_shortest_recipe_of_a_vit_whitens() -> None:
    found = {}
    for model, epochs in itertools.product(("vit", "cnn"), (1, 5, 20)):
        config: Any = recipe(model, epochs=epochs)
        found[model, epochs] = config.whiten_patches
    assert [key for key, value in found.items() if value] == [("vit", 1)]
