"""Sizes: even steps of cost, one rule per family, images of any size, and the size of a budget."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.api.compare import plan_comparison
from fittingroom.api.runs import configure
from fittingroom.core.errors import FittingRoomError
from fittingroom.models import MODELS, build_model, resolve_config
from fittingroom.models.cost import num_macs
from fittingroom.models.registry import fit_to_images
from fittingroom.recipes.sizes import SIZED, SIZES, patch_size, size_settings


def macs(model: str, size: str) -> int:
    return num_macs(build_model(model, size_settings(model, size)), (1, 28, 28))


@pytest.mark.parametrize("model", SIZED)
def test_each_size_costs_about_twice_the_one_before(model: str) -> None:
    costs = [macs(model, size) for size in SIZES]
    assert 3e6 < costs[0] < 5e6 and 80e6 < costs[-1] < 170e6
    assert all(1.5 < larger / smaller < 2.4 for smaller, larger in itertools.pairwise(costs)), costs


@pytest.mark.parametrize("model", SIZED)
def test_base_is_the_network_of_the_recipes(model: str) -> None:
    assert resolve_config(model, size_settings(model, "base")) == resolve_config(model)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("model", SIZED)
def test_every_size_learns_from_a_step(model: str, size: str) -> None:
    torch.manual_seed(0)
    network = build_model(model, size_settings(model, size))
    logits = network(torch.randn(2, 1, 28, 28))
    assert logits.shape == (2, 10)
    torch.nn.functional.cross_entropy(logits, torch.tensor([1, 2])).backward()
    assert all(weight.grad is not None for weight in network.parameters())


@given(st.integers(8, 160), st.integers(8, 160), st.sampled_from([4, 7]))
def test_patches_tile_the_image_and_no_other_number_is_closer(height: int, width: int, wanted: int) -> None:
    found = patch_size((height, width), wanted)
    assert height % found == width % found == 0
    distance = lambda side: max(height * width / side**2 / wanted**2, wanted**2 * side**2 / (height * width))  # noqa: E731
    fits = [side for side in range(1, min(height, width) + 1) if height % side == width % side == 0]
    assert distance(found) <= min(map(distance, fits)) * (1 + 1e-9)


@pytest.mark.parametrize(("side", "coarse", "fine"), [(28, 7, 4), (32, 8, 4), (64, 16, 8), (224, 56, 32)])
def test_patches_grow_with_the_image(side: int, coarse: int, fine: int) -> None:
    assert size_settings("vit", "tiny", (side, side))["patch_size"] == coarse
    assert size_settings("vit", "base", (side, side))["patch_size"] == fine
    config = fit_to_images(
        "vit", size_settings("vit", "tiny", (side, side)), img_size=(side, side), in_chans=3, num_classes=2
    )
    assert config.patch_size == coarse


def test_size_is_a_setting_and_other_settings_change_it() -> None:
    def widths(**changes: Any) -> Any:
        return configure("cnn", epochs=1, settings=changes).model_config.get("widths")

    assert widths(size="nano") == [8, 16, 32]
    assert widths(widths="[4,8,16]", size="nano") == [4, 8, 16]
    assert widths() is None, "the recipe's own network"


def test_the_size_of_a_network_for_own_images_takes_patches_that_fit_them(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32), dtype=np.uint8)
    np.savez(tmp_path / "mine.npz", images=pixels, labels=np.arange(40) % 2)
    config = configure("vit", tmp_path / "mine.npz", epochs=1, settings={"size": "tiny"})
    assert config.model_config["patch_size"] == 8
    planned = plan_comparison("vit@size=tiny,cnn", tmp_path / "mine.npz", epochs=1)
    assert planned.candidates[0].config.model_config["patch_size"] == 8


def test_two_sizes_of_one_model_are_two_candidates() -> None:
    planned = plan_comparison("cnn@size=nano,cnn@size=large", epochs=1)
    assert [each.title for each in planned.candidates] == ["CNN (size=nano)", "CNN (size=large)"]
    assert [each.config.model_config["widths"] for each in planned.candidates] == [[8, 16, 32], [48, 96, 192]]


def test_unknown_sizes_and_models_without_sizes_are_refused() -> None:
    with pytest.raises(FittingRoomError, match="unknown size 'smal' for vit: did you mean 'small'"):
        configure("vit", epochs=1, settings={"size": "smal"})
    with pytest.raises(FittingRoomError, match="resnet20 has no sizes: choose cnn, hybrid, vit"):
        configure("resnet20", epochs=1, settings={"size": "small"})
    assert set(SIZED) <= set(MODELS)
