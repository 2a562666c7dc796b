"""What more seeds would bring, and what the seeds so far cannot show: further variation, and runs that collapse."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fittingroom.core.decision import ALPHA, is_decided
from fittingroom.core.records import Outlook
from fittingroom.evaluation.statistics import PairedDifference, Values, adjusted, seed_variance, step_down

ASSURANCE = 0.8
"""The probability with which the advised number of seeds separates two models."""
MOST_SEEDS = 100
"""No more seeds than this are advised."""


def outlooks(found: Sequence[PairedDifference], num_models: int) -> list[Outlook | None]:
    """The outlook for each of all pairs of models. None for a decided pair, and where each model has one seed.

    The step-down decides no pair before the pairs with a smaller p. So a pair is not advised fewer seeds than those, unless it
    needs fewer even as the first pair to be decided.
    """
    p_values = [each.p for each in found]
    factors, p_adjusted = step_down(p_values, num_models), adjusted(p_values, num_models)
    told: list[Outlook | None] = [None] * len(found)
    before: Outlook | None = None
    strictest = 1
    for index in sorted(range(len(found)), key=lambda i: p_values[i]):
        if is_decided(p_adjusted[index]):
            continue
        strictest = max(strictest, factors[index])
        own = outlook(found[index], num_models, factors[index])
        if own and before and _needed(own) < _needed(before):
            first = outlook(found[index], num_models, strictest)
            later = replace(own, more_seeds=before.more_seeds)
            own = first if first and _needed(first) <= _needed(before) else later
        told[index] = before = own
    return told


def _needed(found: Outlook) -> float:
    """How many more seeds are needed, to compare two outlooks. Infinite where the test images are the limit."""
    if found.images_limit:
        return np.inf
    return MOST_SEEDS + 1 if found.more_seeds is None else found.more_seeds


def outlook(found: PairedDifference, num_models: int, factor: float) -> Outlook | None:
    """The outlook for a pair. None where each model has one seed: then the seed variance is unknown.

    `factor` is what the pair's p is multiplied by. The difference after K more seeds is predicted from the present one: it
    has a t distribution around it. On unlimited seeds the test images stay, and their part of the half-width with them.
    """
    from scipy.special import stdtr, stdtrit

    if found.seed_df == 0:
        return None
    tail = ALPHA / factor / 2
    (var_a, var_b), (num_a, num_b) = found.variance_per_seed, found.num_seeds
    more = np.append(np.arange(1.0, MOST_SEEDS + 1), np.inf)
    seed = var_a / (num_a + more) + var_b / (num_b + more)
    change = var_a / num_a + var_b / num_b - seed
    image_square = stdtrit(found.image_df, tail) ** 2 * found.image_variance
    quantile = stdtrit(np.minimum(found.seed_df + num_models * more, 1e9), tail)
    half = np.sqrt(quantile**2 * seed + image_square)
    deviation = np.sqrt(np.maximum(change, 1e-30))
    size = abs(found.difference)
    above, below = (stdtr(found.seed_df, (side - half) / deviation) for side in (size, -size))
    reached = np.flatnonzero(above + below >= ASSURANCE)
    chance = float(above[-1] + below[-1])
    images_limit = not chance >= ASSURANCE
    first = int(reached[0]) if reached.size else MOST_SEEDS
    return Outlook(
        more_seeds=None if images_limit or first >= MOST_SEEDS else first + 1,
        images_limit=images_limit,
        least_gap=float(np.sqrt(image_square)),
        chance=chance,
    )


def collapse_rate(num_seeds: int) -> float:
    """The largest rate of collapsing runs at which `num_seeds` seeds all go well with a probability of 5 %."""
    return 1 - ALPHA ** (1 / num_seeds)


def unequal_spread(of_models: Sequence[Values]) -> list[tuple[int, float, float]]:
    """Models whose seeds vary far more than those of the others: (index, how many times the deviation, p of the F test).

    Each model with two seeds or more is tested against the pooled variance of the others, at 5 % for all tests together.
    """
    from scipy.special import fdtrc

    found = []
    dfs, variances = [len(each) - 1 for each in of_models], [seed_variance(each) for each in of_models]
    tested = [index for index, df in enumerate(dfs) if df > 0 and sum(dfs) > df]
    for index in tested:
        df = sum(dfs) - dfs[index]
        others = sum(d * v for i, (d, v) in enumerate(zip(dfs, variances, strict=True)) if i != index) / df
        if variances[index] == 0 or others == 0:
            continue
        ratio = variances[index] / others
        p = float(fdtrc(dfs[index], df, ratio))
        if p * len(tested) < ALPHA:
            found.append((index, float(np.sqrt(ratio)), p))
    return found
