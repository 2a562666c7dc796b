"""From a comparison's folder to the numbers that are shown: scores, intervals, differences, verdict. Needs files, not torch.

`summarise` reads comparison.json and the predictions.npz of every finished run, so a report can be made again, or a
statistic changed, without training anything. It works for any task: the task's `Scoring` knows the predictions and metrics.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.verdict import verdict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import (
    CandidateRecord,
    CandidateSummary,
    ComparisonRecord,
    Contrast,
    Difference,
    RunRow,
    Score,
    Summary,
    read_comparison,
)
from fittingroom.evaluation.metric import Metric
from fittingroom.evaluation.statistics import (
    SeedSpread,
    holm,
    paired_difference,
    pooled_seed_spread,
    simultaneous_level,
)
from fittingroom.tasks.scoring import SCORINGS, SPLITS, Scoring

LEVEL = 0.95

Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Candidate -> seed -> part ('val', 'test') -> the task's predictions. Finished runs only."""
Values = Mapping[str, Mapping[int, NDArray[Any]]]
"""Candidate -> seed -> one number per item [items]."""


def summarise(folder: Path) -> Summary:
    """The summary of the comparison in `folder`.

    Raises FittingRoomError that names the file where comparison.json or a finished run's predictions.npz is missing or
    damaged, where a run has no test predictions, and where two runs were scored on different items.
    """
    record = read_comparison(folder)
    return summarise_runs(record, read_runs(folder, record))


def read_runs(folder: Path, record: ComparisonRecord) -> dict[str, dict[int, dict[str, Any]]]:
    """The checked predictions of every finished run. Raises FittingRoomError that names the file and the fix."""
    scoring = SCORINGS.get(record.task)
    return {
        candidate.name: {
            row.seed: scoring.load(folder / row.folder, record.data) for row in record.finished(candidate.name)
        }
        for candidate in record.candidates
    }


def summarise_runs(record: ComparisonRecord, runs: Runs) -> Summary:
    """The summary of a comparison with these predictions. Raises FittingRoomError where they cannot be compared."""
    scoring = SCORINGS.get(record.task)
    check_comparable(record, runs, scoring)
    return _Pass(record=record, runs=runs, scoring=scoring).summary()


def check_comparable(record: ComparisonRecord, runs: Runs, scoring: Scoring[Any]) -> None:
    """FittingRoomError unless every run has test predictions, and all runs were scored on the same items."""
    names = {(row.candidate, row.seed): row.run for row in record.runs}
    found = [(names[name, seed], parts) for name, seeds in runs.items() for seed, parts in seeds.items()]
    for name, parts in found:
        if "test" not in parts:
            raise FittingRoomError(
                f"predictions.npz of {name} holds no test {scoring.items}: the run left the test part sealed, and a comparison "
                "needs it; run it again with the test part open"
            )
    for name, parts in found[1:]:
        first, reference = found[0]
        for split in reference:
            if split not in parts or not scoring.same_items(parts[split], reference[split], split):
                raise FittingRoomError(
                    f"predictions.npz of {name} and of {first} hold different {split} {scoring.items}: they cannot be compared; "
                    "run both again on the same data"
                )


@dataclass(frozen=True, kw_only=True)
class _Pass:
    """One pass over a comparison."""

    record: ComparisonRecord
    runs: Runs
    scoring: Scoring[Any]

    def summary(self) -> Summary:
        metrics, finished = self.scoring.metrics, {name: found for name, found in self.runs.items() if found}
        parts = next(iter(next(iter(finished.values())).values())) if finished else SPLITS
        values = {
            (metric.name, split): _values(finished, metric, split)
            for metric in metrics
            for split in SPLITS
            if split in parts
        }
        spreads = {key: pooled_seed_spread([stacked(runs) for runs in found.values()]) for key, found in values.items()}
        candidates = tuple(self._candidate(candidate, values, spreads) for candidate in self.record.candidates)
        contrasts = self._contrasts(values, spreads)
        spread = spreads[metrics[0].name, "test"]
        notes = failure_notes(self.record, candidates)
        notes += seed_notes(len(finished), len(contrasts), spread, self.scoring)
        return Summary(
            task=self.record.task,
            candidates=candidates,
            contrasts=contrasts,
            best_by_val=best_by_val(candidates, metrics[0]),
            verdict=verdict(self.record, candidates, contrasts, metrics),
            notes=tuple(notes),
        )

    def _candidate(
        self,
        candidate: CandidateRecord,
        values: Mapping[tuple[str, str], Values],
        spreads: Mapping[tuple[str, str], SeedSpread],
    ) -> CandidateSummary:
        name, rows = candidate.name, self.record.finished(candidate.name)
        tests = [parts["test"] for parts in self.runs.get(name, {}).values()]
        num_test = self.scoring.num_items(tests[0]) if tests else 0
        evals: dict[str, dict[str, Score]] = {}
        for metric in self.scoring.metrics:
            for split in SPLITS:
                if (metric.name, split) in values:
                    found = values[metric.name, split].get(name)
                    evals.setdefault(split, {})[metric.name] = _score(metric, found, spreads[metric.name, split])
        memory = over(rows, lambda row: row.peak_memory_bytes, np.max)
        return CandidateSummary(
            name=name,
            title=candidate.title,
            family=candidate.family,
            num_train=candidate.num_train,
            num_params=candidate.num_params,
            num_macs=candidate.num_macs,
            num_runs=len(rows),
            num_failed=len(self.record.failed(name)),
            epochs=over(rows, lambda row: row.epochs),
            train_seconds=over(rows, lambda row: row.train_seconds),
            items_per_second=over(rows, lambda row: row.items_per_second),
            peak_memory_bytes=None if memory is None else int(memory),
            evals=evals,
            extras=self.scoring.summarise_extras(rows, num_test),
            details=self.scoring.details(tests, self.record.data),
        )

    def _contrasts(
        self, values: Mapping[tuple[str, str], Values], spreads: Mapping[tuple[str, str], SeedSpread]
    ) -> tuple[Contrast, ...]:
        """Every two candidates with a common seed. The intervals of each metric hold together."""
        names = [metric.name for metric in self.scoring.metrics]
        found = {name: differences(values[name, "test"], spreads[name, "test"]) for name in names}
        return tuple(
            Contrast(a=a, b=b, metrics={name: found[name][a, b] for name in names}) for a, b in found[names[0]]
        )


