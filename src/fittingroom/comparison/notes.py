"""What a reader of a verdict should know beside it: failed runs, what the intervals cover, seeds that vary, useless runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.conditions import unit
from fittingroom.core.decision import RULE
from fittingroom.core.records import CandidateSummary, ComparisonRecord
from fittingroom.evaluation.metric import Metric, p_text
from fittingroom.evaluation.seeds import collapse_rate, unequal_spread
from fittingroom.evaluation.statistics import SeedSpread
from fittingroom.tasks.scoring import Scoring

MOST_MARGIN = 0.03
"""A run is hardly better than one answer for all items if its score is better by no more than this, or by less."""
ONE_ANSWER = "one answer for all test"
"""How the notes on that begin: a page shows them above the others."""

Values = Mapping[str, Mapping[int, NDArray[Any]]]
"""Candidate -> seed -> one number per item [items]."""


def failure_notes(record: ComparisonRecord, candidates: Sequence[CandidateSummary]) -> list[str]:
    """The runs that failed and why, and the candidates that finished no run."""
    notes = [f"{row.run} failed: {row.error or 'no reason was recorded'}" for row in record.failed()]
    return notes + [
        f"{each.title} finished no {unit(record)} and is left out" for each in candidates if not each.num_runs
    ]


def seed_notes(num_contrasts: int, spread: SeedSpread, scoring: Scoring[Any]) -> list[str]:
    """What the intervals cover (seeds and items, or less), and the rule by which a difference counts."""
    items, (first, *later) = scoring.items, scoring.metrics
    notes = []
    if spread.df == 0:
        notes.append(f"one seed: the intervals cover {items} only, not other seeds")
    if spread.df > 0 and spread.variance == 0:
        notes.append(f"every seed gave the same test {first.title}: the intervals cover {items} only")
    if num_contrasts > 1:
        notes.append(RULE)
    if later and num_contrasts:
        others = " and ".join(metric.title for metric in later)
        notes.append(
            f"the {first.title} decides; the verdict compares the {others} only for models that differ in {first.title}, so "
            "that both claims together are wrong in at most 5 % of comparisons"
        )
    return notes


def unequal_seeds_note(candidates: Sequence[CandidateSummary]) -> list[str]:
    """Where a model has at most half the seeds of another: what its interval then takes for granted.

    The seed variance is pooled by number of seeds. If the model with many varies less, the others get too short intervals.
    """
    numbers = [each.num_runs for each in candidates if each.num_runs]
    most = max(numbers, default=0)
    few = [each.title for each in candidates if 0 < 2 * each.num_runs <= most]
    if not few:
        return []
    who = f"{', '.join(few)} {'has' if len(few) == 1 else 'have'}"
    return [
        f"warning: {who} at most half the seeds of another model: intervals and p assume that all models vary alike over seeds, "
        "and are too optimistic if a model with few seeds varies more; train as many seeds of each"
    ]


def useless_runs(values: Values, metric: Metric, constant: float) -> dict[str, list[int]]:
    """The runs whose score is hardly better than `constant`, the score of one answer for all items: candidate -> seeds.

    Labels in another order give about this score, so two standard errors are allowed, but never much.
    """
    found = {}
    for name, runs in values.items():
        num_items = len(next(iter(runs.values())))
        margin = min(2 * float(np.sqrt(constant * (1 - constant) / num_items)), MOST_MARGIN)
        seeds = [seed for seed, each in runs.items() if metric.sign * (float(each.mean()) - constant) <= margin]
        if seeds:
            found[name] = seeds
    return found


def one_answer_note(metric: Metric, constant: float, items: str) -> str:
    """What a score of unbalanced data is to be measured against."""
    return f"{ONE_ANSWER} {items} would have {metric.title} {metric.number(constant)} {metric.unit}"


def useless_note(
    candidates: Sequence[CandidateSummary],
    useless: Mapping[str, Sequence[int]],
    metric: Metric,
    constant: float,
    items: str,
    imported: bool,
) -> str:
    """'one answer for all test images would have accuracy 33.33 %, and these runs are hardly better: VIT (seed 0). ...'"""
    titles = {each.name: each.title for each in candidates}
    runs = ", ".join(
        f"{titles[name]} (seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))})"
        for name, seeds in useless.items()
    )
    order = ", or are rows or classes in another order than the labels" if imported else ""
    return f"{one_answer_note(metric, constant, items)}, and these runs are hardly better: {runs}; did they collapse{order}?"


def variation_notes(
    candidates: Sequence[CandidateSummary], values: Values, useless: Mapping[str, Sequence[int]]
) -> list[str]:
    """Models whose seeds vary far more than the others', and how often models may collapse that did not in these seeds.

    The runs in `useless` may have collapsed.
    """
    titles = {each.name: each.title for each in candidates}
    found = [np.stack(list(runs.values())) for runs in values.values()]
    notes = [
        f"warning: the seeds of {titles[list(values)[index]]} vary {times:.1f} times as much as those of the other models "
        f"(F test, p {p_text(p)}); look at its runs, and give it more seeds"
        for index, times, p in unequal_spread(found)
    ]
    calm = [each for each in candidates if each.num_runs and not each.num_failed and each.name not in useless]
    if calm:
        fewest = min(each.num_runs for each in calm)
        seeds = "1 seed" if fewest == 1 else f"{fewest} seeds"
        of_some = "" if len(calm) == len(candidates) else f" of {', '.join(each.title for each in calm)}"
        most = f"{100 * collapse_rate(fewest):.0f} % of its runs (95 % confidence)"
        notes.append(f"no run{of_some} collapsed in {seeds}, but a model may still collapse in up to {most}")
    return notes
