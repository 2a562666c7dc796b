"""Confidence intervals for scores. They cover two sources of chance at once: other seeds and other test images (or words).

Seeds and images are crossed: the networks of all seeds predict the same images. Whether seed s is right on image i is

    mean + seed effect[s] + image effect[i] + residual[s, i]

The variance of a mean accuracy has two parts, estimated from samples of very different size: a few seeds and thousands of
images. Each part gets the t quantile of its own degrees of freedom, and the squares of the two half-widths are added
(Banerjee 1960, Sankhya 22, 357):

    half-width^2 = t(seed df)^2 * V_seed / S  +  t(image df)^2 * (V_image - V_residual / S) / N

`V_seed`, the variance of a seed's accuracy, contains the residual divided by N. So does `V_image`, the variance of an image's
mean over seeds: it contains the residual divided by S. The residual is chance of one seed on one image. It counts once, with
the seeds, and is taken off the images.

The coverage of this interval is at least its nominal level for any ratio of the two parts. Proof: let F be the distribution
function of a squared standard normal. F is concave, so F(w1 x1 + w2 x2) >= w1 F(x1) + w2 F(x2), and each part alone covers
exactly. A single t quantile with Satterthwaite's degrees of freedom gives shorter intervals, but with 2 seeds they miss almost
three times too often (docs/lab/coverage.md has the figures). This module needs only numpy and scipy.

`ratio_values` converts a score that is a ratio of sums, such as edits per reference phoneme, to one number per item. The mean
of these numbers is the ratio, and their spread is that of its linearisation (the delta method), so all of the above applies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_P = 1e-100
"""Smallest p-value that is reported. Below it, the t quantile becomes inaccurate."""

Correct = NDArray[np.bool_]
"""Whether each image was classified correctly, [seeds, images]: one model, all seeds on the same images."""

Values = NDArray[np.bool_] | NDArray[np.float64]
"""One number per item, [seeds, items]. The mean over items is the score of a seed. Booleans count as 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class SeedSpread:
    """Variance of a score between seeds, pooled over models, with its degrees of freedom (0 if each model has one seed)."""

    variance: float
    df: int


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean score (fraction) and its interval. `sd` is over this model's seeds; None with one seed.

    `seed_df` 0 means that the seed variance is unknown: the interval covers other images, but not other seeds.
    """

    mean: float
    low: float
    high: float
    sd: float | None
    seed_df: int


@dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Score of model a minus score of model b (fractions). `p` is below 1 - level exactly when the interval excludes 0."""

    difference: float
    low: float
    high: float
    p: float
    seed_df: int
    variance_per_seed: tuple[float, float]
    """The variance of one seed's score, of a and of b."""
    num_seeds: tuple[int, int]
    image_variance: float
    """The part of the variance of the difference that more seeds do not reduce."""
    image_df: int


def ratio_values(numerators: NDArray[Any], denominators: NDArray[Any]) -> NDArray[np.float64]:
    """Linearised values of a ratio of sums, for one seed [items] or several [seeds, items]. Denominators must be positive.

    The value of item i is rate + (numerator_i - rate * denominator_i) / mean denominator. The mean over items is exactly the
    ratio, and their variance is the delta method's variance of the ratio (Cochran, Sampling Techniques, 6.3).
    """
    mean = denominators.mean(axis=-1, keepdims=True)
    rate = numerators.mean(axis=-1, keepdims=True) / mean
    return rate + (numerators - rate * denominators) / mean


def seed_variance(values: Values) -> float:
    """Variance of the score over seeds (divisor S - 1). 0 with one seed, where it is unknown."""
    return float(np.var(values.mean(axis=1), ddof=1)) if len(values) > 1 else 0.0


def residual_variance(values: Values) -> float:
    """Variance of the residual: what is left of the values without the effects of seeds and of items. 0 with one seed.

    It is the residual mean square of a two-way analysis of variance with one value per cell.
    """
    num_seeds, num_items = _shape(values)
    if num_seeds == 1 or num_items == 1:
        return 0.0
    means = values.mean(axis=0)
    squares = means if values.dtype == np.bool_ else np.square(values).mean(axis=0)
    within_items = float((squares - np.square(means)).mean()) * num_seeds / (num_seeds - 1)
    return max(0.0, (within_items - seed_variance(values)) * num_items / (num_items - 1))


