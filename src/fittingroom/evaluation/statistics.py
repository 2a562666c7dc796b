"""How sure a score is: intervals that cover both chances at once, another seed and other test images (or words).

Seeds and images are crossed: every seed's network judges the same images. The variance of a mean accuracy then has two
parts that come from samples of very different size: a handful of seeds, thousands of images. Each part gets the t
quantile of its own degrees of freedom, and the two half-widths are added as squares (Banerjee 1960, Sankhya 22, 357):

    half-width^2 = t(seed df)^2 * seed variance / S  +  (image half-width)^2

Such an interval covers at least as often as it says, whatever the ratio of the two parts: with F the distribution
function of a squared standard normal, which is concave, F(w1 x1 + w2 x2) >= w1 F(x1) + w2 F(x2), and each part alone
covers exactly. One t with Satterthwaite's degrees of freedom is shorter but misses almost three times too often at 2
seeds (docs/lab/coverage.md holds the figures). Needs numpy and scipy only.

A score that is a ratio of sums, such as edits over reference phonemes, comes here as `ratio_values`: one number an item
whose mean is the ratio and whose spread is that of its linearisation (the delta method), so that all of the above applies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_P = 1e-100
"""Smallest p-value given: below it the t quantile loses its digits, and no one needs them."""

Correct = NDArray[np.bool_]
"""Rightly classified or not, [seeds, images]: one model, every seed on the same images."""

Values = NDArray[np.bool_] | NDArray[np.float64]
"""One number an item whose mean over items is a seed's score, [seeds, items]; booleans are the case of 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class SeedSpread:
    """Variance between seeds of a score, pooled over models, with its degrees of freedom (0: one seed each)."""

    variance: float
    df: int


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean score (fraction) and where it may lie. `sd` is over this model's seeds, None with one seed.

    `seed_df` 0 says that no seed variance was known: the interval covers other images, not other seeds.
    """

    mean: float
    low: float
    high: float
    sd: float | None
    seed_df: int


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Score of a minus score of b (fractions). `p` is below 1 - level exactly when the interval excludes 0."""

    difference: float
    low: float
    high: float
    p: float
    seed_df: int


def ratio_values(numerators: NDArray[Any], denominators: NDArray[Any]) -> NDArray[np.float64]:
    """Linearised values of a ratio of sums: of one seed [items], or of several [seeds, items]; denominators positive.

    Item i counts as rate + (numerator_i - rate * denominator_i) / mean denominator. The mean over items is exactly the
    ratio, and the variance over them is what the delta method gives for it (Cochran, Sampling Techniques, 6.3).
    """
    mean = denominators.mean(axis=-1, keepdims=True)
    rate = numerators.mean(axis=-1, keepdims=True) / mean
    return rate + (numerators - rate * denominators) / mean


def seed_variance(values: Values) -> float:
    """Variance over seeds of the score (divisor S - 1); 0 with one seed, which tells nothing of it."""
    return float(np.var(values.mean(axis=1), ddof=1)) if len(values) > 1 else 0.0


def pooled_seed_spread(of_models: Sequence[Values]) -> SeedSpread:
    """Seed variance of several models taken as one, each with weight S - 1, as in an analysis of variance."""
    dfs = [len(values) - 1 for values in of_models]
    if sum(dfs) == 0:
        return SeedSpread(variance=0.0, df=0)
    weighted = sum(df * seed_variance(values) for df, values in zip(dfs, of_models, strict=True))
    return SeedSpread(variance=weighted / sum(dfs), df=sum(dfs))


def accuracy_interval(correct: Correct, level: float = 0.95, spread: SeedSpread | None = None) -> Interval:
    """Interval for the accuracy of one model, an average over seeds and images not seen.

    The image part is Wilson's score interval (1927) for N images, so it stays within 0 and 1 and has a width even when
    all is right; with one seed it is the whole. `spread` is the seed variance pooled over the models of a comparison;
    where this model's own is larger, its own counts.
    """
    num_seeds, num_images = _shape(correct)
    spread = spread or pooled_seed_spread([correct])
    mean, own = float(correct.mean()), seed_variance(correct)
    seed_square = _t_square(spread.df, 1 - level) * max(own, spread.variance) / num_seeds
    wilson_low, wilson_high = _wilson(mean, num_images, 1 - level)
    low = mean - np.sqrt((mean - wilson_low) ** 2 + seed_square)
    high = mean + np.sqrt((wilson_high - mean) ** 2 + seed_square)
    sd = float(np.sqrt(own)) if num_seeds > 1 else None
    return Interval(mean=mean, low=max(0.0, float(low)), high=min(1.0, float(high)), sd=sd, seed_df=spread.df)


