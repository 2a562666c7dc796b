"""From a comparison's folder to the numbers that are shown: scores, intervals, differences, verdict. Needs files, not torch.

`summarise` reads comparison.json and the predictions.npz of every finished run, so a report can be made again, or a
statistic changed, without training anything. It works for any task: the task's `Scoring` knows the predictions and metrics.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.conditions import planned_runs
from fittingroom.comparison.leaks import leak_count, num_tests, read_leaks, without
from fittingroom.comparison.mixture import mixture
from fittingroom.comparison.notes import (
    failure_notes,
    one_answer_note,
    seed_notes,
    unequal_seeds_note,
    useless_note,
    useless_runs,
    variation_notes,
)
from fittingroom.comparison.verdict import verdict
from fittingroom.core.decision import ALPHA
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
    read_state,
)
from fittingroom.core.text import legible
from fittingroom.evaluation.metric import Metric
from fittingroom.evaluation.seeds import outlooks
from fittingroom.evaluation.statistics import (
    SeedSpread,
    adjusted,
    paired_difference,
    pooled_seed_spread,
)
from fittingroom.tasks.scoring import SCORINGS, SPLITS, Scoring

LEVEL = 1 - ALPHA

Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Candidate -> seed -> part ('val', 'test') -> the task's predictions. Finished runs only."""
Values = Mapping[str, Mapping[int, NDArray[Any]]]
"""Candidate -> seed -> one number per item [items]."""


def summarise(folder: Path) -> Summary:
    """The summary of the comparison in `folder`.

    Raises FittingRoomError that names the file where comparison.json or a finished run's predictions.npz is missing or
    damaged, where a run has no test predictions, and where two runs were scored on different items.
    """
    record = read_record(folder)
    return summarise_folder(folder, record, read_runs(folder, record))


def summarise_folder(folder: Path, record: ComparisonRecord, runs: Runs) -> Summary:
    """The summary of the comparison in `folder`, of which record and predictions were read before."""
    summary = summarise_runs(record, runs, mixture(folder, record))
    return replace(summary, notes=(*summary.notes, *leak_notes(record, runs, read_leaks(folder, record) or [])))


def leak_notes(record: ComparisonRecord, runs: Runs, leaking: Sequence[int]) -> tuple[str, ...]:
    """How many test pictures leak, and the verdict without them; nothing if none does. `leaking` holds their positions."""
    if not leaking:
        return ()
    kept = without(runs, leaking)
    if not num_tests(kept):
        return (f"leaks: {leak_count(record, runs, leaking)}, so the scores say little about new pictures",)
    return (f"leaks: {leak_count(record, runs, leaking)}. Without them: {summarise_runs(record, kept).verdict}",)


def read_record(folder: Path) -> ComparisonRecord:
    """The folder's comparison.json with names that sentences, pages and drawings can show. Raises FittingRoomError."""
    record = read_comparison(folder)
    return replace(
        record,
        title=legible(record.title, "the data"),
        candidates=tuple(replace(each, title=legible(each.title, each.name)) for each in record.candidates),
        data=replace(
            record.data,
            class_names=tuple(legible(name, f"class {n}") for n, name in enumerate(record.data.class_names)),
        ),
        runs=tuple(replace(each, error=each.error and legible(each.error, "")) for each in record.runs),
    )


def read_runs(folder: Path, record: ComparisonRecord) -> dict[str, dict[int, dict[str, Any]]]:
    """The checked predictions of every finished run. Raises FittingRoomError that names the file and the fix."""
    scoring = SCORINGS.get(record.task)
    for row in record.finished():
        check_same_run(folder, row)
    found = {
        candidate.name: {
            row.seed: scoring.load(folder / row.folder, record.data) for row in record.finished(candidate.name)
        }
        for candidate in record.candidates
    }
    return {name: scoring.merge(runs, record.data) for name, runs in found.items()}


def check_same_run(folder: Path, row: RunRow) -> None:
    """Raise FittingRoomError if the folder of a run now holds another run: a copy of one run must not pass for two."""
    place = folder / row.folder
    state = read_state(place)  # absent from a folder that keeps the predictions only
    same_config = not (state.config_hash and row.config_hash) or state.config_hash == row.config_hash
    if state.status != "absent" and not (state.seed == row.seed and same_config):
        raise FittingRoomError(
            f"{place} holds another run ({state.run or 'without a name'}, seed {state.seed}) than {row.run} of this comparison: "
            f"put it back, or delete {place} and run the comparison again"
        )