def pooled_seed_spread(of_models: Sequence[Values]) -> SeedSpread:
    """Pool the seed variances of several models, each with weight S - 1, as in an analysis of variance."""
    dfs = [len(values) - 1 for values in of_models]
    if sum(dfs) == 0:
        return SeedSpread(variance=0.0, df=0)
    weighted = sum(df * seed_variance(values) for df, values in zip(dfs, of_models, strict=True))
    return SeedSpread(variance=weighted / sum(dfs), df=sum(dfs))


def accuracy_interval(correct: Values, level: float = 0.95, spread: SeedSpread | None = None) -> Interval:
    """Interval for the expected accuracy of one model over new seeds and new images.

    The image part is Wilson's score interval (1927) for N images. It stays within 0 and 1, and has a width even if all images
    are correct. With one seed, it is the whole interval. With several, the residual is taken off it. Where images come in groups,
    `correct` holds the `ratio_values` of the groups, and N counts groups. `spread` is the seed
    variance pooled over the models of a comparison; the model's own variance replaces it if larger.
    """
    num_seeds, num_images = _shape(correct)
    spread = spread or pooled_seed_spread([correct])
    mean, own = float(correct.mean()), seed_variance(correct)
    seed_square = _t_square(spread.df, 1 - level) * max(own, spread.variance) / num_seeds
    wilson_low, wilson_high = _wilson(mean, num_images / _image_share(correct), 1 - level)
    low = mean - np.sqrt((mean - wilson_low) ** 2 + seed_square)
    high = mean + np.sqrt((wilson_high - mean) ** 2 + seed_square)
    sd = float(np.sqrt(own)) if num_seeds > 1 else None
    return Interval(mean=mean, low=max(0.0, float(low)), high=min(1.0, float(high)), sd=sd, seed_df=spread.df)


def rate_interval(values: Values, level: float = 0.95, spread: SeedSpread | None = None) -> Interval:
    """Interval for one model's edit rate, from `ratio_values` [seeds, words]. It is never negative but may exceed 1.

    The word part is a score interval like Wilson's, but for counts. It assumes a variance proportional to the rate
    (quasi-Poisson) and estimates the factor from the words, so words that fail completely widen the interval. The estimate
    includes two imaginary words of mean length, one correct and one completely wrong, so that the width is not zero if all
    words are alike.
    """
    num_seeds, num_words = _shape(values)
    spread = spread or pooled_seed_spread([values])
    mean, own = float(values.mean()), seed_variance(values)
    word_variance, rate = _padded_variance(values)
    per_rate = word_variance / (num_words + 2) / rate
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
    """Difference between the scores of two models on the same items, each with its own seeds ([seeds, items]).

    Images are paired: the image part comes from the per-image differences, as in a paired t-test, without the residual. One
    imaginary image is added in favour of each model (after Bonett and Price 2012), so that the width is not zero if the models
    agree on every image. For `ratio_values`, the two imaginary items are words of mean length, completely wrong for one model
    and correct for the other.

    Seeds are not paired, and the models may have different numbers of them. Models with the same seed share at most the order
    of the data, and a positive correlation would only reduce the variance of the difference.
    """
    (num_a, num_items), (num_b, num_items_b) = _shape(values_a), _shape(values_b)
    assert num_items == num_items_b, f"{values_a.shape}, {values_b.shape}: not the same items"
    spread = spread or pooled_seed_spread([values_a, values_b])
    per_image = values_a.mean(axis=0) - values_b.mean(axis=0)
    padded = np.append(per_image, [1.0, -1.0])
    residual = residual_variance(values_a) / num_a + residual_variance(values_b) / num_b
    # The two imaginary images always count: what is left of the others is not below zero.
    image = max(float(np.var(padded, ddof=1)) - residual, 2 / (len(padded) - 1))
    own = (seed_variance(values_a), seed_variance(values_b))
    pool = (spread.variance, spread.variance)
    per_seed = max(own, pool, key=lambda pair: pair[0] / num_a + pair[1] / num_b)
    variances = _Variances(
        seed=per_seed[0] / num_a + per_seed[1] / num_b,
        seed_df=spread.df,
        image=image / len(padded),
        image_df=len(padded) - 1,
    )
    difference, half = float(per_image.mean()), variances.half_width(1 - level)
    return PairedDifference(
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=variances.p_value(difference),
        seed_df=spread.df,
        variance_per_seed=per_seed,
        num_seeds=(num_a, num_b),
        image_variance=variances.image,
        image_df=variances.image_df,
    )


