"""What more seeds would bring, and what the seeds so far cannot show."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from fittingroom.evaluation.seeds import collapse_rate, outlook, outlooks, unequal_spread
from fittingroom.evaluation.statistics import PairedDifference


def pair(difference: float, seed_sd: float, image_sd: float, num_seeds: int = 3) -> PairedDifference:
    """Two models of `num_seeds` seeds each. `seed_sd` is of one seed, `image_sd` of the difference."""
    return PairedDifference(
        difference=difference, low=0, high=0, p=0.5, seed_df=2 * (num_seeds - 1), variance_per_seed=(seed_sd**2, seed_sd**2),
        num_seeds=(num_seeds, num_seeds), image_variance=image_sd**2, image_df=10_000,
    )  # fmt: skip


def test_a_gap_above_what_the_images_separate_takes_some_more_seeds() -> None:
    found = outlook(pair(0.004, 0.003, 0.0005), num_models=2, factor=1)
    assert found is not None and not found.images_limit
    assert found.more_seeds is not None and 1 <= found.more_seeds <= 30
    assert found.least_gap == pytest.approx(1.96 * 0.0005, rel=1e-3)


def test_wider_seeds_and_stricter_levels_take_more() -> None:
    narrow, wide = (outlook(pair(0.006, sd, 0.0005), num_models=2, factor=1) for sd in (0.003, 0.004))
    strict = outlook(pair(0.006, 0.003, 0.0005), num_models=3, factor=3)
    assert narrow and wide and strict and narrow.more_seeds and wide.more_seeds and strict.more_seeds
    assert narrow.more_seeds < min(wide.more_seeds, strict.more_seeds)


def test_below_what_the_images_separate_no_number_of_seeds_is_enough() -> None:
    found = outlook(pair(0.001, 0.001, 0.002), num_models=2, factor=1)
    assert found is not None and found.images_limit and found.more_seeds is None


def test_a_hundred_seeds_may_not_be_enough_though_more_would() -> None:
    found = outlook(pair(0.02, 0.12, 0.0001, num_seeds=100), num_models=2, factor=1)
    assert found is not None
    assert not found.images_limit and found.more_seeds is None


def test_with_one_seed_nothing_is_known_of_others() -> None:
    assert outlook(pair(0.004, 0.0, 0.001, num_seeds=1), num_models=2, factor=1) is None


def test_pairs_with_one_p_have_one_outlook_in_any_order() -> None:
    """Two pairs alike: the step-down multiplies the first p by 3 and the second by 1, and adjusts both to the same value."""
    alike = replace(pair(0.006, 0.003, 0.0005), p=0.03)
    found = outlooks([alike, alike, replace(pair(0.0, 0.003, 0.0005), p=1.0)], num_models=3)
    assert found[0] == found[1] == outlook(alike, 3, 3)


def test_no_pair_is_settled_before_the_pairs_with_a_smaller_p() -> None:
    slow, fast = replace(pair(0.005, 0.003, 0.0005), p=0.02), replace(pair(0.0055, 0.003, 0.0005), p=0.021)
    alone, third = outlook(fast, 3, 1), replace(pair(0.0, 0.003, 0.0005), p=1.0)
    found = outlooks([fast, third, slow], num_models=3)
    assert alone and found[0] and found[2] and found[0].more_seeds and found[2].more_seeds
    strict = outlook(fast, 3, 3)
    assert strict and strict.more_seeds and alone.more_seeds
    assert found[0].more_seeds == min(strict.more_seeds, found[2].more_seeds) > alone.more_seeds


def test_a_limit_of_the_pair_before_leaves_the_strictest_factor() -> None:
    limited, other = replace(pair(0.001, 0.001, 0.002), p=0.02), replace(pair(0.006, 0.003, 0.0005), p=0.03)
    found = outlooks([limited, other, replace(pair(0.0, 0.003, 0.0005), p=1.0)], num_models=3)
    assert found[0] and found[0].images_limit and found[1] == outlook(other, 3, 3)


def test_the_chance_of_unlimited_seeds_is_told() -> None:
    found = outlook(pair(0.002, 0.001, 0.001), num_models=2, factor=1)
    assert found is not None and found.images_limit and found.least_gap < 0.002 and 0.5 < found.chance < 0.8
    enough = outlook(pair(0.006, 0.003, 0.0005), num_models=2, factor=1)
    assert enough is not None and enough.more_seeds and enough.chance >= 0.8


@pytest.mark.parametrize(("num_seeds", "percent"), [(1, 95), (2, 78), (3, 63), (5, 45), (10, 26)])
def test_no_collapse_in_a_few_seeds_allows_many(num_seeds: int, percent: int) -> None:
    rate = collapse_rate(num_seeds)
    assert round(100 * rate) == percent
    assert (1 - rate) ** num_seeds == pytest.approx(0.05)


def scores(*values: float) -> NDArray[np.float64]:
    """A model whose seeds have these scores, on two items."""
    return np.repeat(np.array(values)[:, None], 2, axis=1)


def test_a_model_whose_seeds_vary_far_more_is_found() -> None:
    calm = [scores(0.90, 0.901, 0.899), scores(0.92, 0.921, 0.919)]
    ((index, times, p),) = unequal_spread([*calm, scores(0.5, 0.9, 0.7)])
    assert index == 2 and times == pytest.approx(200) and p < 0.001


def test_models_of_like_spread_or_of_one_seed_are_not_warned_of() -> None:
    assert unequal_spread([scores(0.90, 0.91, 0.92), scores(0.90, 0.905, 0.915), scores(0.9)]) == []
    assert unequal_spread([scores(0.9), scores(0.8)]) == [] == unequal_spread([])
    assert unequal_spread([scores(0.9, 0.9), scores(0.8, 0.8)]) == []


def test_equal_models_are_warned_of_in_at_most_one_comparison_of_twenty() -> None:
    random = np.random.default_rng(0)
    warned = [bool(unequal_spread([scores(*random.normal(0.9, 0.01, 3)) for _ in range(3)])) for _ in range(1000)]
    assert 0.02 < np.mean(warned) < 0.065
