"""Intervals of a phoneme error rate, a ratio of sums: against the ratio itself, and against simulated seeds and words.

`pytest tests/numerics/test_rate_statistics.py -rP` prints the coverage figures that docs/lab/coverage.md states.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import ndtr

from fittingroom.evaluation.statistics import (
    accuracy_interval,
    paired_difference,
    pooled_seed_spread,
    rate_interval,
    ratio_values,
)

NUM_REPLICATIONS = 1000
LENGTHS = np.arange(3, 13)


@dataclass(frozen=True, kw_only=True)
class World:
    """Words of 3 to 12 phonemes. A model's chance of an edit at each is that of the word's difficulty, in probits.

    The deviates are those of tests/numerics/test_statistics.py: of the word (half of its variance shared by the models), of
    the seed, of this seed on this word. Longer words are harder, so lengths and errors go together.
    """

    means: tuple[float, ...]
    seed_sd: float
    word_sd: float = 0.8
    residual_sd: float = 0.3

    def rates(self) -> NDArray[np.float64]:
        """True error rate of each model, [models]: words in the proportion of their lengths."""
        deviation = np.sqrt(1 + self.seed_sd**2 + self.word_sd**2 + self.residual_sd**2)
        by_length = ndtr((np.array(self.means)[:, None] + self.harder(LENGTHS)) / deviation)
        return by_length @ LENGTHS / LENGTHS.sum()

    @staticmethod
    def harder(lengths: NDArray[np.int64]) -> NDArray[np.float64]:
        return 0.08 * (lengths - LENGTHS.mean())

    def draw(self, random: np.random.Generator, num_seeds: int, num_words: int) -> NDArray[np.float64]:
        """One test as linearised values, [models, seeds, words]."""
        shape = (len(self.means), num_seeds, num_words)
        lengths = random.choice(LENGTHS, num_words)
        half = self.word_sd * np.sqrt(0.5)
        score = np.array(self.means)[:, None, None] + self.harder(lengths)
        score = score + half * random.standard_normal(num_words)
        score = score + half * random.standard_normal((shape[0], 1, num_words))
        score = score + self.seed_sd * random.standard_normal((*shape[:2], 1))
        score = score + self.residual_sd * random.standard_normal(shape)
        edits = random.binomial(lengths, ndtr(score))
        return ratio_values(edits, np.broadcast_to(lengths, shape))


WORLDS = {
    "words matter": World(means=(-2.4, -2.2), seed_sd=0.01),
    "both matter": World(means=(-2.4, -2.2), seed_sd=0.08),
    "seeds matter": World(means=(-2.4, -2.2), seed_sd=0.3),
}


def coverage(world: World, num_seeds: int, num_words: int) -> tuple[float, float]:
    """How often the truth lay in the 95 % interval: of model 0, and of model 0 against 1."""
    random, truth, hits = np.random.default_rng(20240607), world.rates(), np.zeros(2)
    for _ in range(NUM_REPLICATIONS):
        values = world.draw(random, num_seeds, num_words)
        spread = pooled_seed_spread(list(values))
        alone, pair = rate_interval(values[0], 0.95, spread), paired_difference(values[0], values[1], 0.95, spread)
        hits += [alone.low <= truth[0] <= alone.high, pair.low <= truth[0] - truth[1] <= pair.high]
    alone, pair = (hits / NUM_REPLICATIONS).tolist()
    return alone, pair


SIZES = [(2, 2000)]
MORE_SIZES = [(3, 1000), (5, 500)]


# One seed knows nothing of others, and says so: it is asked only where seeds are as good as alike.
@pytest.mark.parametrize(
    ("name", "num_seeds", "num_words"),
    [
        ("words matter", 1, 2000),
        *((name, *size) for name in WORLDS for size in SIZES),
        *(pytest.param(name, *size, marks=pytest.mark.slow) for name in WORLDS for size in MORE_SIZES),
    ],
)
def test_95_percent_intervals_of_a_rate_cover_at_least_93_percent(name: str, num_seeds: int, num_words: int) -> None:
    found = coverage(WORLDS[name], num_seeds, num_words)
    print(f"{name}, {num_seeds} seeds, {num_words} words, rate {WORLDS[name].rates()[0]:.3f}: {found}")
    assert min(found) >= 0.93


@pytest.mark.parametrize(("mean", "num_words"), [(-2.4, 50), (-3.4, 50), (-3.4, 200)])
def test_few_words_and_few_edits_are_covered(mean: float, num_words: int) -> None:
    world = World(means=(mean, mean), seed_sd=0.02)
    found = coverage(world, 2, num_words)
    print(f"2 seeds, {num_words} words, rate {world.rates()[0]:.4f}: {found}")
    assert min(found) >= 0.93


def test_treating_phonemes_as_independent_would_miss_too_often() -> None:
    world, random, hits = WORLDS["words matter"], np.random.default_rng(1), 0
    truth, num_words = world.rates()[0], 2000
    for _ in range(NUM_REPLICATIONS):
        rate = world.draw(random, 1, num_words)[0].mean()
        half = 1.96 * np.sqrt(rate * (1 - rate) / (num_words * LENGTHS.mean()))
        hits += rate - half <= truth <= rate + half
    print(f"phonemes taken as independent: {hits / NUM_REPLICATIONS:.3f}")
    assert hits / NUM_REPLICATIONS < 0.93, "the shorter interval would do: use it"


COUNTS = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 12)), min_size=2, max_size=30)


@given(COUNTS)
def test_the_mean_of_linearised_values_is_the_ratio(counts: list[tuple[int, int]]) -> None:
    edits, lengths = np.array(counts).T
    assert ratio_values(edits, lengths).mean() == pytest.approx(edits.sum() / lengths.sum())


@pytest.mark.parametrize("share", [0.1, 0.6])
def test_the_spread_of_linearised_values_is_that_of_the_ratio_when_words_are_drawn_anew(share: float) -> None:
    random = np.random.default_rng(5)
    lengths = random.choice(LENGTHS, 1000)
    edits = random.binomial(lengths, share)
    drawn = random.integers(0, 1000, (4000, 1000))
    bootstrap = edits[drawn].sum(axis=1) / lengths[drawn].sum(axis=1)
    assert ratio_values(edits, lengths).std() / np.sqrt(1000) == pytest.approx(bootstrap.std(), rel=0.05)


def test_words_of_one_length_leave_the_mean_of_their_rates() -> None:
    edits = np.array([[0, 2, 1, 0]])
    np.testing.assert_allclose(ratio_values(edits, np.full((1, 4), 5)), edits / 5)


def test_of_whole_words_the_interval_is_close_to_wilsons() -> None:
    wrong = np.random.default_rng(2).random((1, 3000)) < 0.05
    found, wilson = rate_interval(ratio_values(wrong * 6, np.full((1, 3000), 6))), accuracy_interval(wrong)
    assert (found.mean, found.low, found.high) == pytest.approx((wilson.mean, wilson.low, wilson.high), abs=6e-4)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_no_edit_on_few_words_is_no_certainty(num_seeds: int) -> None:
    found = rate_interval(np.zeros((num_seeds, 50)))
    assert found.low == 0.0 and 0.03 < found.high < 0.1


@given(COUNTS, st.integers(1, 3))
def test_an_interval_holds_its_mean_and_is_never_negative(counts: list[tuple[int, int]], num_seeds: int) -> None:
    edits, lengths = np.array(counts).T
    values = np.stack([ratio_values(np.roll(edits, seed), lengths) for seed in range(num_seeds)])
    found = rate_interval(values)
    assert 0 <= found.low <= found.mean + 1e-12 and found.mean < found.high < np.inf


def test_a_rate_above_one_has_an_interval_above_one() -> None:
    edits, lengths = np.full((1, 400), 9), np.full((1, 400), 6)
    edits[0, ::2] = 12
    found = rate_interval(ratio_values(edits, lengths))
    assert 1 < found.low < found.mean == pytest.approx(1.75) and found.high < 1.9