def adjusted(p_values: Sequence[float], num_models: int) -> list[float]:
    """Adjust the p-values of all pairs of models for their number, keeping their order.

    Each is multiplied by its factor of `step_down`, and none is below that of a smaller p. They are at most 1.
    """
    found, running = [0.0] * len(p_values), 0.0
    factors = step_down(p_values, num_models)
    for index in sorted(range(len(p_values)), key=lambda i: p_values[i]):
        running = max(running, min(1.0, factors[index] * p_values[index]))
        found[index] = running
    return found


def step_down(p_values: Sequence[float], num_models: int) -> list[int]:
    """The factor for each p-value of all pairs of models: how many pairs can be equal where the smaller p are differences.

    For three models these are Shaffer's (1986): if two models differ, at most one of the other two pairs can be equal, so
    only the smallest p is multiplied, by 3. For other numbers they are Holm's (1979): the number of pairs, one less, and so on.
    """
    number = len(p_values)
    factors = [3, 1, 1] if num_models == number == 3 else list(range(number, 0, -1))
    found = [1] * number
    for factor, index in zip(factors, sorted(range(number), key=lambda i: p_values[i]), strict=True):
        found[index] = factor
    return found


@dataclass(frozen=True, kw_only=True)
class _Variances:
    """The two parts of the variance of a mean difference, each with its degrees of freedom."""

    seed: float
    seed_df: int
    image: float
    image_df: int

    def half_width(self, p: float) -> float:
        """Half-width of the interval with level 1 - p."""
        return float(np.sqrt(_t_square(self.seed_df, p) * self.seed + _t_square(self.image_df, p) * self.image))

    def p_value(self, difference: float) -> float:
        """The p for which one end of the interval is exactly 0."""
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
    """Square of the two-sided t quantile, which |t| exceeds with probability p. 0 if df is 0, where nothing is known."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p / 2)) ** 2 if df > 0 else 0.0


def _image_share(correct: Values) -> float:
    """The share of p (1 - p), the variance of one image, that is left in the mean over seeds without the residual.

    For groups of images, whose values are not booleans, it is the variance of a group, which may be larger.
    """
    if len(correct) == 1 and correct.dtype == np.bool_:
        return 1.0
    variance, mean = _padded_variance(correct)
    size = correct.shape[1] + 2
    share = variance * (size - 1) / size / (mean * (1 - mean))
    return min(1.0, share) if correct.dtype == np.bool_ else share


def _padded_variance(values: Values) -> tuple[float, float]:
    """Variance over items of the mean over seeds, without the residual, and the mean over items.

    Includes two imaginary items, one of value 0 and one of value 1. They always count: what is left of the others is not
    below zero.
    """
    padded = np.append(values.mean(axis=0), [0.0, 1.0])
    residual = residual_variance(values) / len(values)
    return max(float(np.var(padded, ddof=1)) - residual, 0.5 / (len(padded) - 1)), float(padded.mean())


def _wilson(mean: float, num_images: float, p: float) -> tuple[float, float]:
    """Wilson's score interval with level 1 - p for a share `mean` of `num_images`."""
    from scipy.special import ndtri

    z_square = float(ndtri(p / 2)) ** 2
    centre = (mean + z_square / (2 * num_images)) / (1 + z_square / num_images)
    variance = mean * (1 - mean) / num_images + z_square / (4 * num_images**2)
    half = float(np.sqrt(z_square * variance)) / (1 + z_square / num_images)
    return centre - half, centre + half
