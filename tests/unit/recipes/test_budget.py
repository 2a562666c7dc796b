"""The network and the recipe that a time budget chooses."""

import itertools
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.api.runs import configure
from fittingroom.core.rundir import read_json
from fittingroom.models import build_model
from fittingroom.models.cost import num_macs
from fittingroom.recipes import RECIPES, recipe
from fittingroom.recipes import budget as budgets
from fittingroom.recipes.budget import LARGER_FROM, Images, best_size, compute_of, cost, epochs_of
from fittingroom.recipes.sizes import MACS, SIZED, SIZES, size_settings
from fittingroom.tasks.classification.config import ClassificationConfig

ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def a_processor_with_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "has_fast_bf16", lambda device: True)
    monkeypatch.setattr(budgets.torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("family", SIZED)
def test_the_listed_costs_are_those_of_the_networks(family: str) -> None:
    for size in SIZES:
        counted = num_macs(build_model(family, size_settings(family, size)), (1, 28, 28))
        assert MACS[family][size] == pytest.approx(counted, rel=0.01)


@given(family=st.sampled_from(SIZED), short=st.floats(1, 1e5), factor=st.floats(1, 1e3))
def test_a_longer_budget_never_takes_a_smaller_network(family: str, short: float, factor: float) -> None:
    one, other = (best_size(family, compute_of(each, family, 1), Images()) for each in (short, short * factor))
    assert SIZES.index(one) <= SIZES.index(other)


@given(family=st.sampled_from(SIZED), seconds=st.floats(1, 1e5), side=st.integers(28, 300))
def test_larger_images_never_take_a_larger_network(family: str, seconds: float, side: int) -> None:
    compute = compute_of(seconds, family, 1)
    small, large = (best_size(family, compute, Images(height=each, width=each)) for each in (28, side))
    assert SIZES.index(large) <= SIZES.index(small)


@pytest.mark.parametrize("family", SIZED)
def test_each_size_takes_over_at_its_own_compute(family: str) -> None:
    thresholds = list(LARGER_FROM[family].items())
    assert [least for _, least in thresholds] == sorted(least for _, least in thresholds)
    for (below, _), (size, least) in itertools.pairwise(thresholds):
        assert best_size(family, least * 0.999, Images()) == below
        assert best_size(family, least, Images()) == size


def test_the_recipe_follows_how_often_an_image_is_seen() -> None:
    def found(seconds: float, num_train: int) -> ClassificationConfig:
        config = recipe("cnn", budget_seconds=seconds, images=Images(num_train=num_train), cores=1)
        assert isinstance(config, ClassificationConfig)
        return config

    assert found(67, 55_000).augment == RECIPES.get("cnn_1")().augment
    assert found(67, 1_000).augment == RECIPES.get("cnn_50")().augment
    assert found(67, 55_000).model_config == found(67, 1_000).model_config


def test_a_pinned_size_stays_and_decides_the_number_of_epochs() -> None:
    config = recipe("vit", budget_seconds=3600, size="nano", cores=1)
    assert config.model_config["embed_dim"] == 64
    times = epochs_of("vit", "nano", compute_of(3600, "vit", 1), Images())
    assert times > 100 and config.model_config["drop_path_rate"] == 0.1  # the recipe of 50 epochs


def test_a_slower_machine_and_fewer_cores_count() -> None:
    whole = compute_of(100, "cnn", 2)
    assert compute_of(100, "cnn", 1) == pytest.approx(whole / 2)
    assert compute_of(100, "cnn", 1000) == compute_of(100, "cnn", 4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budgets, "has_fast_bf16", lambda device: False)
        assert compute_of(100, "cnn", 2) == pytest.approx(whole / 2)
    assert compute_of(0.5, "cnn", 1) == 0.0


def test_convolutions_cost_by_the_pixel_and_patches_grow_with_the_image() -> None:
    large = Images(height=56, width=84)
    assert cost("cnn", "tiny", large) == pytest.approx(6 * MACS["cnn"]["tiny"])
    assert cost("vit", "tiny", large) == MACS["vit"]["tiny"]


def test_the_sizes_chosen_are_those_that_learned_most_where_it_was_measured() -> None:
    """Within the noise of one seed, 0.35 points."""
    found: dict[tuple[str, float], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in read_json(ROOT / "results" / "frontier" / "points.json")["points"]:
        found[each["family"], each["compute"]][each["size"]].append(100 * each["val_accuracy"])
    assert {family for family, _ in found} == set(SIZED)
    for (family, compute), sizes in found.items():
        means = {size: fmean(values) for size, values in sizes.items()}
        if len(means) > 1:
            assert means[best_size(family, compute, Images())] >= max(means.values()) - 0.35, (family, compute, means)


def test_a_width_of_ones_own_takes_the_models_number_of_heads() -> None:
    config = configure("vit", budget="67s", settings={"embed_dim": 64})
    assert config.model_config["embed_dim"] == 64 and "num_heads" not in config.model_config
    config = configure("vit", budget="67s", settings={"embed_dim": 64, "num_heads": 2})
    assert config.model_config["num_heads"] == 2