def rate_interval(values: Values, level: float = 0.95, spread: SeedSpread | None = None) -> Interval:
    """Interval for one model's rate of edits, of `ratio_values` [seeds, words]: never negative, but it may pass 1.

    The word part is a score interval, as Wilson's is, but for counts: an edit's variance is taken as proportional to the
    rate (quasi-Poisson), with the factor that the words show, so words that fail as a whole widen it. Two imaginary words
    of mean length, one right and one wholly wrong, are added to find that factor: words all alike are no certainty.
    """
    num_seeds, num_words = _shape(values)
    spread = spread or pooled_seed_spread([values])
    mean, own = float(values.mean()), seed_variance(values)
    padded = np.append(values.mean(axis=0), [0.0, 1.0])
    per_rate = float(np.var(padded, ddof=1)) / len(padded) / float(padded.mean())
    step = _t_square(num_words, 1 - level) * per_rate
    reach = float(np.sqrt(step * mean + step**2 / 4))
    seed_square = _t_square(spread.df, 1 - level) * max(own, spread.variance) / num_seeds
    low = mean - np.sqrt((reach - step / 2) ** 2 + seed_square)
    high = mean + np.sqrt((reach + step / 2) ** 2 + seed_square)
    sd = float(np.sqrt(own)) if num_seeds > 1 else None
    return Interval(mean=mean, low=max(0.0, float(low)), high=float(high), sd=sd, seed_df=spread.df)


def paired_difference(
    values_a: Values, values_b: Values, level: float = 0.95, spread: SeedSpread | None = None
) -> PairedDifference:
    """Difference of two models' scores: same images or words, same seeds (equal shapes [seeds, items]).

    Images are paired: the image part is that of the per-image differences, as in a paired t-test, with one image added
    for each side (after Bonett and Price 2012), so that agreement on every image gives no zero width. The two models'
    seed variances are added as if independent: a shared seed shares the order of the data at most, and moving together
    could only lessen the variance of the difference. Of `ratio_values` the two imaginary items are words of mean length,
    wholly wrong for one model and right for the other.
    """
    num_seeds, _ = _shape(values_a)
    assert values_a.shape == values_b.shape, f"{values_a.shape}, {values_b.shape}: not the same seeds and items"
    spread = spread or pooled_seed_spread([values_a, values_b])
    per_image = values_a.mean(axis=0) - values_b.mean(axis=0)
    padded = np.append(per_image, [1.0, -1.0])
    variances = _Variances(
        seed=max(seed_variance(values_a) + seed_variance(values_b), 2 * spread.variance) / num_seeds,
        seed_df=spread.df,
        image=float(np.var(padded, ddof=1)) / len(padded),
        image_df=len(padded) - 1,
    )
    difference, half = float(per_image.mean()), variances.half_width(1 - level)
    return PairedDifference(
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=variances.p_value(difference),
        seed_df=spread.df,
    )


def simultaneous_level(level: float, num_pairs: int) -> float:
    """Level of each of `num_pairs` intervals such that all hold at once with probability `level` (Bonferroni)."""
    return 1 - (1 - level) / max(1, num_pairs)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted for their number (Holm 1979), in the order given.

    Never above Bonferroni's: a pair whose simultaneous interval excludes 0 has an adjusted p below 1 - level as well.
    """
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


@dataclass(frozen=True, kw_only=True)
class _Variances:
    """The two parts of the variance of a mean difference, each with its degrees of freedom."""

    seed: float
    seed_df: int
    image: float
    image_df: int

    def half_width(self, p: float) -> float:
        """Half-width of the interval of level 1 - p."""
        return float(np.sqrt(_t_square(self.seed_df, p) * self.seed + _t_square(self.image_df, p) * self.image))

    def p_value(self, difference: float) -> float:
        """The p at which the interval's end touches 0."""
        from scipy.optimize import brentq

        size = abs(difference)
        if size >= self.half_width(LEAST_P):
            return LEAST_P

        def excess(log_p: float) -> float:
            return self.half_width(math.exp(log_p)) - size

        log_p: Any = brentq(excess, math.log(LEAST_P), 0.0, xtol=1e-9)
        return math.exp(log_p)


def _shape(values: Values) -> tuple[int, int]:
    assert values.ndim == 2 and values.size, f"expected [seeds, items], at least one of each, got {values.shape}"
    return values.shape[0], values.shape[1]


def _t_square(df: int, p: float) -> float:
    """Square of the two-sided t quantile: |t| is larger with probability p. 0 where nothing is known (no df)."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p / 2)) ** 2 if df > 0 else 0.0


def _wilson(mean: float, num_images: int, p: float) -> tuple[float, float]:
    """Wilson's score interval of level 1 - p for a share `mean` of `num_images`."""
    from scipy.special import ndtri

    z_square = float(ndtri(p / 2)) ** 2
    centre = (mean + z_square / (2 * num_images)) / (1 + z_square / num_images)
    variance = mean * (1 - mean) / num_images + z_square / (4 * num_images**2)
    half = float(np.sqrt(z_square * variance)) / (1 + z_square / num_images)
    return centre - half, centre + half
