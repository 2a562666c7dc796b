"""The intervals against scipy in the one-way cases, and against simulated seeds and images whose truth is known.

`pytest tests/numerics/test_statistics.py -rP` prints the coverage figures that docs/lab/coverage.md states.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

from fittingroom.evaluation.statistics import (
    PairedDifference,
    SeedSpread,
    accuracy_interval,
    adjusted,
    paired_difference,
    pooled_seed_spread,
    rate_interval,
    residual_variance,
    seed_variance,
    step_down,
)

NUM_REPLICATIONS = 1000


@dataclass(frozen=True, kw_only=True)
class World:
    """A probit world: model m with seed s is right on image i when its sum of normal deviates is positive.

    The deviates: of the image (half of its variance shared by all models), of the seed, of this seed on this image.
    """

    means: tuple[float, ...]
    seed_sds: tuple[float, ...]
    image_sd: float
    residual_sd: float = 0.6

    def accuracies(self) -> NDArray[np.float64]:
        """True accuracy of each model over all seeds and images, [models]."""
        variances = np.square(self.seed_sds) + self.image_sd**2 + self.residual_sd**2
        return stats.norm.cdf(np.array(self.means) / np.sqrt(variances))

    def draw(self, random: np.random.Generator, num_seeds: int, num_images: int) -> NDArray[np.bool_]:
        """One test: right or not, [models, seeds, images]."""
        shape = (len(self.means), num_seeds, num_images)
        half = self.image_sd * np.sqrt(0.5)
        score = self.residual_sd * random.standard_normal(shape, dtype=np.float32)
        score += half * random.standard_normal(num_images) + half * random.standard_normal((shape[0], 1, num_images))
        score += np.array(self.seed_sds)[:, None, None] * random.standard_normal((*shape[:2], 1))
        return score + np.array(self.means)[:, None, None] > 0


@dataclass(frozen=True)
class Coverage:
    """How often the truth lay inside 95 % intervals: of model 0, and of model 0 against 1; and how often no claim was wrong."""

    mean: float
    pair: float
    no_false_claim: float


def coverage(world: World, num_seeds: int, num_images: int) -> Coverage:
    random = np.random.default_rng(20240607)
    truth, hits = world.accuracies(), np.zeros(3)
    for _ in range(NUM_REPLICATIONS):
        correct = world.draw(random, num_seeds, num_images)
        spread = pooled_seed_spread(list(correct))
        alone = accuracy_interval(correct[0], 0.95, spread)
        pairs = all_pairs(correct, spread)
        pair = pairs[0, 1]
        p = adjusted([each.p for each in pairs.values()], len(correct))
        claims = [
            (each.difference, truth[a] - truth[b])
            for ((a, b), each), q in zip(pairs.items(), p, strict=True)
            if q < 0.05
        ]
        right = all(found * true > 0 for found, true in claims)
        hits += [alone.low <= truth[0] <= alone.high, pair.low <= truth[0] - truth[1] <= pair.high, right]
    return Coverage(*(hits / NUM_REPLICATIONS).tolist())


def all_pairs(correct: NDArray[np.bool_], spread: SeedSpread) -> dict[tuple[int, int], PairedDifference]:
    pairs = [(a, b) for a in range(len(correct)) for b in range(a + 1, len(correct))]
    return {(a, b): paired_difference(correct[a], correct[b], 0.95, spread) for a, b in pairs}


def satterthwaite(correct: NDArray[np.bool_], level: float = 0.95) -> tuple[float, float]:
    """The usual interval of one model, [seeds, images]: one t quantile with Satterthwaite's degrees of freedom."""
    per_seed, per_image = correct.mean(axis=1), correct.mean(axis=0)
    seed, image = np.var(per_seed, ddof=1) / len(per_seed), np.var(per_image, ddof=1) / len(per_image)
    df = (seed + image) ** 2 / (seed**2 / (len(per_seed) - 1) + image**2 / (len(per_image) - 1))
    half = stats.t.ppf((1 + level) / 2, df) * np.sqrt(seed + image)
    return correct.mean() - half, correct.mean() + half