def summarise_runs(record: ComparisonRecord, runs: Runs, mixed: str = "") -> Summary:
    """The summary of a comparison with these predictions. Raises FittingRoomError where they cannot be compared.

    `mixed` is the sentence of `mixture` on runs that were made in different ways.
    """
    scoring = SCORINGS.get(record.task)
    check_comparable(record, runs, scoring)
    return _Pass(record=record, runs=runs, scoring=scoring, mixed=mixed).summary()


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
    mixed: str

    def summary(self) -> Summary:
        metrics, finished = self.scoring.metrics, {name: found for name, found in self.runs.items() if found}
        parts = next(iter(next(iter(finished.values())).values())) if finished else SPLITS
        values = {
            (metric.name, split): _values(finished, metric, split)
            for metric in metrics
            for split in SPLITS
            if split in parts
        }
        spreads = {
            key: pooled_seed_spread([stacked(runs) for runs in found.values()])
            for key, found in values.items()
            if not ragged(found)
        }
        candidates = tuple(self._candidate(candidate, values, spreads) for candidate in self.record.candidates)
        contrasts = self._contrasts(values, spreads)
        notes = failure_notes(self.record, candidates)
        if finished:
            notes += seed_notes(len(contrasts), spreads[metrics[0].name, "test"], self.scoring)
        firsts = values[metrics[0].name, "test"]
        tests = next((parts["test"] for seeds in finished.values() for parts in seeds.values()), None)
        constant = None if tests is None else self.scoring.constant_score(tests)
        useless = {} if constant is None else useless_runs(firsts, metrics[0], constant)
        notes += unequal_seeds_note(candidates) if contrasts else []
        notes += variation_notes(candidates, firsts, useless)
        if useless and constant is not None:
            imported = self.record.budget.kind == "none"
            notes.append(useless_note(candidates, useless, metrics[0], constant, self.scoring.items, imported))
        elif constant is not None and self.scoring.is_unbalanced(tests):
            notes.append(one_answer_note(metrics[0], constant, self.scoring.items))
        none_learned = (
            "" if any(set(firsts[name]) - set(useless.get(name, ())) for name in firsts) else self.scoring.items
        )
        num_items = "test items" if tests is None else self.scoring.test_text(tests)
        return Summary(
            task=self.record.task,
            candidates=candidates,
            contrasts=contrasts,
            best_by_val=best_by_val(candidates, metrics[0]),
            verdict=verdict(
                self.record,
                candidates,
                contrasts,
                metrics,
                num_items=num_items,
                mixed=self.mixed,
                none_learned=none_learned,
            ),
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
        evals: dict[str, dict[str, Score]] = {}
        for metric in self.scoring.metrics:
            for split in SPLITS:
                if (metric.name, split) in values:
                    found = values[metric.name, split].get(name)
                    evals.setdefault(split, {})[metric.name] = _score(metric, found, spreads.get((metric.name, split)))
        memory = over(rows, lambda row: row.peak_memory_bytes, np.max)
        return CandidateSummary(
            name=name,
            title=candidate.title,
            family=candidate.family,
            num_train=candidate.num_train,
            num_params=candidate.num_params,
            num_macs=candidate.num_macs,
            num_runs=len(self.runs.get(name, {})) if "folds" in self.record.data.facts else len(rows),
            num_failed=len(self.record.failed(name)),
            num_planned=planned_runs(self.record, name),
            epochs=over(rows, lambda row: row.epochs),
            train_seconds=over(rows, lambda row: row.train_seconds),
            items_per_second=over(rows, lambda row: row.items_per_second),
            peak_memory_bytes=None if memory is None else int(memory),
            evals=evals,
            extras=self.scoring.summarise_extras(rows, tests),
            details=self.scoring.details(tests, self.record.data),
        )

    def _contrasts(
        self, values: Mapping[tuple[str, str], Values], spreads: Mapping[tuple[str, str], SeedSpread]
    ) -> tuple[Contrast, ...]:
        """Every two candidates that finished a run."""
        metrics = self.scoring.metrics
        names = [metric.name for metric in metrics]
        found = {
            each.name: differences(values[each.name, "test"], spreads[each.name, "test"], each.largest)
            for each in metrics
        }
        return tuple(
            Contrast(a=a, b=b, metrics={name: found[name][a, b] for name in names}) for a, b in found[names[0]]
        )


def stacked(runs: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
    """One candidate's values [seeds, items], seeds ascending."""
    return np.stack([runs[seed] for seed in sorted(runs)])


def differences(by_candidate: Values, spread: SeedSpread, largest: float = np.inf) -> dict[tuple[str, str], Difference]:
    """Every two candidates, each over all seeds that it finished, with p adjusted for the number of pairs.

    No difference is larger than `largest`, so no interval is shown beyond it.
    """
    values = {name: stacked(runs) for name, runs in by_candidate.items()}
    pairs = list(combinations(values, 2))
    found = [paired_difference(values[a], values[b], LEVEL, spread) for a, b in pairs]
    ps, coming = adjusted([each.p for each in found], len(values)), outlooks(found, len(values))
    return {
        names: Difference(
            difference=each.difference,
            low=max(each.low, -largest),
            high=min(each.high, largest),
            p=each.p,
            p_adjusted=p,
            outlook=outlook,
        )
        for names, each, p, outlook in zip(pairs, found, ps, coming, strict=True)
    }


def over(
    rows: Sequence[RunRow],
    value: Callable[[RunRow], float | None],
    reduce: Callable[[list[float]], Any] = np.mean,
) -> float | None:
    """Mean (or another reduction) of a value over the rows that have it."""
    values = [found for row in rows if (found := value(row)) is not None]
    return float(reduce(values)) if values else None


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


def ragged(by_candidate: Values) -> bool:
    """Whether seeds have different numbers of items, as where each draws whole groups for validation."""
    return len({len(values) for runs in by_candidate.values() for values in runs.values()}) > 1


def _score(metric: Metric, runs: Mapping[int, NDArray[Any]] | None, spread: SeedSpread | None) -> Score:
    """The score over seeds. Without a `spread`, for ragged values, it has no interval."""
    if not runs:
        return Score()
    if spread is None:
        means = [float(values.mean()) for values in runs.values()]
        return Score(mean=float(np.mean(means)), sd=float(np.std(means, ddof=1)) if len(means) > 1 else None)
    found = metric.interval(stacked(runs), LEVEL, spread)
    return Score(mean=found.mean, sd=found.sd, low=found.low, high=found.high)
