"""`verdict`: intervals, a verdict and a report for the predictions of any models. Needs numpy, but not torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom import __version__
from fittingroom.api.prediction_arrays import (
    check_probs,
    check_same_rows,
    check_shapes,
    read_class_names,
    read_groups,
    read_labels,
    read_models,
)
from fittingroom.api.prediction_notes import prediction_notes
from fittingroom.api.table import Table
from fittingroom.comparison.summary import summarise_runs
from fittingroom.core.decision import RULE
from fittingroom.core.records import (
    BudgetRecord,
    CandidateRecord,
    ComparisonRecord,
    DataRecord,
    RunRow,
    Summary,
)
from fittingroom.core.text import shown
from fittingroom.tasks.classification.scoring import ACCURACY, ClassificationScoring, ClassPredictions

PROTOCOL = (
    "The predictions come from files or arrays. How the models were trained and chosen is not known.",
    "Accuracy is the share of test images whose most probable class is the label.",
    f"Intervals are 95 %, over seeds and test images together; with one seed, over test images only. {RULE}",
)


@dataclass(frozen=True, kw_only=True)
class VerdictContrast:
    """The difference between two models."""

    a: str
    b: str
    difference: float
    """Test accuracy of a minus that of b, as a fraction."""
    low: float
    high: float
    """The ends of the 95 % interval for this pair alone."""
    p: float
    """The p-value, adjusted for the number of contrasts: Shaffer's step-down for three models, Holm's for more."""
    separated: bool
    """Whether p is below 0.05: one model beats the other."""
    more_seeds: int | None
    """If not separated: this many more seeds per model would separate them with a probability of 80 %. None: not
    known, or no such number."""


@dataclass(frozen=True)
class VerdictResult:
    """The comparison of models by their predictions."""

    record: ComparisonRecord
    summary: Summary
    runs: dict[str, dict[int, dict[str, ClassPredictions]]]
    """Model -> seed -> split -> predictions."""

    @property
    def headline(self) -> str:
        """The verdict in a few words."""
        return self.summary.verdict.headline

    @property
    def sentence(self) -> str:
        """The verdict with its numbers."""
        return self.summary.verdict.sentence

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on what the intervals cover."""
        return self.summary.notes

    @cached_property
    def contrasts(self) -> tuple[VerdictContrast, ...]:
        """The differences between each pair of models."""
        found = [(each.a, each.b, ACCURACY.difference(each)) for each in self.summary.contrasts]
        return tuple(
            VerdictContrast(
                a=a,
                b=b,
                difference=each.difference,
                low=each.low,
                high=each.high,
                p=each.p_adjusted,
                separated=each.is_decided,
                more_seeds=None if each.outlook is None else each.outlook.more_seeds,
            )
            for a, b, each in found
        )

    @cached_property
    def table(self) -> Table:
        """One row per model."""
        return Table(self.summary)

    def report(self, path: str | Path = "verdict.html") -> Path:
        """Write an HTML page with results, pairwise differences and confusion matrices. Return its path."""
        from fittingroom.core.rundir import write_text
        from fittingroom.report.load import Comparison
        from fittingroom.report.page import render_page

        page = render_page(Comparison(folder=None, record=self.record, summary=self.summary, runs=self.runs))
        write_text(Path(path), page)
        return Path(path)

    def __str__(self) -> str:
        notes = "".join(f"note: {note}\n" for note in self.notes)
        return f"{self.summary.verdict}\n\n{self.table!r}{notes}"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{escape(note)}</li>" for note in self.notes)
        return (
            f"<p><b>{escape(self.headline)}</b> {escape(self.sentence)}</p>"
            f"{self.table._repr_html_()}{f'<ul>{notes}</ul>' if notes else ''}"
        )


def verdict(
    probs: Mapping[str, Any],
    labels: Any,
    *,
    class_names: Sequence[Any] | None = None,
    groups: Any = None,
    title: str | None = None,
) -> VerdictResult:
    """Compare models by their predicted probabilities on one test set.

        v = verdict({"vit": [probs_seed0, probs_seed1], "cnn": [...]}, labels)
        v.sentence, v.contrasts, v.report("report.html")

    `probs` maps a model's name to its probabilities [images, classes], one array for each seed; a single array is one seed. One
    model may have more seeds than another.
    `labels` [images] are class numbers, or class names if `class_names` lists the names in the order of the columns, as
    `classes_` of scikit-learn does. Arrays may be numpy arrays, lists, tensors, or data frames, whose columns name the classes.
    `groups` [images] says which images belong together, such as those of one patient: a group then counts as one observation.
    `title` names the data in the verdict.

    Raises FittingRoomError, naming model and seed, if shapes or orders do not match, if values are not probabilities (each
    image's must sum to 1 within 0.01), and if a label is not one of the classes.
    """
    found, names = read_models(probs), read_class_names(probs, class_names)
    numbers = read_labels(labels, check_shapes(found, names), names)
    for name, seeds in found.items():
        for seed, array in enumerate(seeds):
            check_probs(array, len(numbers), f"{name}, seed {seed}")
    check_same_rows(probs, labels)
    index, group = np.arange(len(numbers)), None if groups is None else read_groups(groups, len(numbers))
    runs = {
        name: {
            seed: {"test": ClassPredictions(probs=array, labels=numbers, index=index, group=group)}
            for seed, array in enumerate(seeds)
        }
        for name, seeds in found.items()
    }
    record = _record(found, len(numbers), names or (), title)
    if group is not None:
        num_groups = f"Images of one group count as one observation. There are {group.max() + 1:,} groups."
        record = replace(record, protocol=(*record.protocol, num_groups))
    summary = summarise_runs(record, runs)
    summary = replace(summary, notes=(*summary.notes, *prediction_notes(found)))
    return VerdictResult(record=record, summary=summary, runs=runs)


def _record(
    found: Mapping[str, Sequence[Any]], num_images: int, class_names: Sequence[Any], title: str | None
) -> ComparisonRecord:
    num_seeds = max(map(len, found.values()))
    title = "" if title is None else shown(str(title).strip())
    return ComparisonRecord(
        task=ClassificationScoring.task,
        title=title or f"{num_images:,} test {'image' if num_images == 1 else 'images'}",
        command="",
        created="",
        version=__version__,
        budget=BudgetRecord(kind="none", value=0, text=""),
        data=DataRecord(name=title, num_test=num_images, class_names=tuple(map(str, class_names))),
        seeds=tuple(range(num_seeds)),
        candidates=tuple(CandidateRecord(name=name, title=name, model=name, family="") for name in found),
        runs=tuple(
            RunRow(run=f"{name}-seed{seed}", folder="", candidate=name, seed=seed, status="finished")
            for name, seeds in found.items()
            for seed in range(len(seeds))
        ),
        protocol=PROTOCOL,
        environment={},
    )