NEAR_NINETY = (1.4, 1.3, 1.1)
WORLDS = {
    "images matter": World(means=NEAR_NINETY, seed_sds=(0.01, 0.01, 0.01), image_sd=0.8),
    "both matter": World(means=NEAR_NINETY, seed_sds=(0.08, 0.08, 0.08), image_sd=0.8),
    "seeds matter": World(means=NEAR_NINETY, seed_sds=(0.3, 0.3, 0.3), image_sd=0.8),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize(
    ("num_seeds", "num_images"),
    [(2, 2000), pytest.param(3, 1000, marks=pytest.mark.slow), pytest.param(5, 500, marks=pytest.mark.slow)],
)
def test_95_percent_intervals_cover_at_least_93_percent(name: str, num_seeds: int, num_images: int) -> None:
    found = coverage(WORLDS[name], num_seeds, num_images)
    print(f"{name}, {num_seeds} seeds, {num_images} images: {found}")
    assert min(found.mean, found.pair, found.no_false_claim) >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", [2, 5])
@pytest.mark.parametrize(("factor", "least"), [(1.0, 0.93), (4.0, 0.87)])
def test_one_model_with_twice_the_seed_deviation_costs_little(num_seeds: int, factor: float, least: float) -> None:
    seed_sds = (0.16 * factor, 0.08 * factor, 0.08 * factor)
    found = coverage(World(means=NEAR_NINETY, seed_sds=seed_sds, image_sd=0.8), num_seeds, 1000)
    print(f"unequal seeds times {factor:.0f}, {num_seeds} seeds, 1000 images: {found}")
    assert min(found.mean, found.pair, found.no_false_claim) >= least


def with_two_seeds(world: World, random: np.random.Generator, number: int, num_images: int) -> list[NDArray[np.bool_]]:
    """What `World.draw` draws for one model, `number` times [seeds, images], drawn as counts, which is three times as fast.

    Images are counted that both seeds have right, only the first, only the second, none: intervals depend on nothing else.
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights /= weights.sum()
    seeds = world.means[0] + world.seed_sds[0] * random.standard_normal((number, 2, 1))
    right = ndtr((seeds + world.image_sd * nodes) / world.residual_sd)
    (one, other), both = (right @ weights).T, (right[:, 0] * right[:, 1]) @ weights
    shares = np.stack([both, one - both, other - both, 1 - one - other + both], axis=1).clip(0, 1)
    patterns = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], dtype=bool)
    return [np.repeat(patterns, counts, axis=1) for counts in random.multinomial(num_images, shares)]


@pytest.mark.parametrize("seed_sd", [0.03, 0.2])
def test_drawn_as_counts_the_scores_are_as_if_drawn_image_by_image(seed_sd: float) -> None:
    world = World(means=(1.4,), seed_sds=(seed_sd,), image_sd=0.8)
    random = np.random.default_rng(2)
    quick = np.stack(with_two_seeds(world, random, 1000, 500))
    slow = np.stack([world.draw(random, 2, 500)[0] for _ in range(1000)])
    for of in (
        lambda x: x.mean(axis=(1, 2)),
        lambda x: (x[:, 0] & x[:, 1]).mean(axis=1),
        lambda x: x[:, 0].mean(axis=1),
    ):
        assert stats.ks_2samp(of(quick), of(slow)).pvalue > 0.01  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.slow
@pytest.mark.parametrize("seed_sd", [0.03, 0.2])
def test_one_model_alone_with_two_seeds_is_covered(seed_sd: float) -> None:
    world = World(means=(1.4,), seed_sds=(seed_sd,), image_sd=0.8)
    truth = world.accuracies()[0]
    draws = with_two_seeds(world, np.random.default_rng(1), 10 * NUM_REPLICATIONS, 2000)
    intervals = [accuracy_interval(correct) for correct in draws]
    covered = np.mean([interval.low <= truth <= interval.high for interval in intervals])
    usual = np.mean([low <= truth <= high for low, high in map(satterthwaite, draws[: 3 * NUM_REPLICATIONS])])
    print(f"one model, 2 seeds, 2000 images, seed deviation {seed_sd}: {covered:.3f}, Satterthwaite {usual:.3f}")
    assert covered >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / len(draws)), "95 %, less two standard errors of the simulation"
    if seed_sd == 0.2:
        assert usual < 0.93, "the shorter interval would do: use it"


@pytest.mark.parametrize("mean", [2.0, 2.6, 3.3])
def test_few_images_and_few_errors_are_covered_on_average(mean: float) -> None:
    world = World(means=(mean, mean), seed_sds=(0.02, 0.02), image_sd=0.8)
    found = coverage(world, num_seeds=2, num_images=50)
    print(f"accuracy {world.accuracies()[0]:.4f}, 2 seeds, 50 images: {found}")
    assert min(found.mean, found.pair) >= 0.93


def random_correct(num_seeds: int, num_images: int, share: float, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((num_seeds, num_images)) < share


def test_one_seed_gives_wilsons_interval_of_scipy() -> None:
    correct = random_correct(1, 400, 0.9)
    wilson = stats.binomtest(int(correct.sum()), 400).proportion_ci(0.95, method="wilson")
    found = accuracy_interval(correct)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=1e-12)
    assert found.sd is None and found.seed_df == 0


def test_one_seed_gives_the_paired_t_test_over_images() -> None:
    a, b = random_correct(1, 4000, 0.9, seed=1), random_correct(1, 4000, 0.87, seed=2)
    reference: Any = stats.ttest_rel(a[0].astype(float), b[0].astype(float))
    interval, found = reference.confidence_interval(0.95), paired_difference(a, b)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=2e-5)
    assert found.p == pytest.approx(reference.pvalue, rel=0.02)


def test_paired_images_are_padded_by_one_image_for_each_side() -> None:
    a, b = random_correct(1, 30, 0.9, seed=1), random_correct(1, 30, 0.7, seed=2)
    padded = np.append(a[0].astype(float) - b[0], [1, -1])
    reference = stats.ttest_1samp(padded, 0).confidence_interval(0.95)
    found = paired_difference(a, b)
    assert found.high - found.low == pytest.approx(reference.high - reference.low, rel=1e-9)


def test_one_seed_agrees_with_mcnemars_test() -> None:
    a, b = random_correct(1, 5000, 0.9, seed=3), random_correct(1, 5000, 0.89, seed=4)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    mcnemar = stats.binomtest(only_a, only_a + only_b).pvalue
    assert paired_difference(a, b).p == pytest.approx(mcnemar, abs=0.01)


def test_many_images_leave_the_t_interval_over_seeds() -> None:
    num_images = 2_000_000
    correct = np.arange(num_images) < np.array([[0.80], [0.86], [0.90]]) * num_images
    reference = stats.ttest_1samp(correct.mean(axis=1), 0).confidence_interval(0.95)
    found = accuracy_interval(correct)
    assert (found.low, min(1.0, found.high)) == pytest.approx((reference.low, min(1.0, reference.high)), abs=1e-4)
    assert found.sd == pytest.approx(0.0503, abs=1e-3)


def test_two_models_with_many_images_leave_the_two_sample_t_test_over_seeds() -> None:
    num_images = 1_000_000
    a = np.arange(num_images) < np.array([[0.80], [0.86]]) * num_images
    b = np.arange(num_images) < np.array([[0.50], [0.52]]) * num_images
    reference: Any = stats.ttest_ind(a.mean(axis=1), b.mean(axis=1))
    assert paired_difference(a, b).p == pytest.approx(reference.pvalue, rel=1e-3)


def test_seeds_that_agree_leave_the_images() -> None:
    correct = np.repeat(random_correct(1, 500, 0.9), 3, axis=0)
    found, single = accuracy_interval(correct), accuracy_interval(correct[:1])
    assert (found.low, found.high, found.sd) == (single.low, single.high, 0.0)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_perfect_accuracy_on_few_images_is_no_certainty(num_seeds: int) -> None:
    perfect = np.ones((num_seeds, 50), dtype=bool)
    found = accuracy_interval(perfect)
    assert found.high == 1.0 and 0.92 < found.low < 0.95
    equal = paired_difference(perfect, perfect)
    assert equal.low < -0.03 and equal.high > 0.03 and equal.p == pytest.approx(1)


@pytest.mark.parametrize("share_b", [0.90, 0.91, 0.93, 0.99])
def test_p_is_the_level_at_which_the_interval_touches_zero(share_b: float) -> None:
    a, b = random_correct(3, 800, 0.9, seed=5), random_correct(3, 800, share_b, seed=6)
    p = paired_difference(a, b).p
    touching = paired_difference(a, b, level=1 - p)
    assert min(abs(touching.low), abs(touching.high)) == pytest.approx(0, abs=1e-6)


def test_an_overwhelming_difference_has_a_finite_p() -> None:
    right = np.ones((1, 10_000), dtype=bool)
    assert 0 < paired_difference(right, ~right).p <= 1e-99


def test_swapping_the_models_mirrors_the_interval() -> None:
    a, b = random_correct(2, 300, 0.9, seed=7), random_correct(2, 300, 0.8, seed=8)
    there, back = paired_difference(a, b), paired_difference(b, a)
    assert (there.low, there.high, there.p) == pytest.approx((-back.high, -back.low, back.p))


def test_a_pooled_spread_never_hides_the_models_own() -> None:
    wild = np.stack([random_correct(1, 2000, share, seed=9)[0] for share in (0.7, 0.9)])
    calm = np.repeat(random_correct(1, 2000, 0.8), 2, axis=0)
    spread = pooled_seed_spread([wild, calm, calm])
    assert spread.df == 3 and spread.variance == pytest.approx(np.var(wild.mean(axis=1), ddof=1) / 3)
    half = stats.t.ppf(0.975, 3) * np.std(wild.mean(axis=1), ddof=1) / np.sqrt(2)
    assert accuracy_interval(wild, spread=spread).low <= 0.8 - half + 0.02


def test_a_difference_carries_the_pooled_spread_of_both_its_models() -> None:
    calm = np.repeat(random_correct(1, 100_000, 0.8), 2, axis=0)
    spread = SeedSpread(variance=0.01**2, df=6)
    found = paired_difference(calm, calm, spread=spread)
    assert found.high == pytest.approx(stats.t.ppf(0.975, 6) * 0.01 * np.sqrt(2 / 2), rel=1e-3)


def test_other_models_seeds_widen_the_interval_of_a_model_with_one() -> None:
    correct, others = random_correct(1, 1000, 0.9), random_correct(4, 1000, 0.85)
    spread = pooled_seed_spread([correct, others])
    alone, among = accuracy_interval(correct), accuracy_interval(correct, spread=spread)
    assert among.low < alone.low and among.seed_df == 3


def test_the_residual_is_that_of_a_two_way_analysis_of_variance() -> None:
    values = np.array([[1.0, 0, 1, 1], [1, 1, 0, 1], [0, 0, 1, 1]])
    fitted = values.mean(axis=1, keepdims=True) + values.mean(axis=0) - values.mean()
    assert residual_variance(values) == pytest.approx(np.square(values - fitted).sum() / (2 * 3))
    assert residual_variance(values.astype(bool)) == pytest.approx(residual_variance(values))
    assert residual_variance(values[:1]) == residual_variance(values[:, :1]) == 0


def test_the_residual_counts_once_with_the_seeds() -> None:
    """Images alike for every model, seeds alike: all variance is residual, and the interval is the t interval over seeds."""
    random = np.random.default_rng(4)
    a, b = (random.random((5, 20_000)) < 0.9 for _ in range(2))
    spread = pooled_seed_spread([a, b])
    found = paired_difference(a, b, spread=spread)
    seeds_only = stats.t.ppf(0.975, 8) * np.sqrt((seed_variance(a) + seed_variance(b)) / 5)
    assert (found.high - found.low) / 2 == pytest.approx(seeds_only, rel=0.03)
    assert found.image_variance < 0.05 * np.var(a.mean(axis=0) - b.mean(axis=0)) / 20_000


def test_the_residual_counts_once_in_the_interval_of_one_model_too() -> None:
    random = np.random.default_rng(4)
    correct = random.random((5, 20_000)) < 0.9
    half = stats.t.ppf(0.975, 4) * np.sqrt(seed_variance(correct) / 5)
    for interval in (accuracy_interval, rate_interval):
        found = interval(correct)
        assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


def test_models_may_have_different_numbers_of_seeds() -> None:
    a, b = random_correct(5, 2000, 0.9, seed=1), random_correct(2, 2000, 0.9, seed=2)
    spread = SeedSpread(variance=0.01**2, df=5)
    found = paired_difference(a, b, spread=spread)
    assert found.difference == pytest.approx(a.mean() - b.mean()) and found.num_seeds == (5, 2)
    least = stats.t.ppf(0.975, 5) * 0.01 * np.sqrt(1 / 5 + 1 / 2)
    assert least <= (found.high - found.low) / 2 < 1.4 * least


def test_shaffers_step_down_multiplies_only_the_smallest_of_three() -> None:
    # For three models: 0.010 * 3 = 0.030; the others need no factor, but none is below a smaller one.
    assert adjusted([0.02, 0.04, 0.010], 3) == pytest.approx([0.03, 0.04, 0.03])
    assert adjusted([0.02, 0.04, 0.017], 3) == pytest.approx([0.051, 0.051, 0.051])
    assert step_down([0.02, 0.04, 0.010], 3) == [1, 1, 3]


def test_more_than_three_models_get_holms_p_worked_by_hand() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1 = 0.02, 0.03, 0.06, 0.04; the last may not fall below the third.
    assert adjusted([0.01, 0.04, 0.03, 0.005], 4) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjusted([0.6, 0.7], 4) == [1.0, 1.0]
    assert adjusted([0.3], 2) == [0.3] and adjusted([], 1) == []


def test_a_claim_never_stands_beside_an_interval_that_holds_zero() -> None:
    random, num_claims = np.random.default_rng(3), 0
    for _ in range(50):
        correct = WORLDS["both matter"].draw(random, 3, 1000)
        pairs = all_pairs(correct, pooled_seed_spread(list(correct)))
        p_values = adjusted([pair.p for pair in pairs.values()], 3)
        for pair, p in zip(pairs.values(), p_values, strict=True):
            assert p >= 0.05 or pair.low > 0 or pair.high < 0
            num_claims += p < 0.05
    assert num_claims > 10