def stacked(runs: Mapping[int, NDArray[Any]], seeds: Sequence[int] | None = None) -> NDArray[Any]:
    """One candidate's values [seeds, items], seeds ascending: all of them, or those asked for."""
    return np.stack([runs[seed] for seed in sorted(runs if seeds is None else seeds)])


def differences(by_candidate: Values, spread: SeedSpread) -> dict[tuple[str, str], Difference]:
    """Every two candidates over the seeds that both finished, with intervals that hold together.

    Two candidates without a common seed are left out.
    """
    common = {(a, b): sorted(by_candidate[a].keys() & by_candidate[b].keys()) for a, b in combinations(by_candidate, 2)}
    common = {pair: seeds for pair, seeds in common.items() if seeds}
    level = simultaneous_level(LEVEL, len(common))
    found = [
        paired_difference(stacked(by_candidate[a], seeds), stacked(by_candidate[b], seeds), level, spread)
        for (a, b), seeds in common.items()
    ]
    adjusted = holm([each.p for each in found])
    return {
        names: Difference(difference=each.difference, low=each.low, high=each.high, p=each.p, p_holm=p_holm)
        for names, each, p_holm in zip(common, found, adjusted, strict=True)
    }


def over(
    rows: Sequence[RunRow],
    value: Callable[[RunRow], float | None],
    reduce: Callable[[list[float]], Any] = np.mean,
) -> float | None:
    """Mean (or another reduction) of a value over the rows that have it."""
    values = [found for row in rows if (found := value(row)) is not None]
    return float(reduce(values)) if values else None


def failure_notes(record: ComparisonRecord, candidates: Sequence[CandidateSummary]) -> list[str]:
    """The runs that failed and why, and the candidates that finished no run."""
    notes = [f"{row.run} failed: {row.error or 'no reason was recorded'}" for row in record.failed()]
    return notes + [f"{each.title} finished no run and is left out" for each in candidates if not each.num_runs]


def seed_notes(num_finished: int, num_contrasts: int, spread: SeedSpread, scoring: Scoring[Any]) -> list[str]:
    """What the intervals cover (seeds and items, or less), and how many of them hold together."""
    items, (first, *later) = scoring.items, scoring.metrics
    notes = []
    if num_finished and spread.df == 0:
        notes.append(f"one seed: the intervals cover {items} only, not other seeds")
    if spread.df > 0 and spread.variance == 0:
        notes.append(f"every seed gave the same test {first.title}: the intervals cover {items} only")
    if num_contrasts > 1:
        notes.append(f"the {num_contrasts} intervals of differences hold together with 95 % probability (Bonferroni)")
    if num_contrasts < math.comb(num_finished, 2):
        notes.append("models without a common finished seed are not compared")
    if later and num_contrasts:
        others = " and ".join(metric.title for metric in later)
        notes.append(
            f"the {first.title} decides; the verdict compares the {others} only for models that the {first.title} separates, so "
            "that both claims together hold with 95 % probability"
        )
    return notes


def best_by_val(candidates: Sequence[CandidateSummary], metric: Metric) -> str | None:
    """Name of the candidate with the best validation score; None where none has one."""
    scored = [
        (metric.sign * score, each.name) for each in candidates if (score := metric.score(each, "val").mean) is not None
    ]
    return max(scored, key=lambda each: each[0])[1] if scored else None


def _values(finished: Runs, metric: Metric, split: str) -> dict[str, dict[int, NDArray[Any]]]:
    return {
        name: {seed: metric.values(seeds[seed][split]) for seed in sorted(seeds)} for name, seeds in finished.items()
    }


def _score(metric: Metric, runs: Mapping[int, NDArray[Any]] | None, spread: SeedSpread) -> Score:
    if not runs:
        return Score()
    found = metric.interval(stacked(runs), LEVEL, spread)
    return Score(mean=found.mean, sd=found.sd, low=found.low, high=found.high)
