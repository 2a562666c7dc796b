"""`verdict`: intervals, a verdict and a report for the predictions of any models. Needs numpy, but not torch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom import __version__
from fittingroom.api.table import Table
from fittingroom.comparison.summary import summarise_runs
from fittingroom.core.decision import RULE
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import (
    BudgetRecord,
    CandidateRecord,
    ComparisonRecord,
    DataRecord,
    RunRow,
    Summary,
)
from fittingroom.tasks.classification.scoring import ACCURACY, ClassificationScoring, ClassPredictions

TOLERANCE = 0.01
"""Largest difference from 1 of the sum of an image's probabilities. 16-bit numbers stay within it."""
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
    """If not separated: this many more seeds per model would separate them with a probability of 80 %. None: not known."""


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
    class_names: Sequence[str] | None = None,
    groups: Any = None,
    title: str | None = None,
) -> VerdictResult:
    """Compare models by their predicted probabilities on one test set.

        v = verdict({"vit": [probs_seed0, probs_seed1], "cnn": [...]}, labels)
        v.sentence, v.contrasts, v.report("report.html")

    `probs` maps a model's name to its probabilities [images, classes], one array for each seed; a single array is one seed. One
    model may have more seeds than another.
    `labels` [images] are class numbers, or class names if `class_names` lists the names in the order of the columns. Arrays may
    be numpy arrays, lists, or tensors. `groups` [images] says which images belong together, such as those of one patient: a
    group then counts as one observation. `title` names the data in the verdict.

    Raises FittingRoomError, naming model and seed, if shapes do not match, if values are not probabilities (each image's must
    sum to 1 within 0.01), and if a label is not one of the classes.
    """
    if not isinstance(probs, Mapping):
        raise FittingRoomError(
            f"verdict does not accept type {type(probs).__name__}: give names and probabilities, such as {{'vit': [probs]}}"
        )
    found = {str(name): _seeds(str(name), given) for name, given in probs.items()}
    if not found:
        raise FittingRoomError("no predictions: give at least one model, such as {'vit': [probs]}")
    num_classes = _check_classes(found, class_names)
    numbers = _labels(labels, num_classes, class_names)
    for name, seeds in found.items():
        for seed, array in enumerate(seeds):
            _check_probs(array, len(numbers), f"{name}, seed {seed}")
    index, group = np.arange(len(numbers)), None if groups is None else _groups(groups, len(numbers))
    runs = {
        name: {
            seed: {"test": ClassPredictions(probs=array, labels=numbers, index=index, group=group)}
            for seed, array in enumerate(seeds)
        }
        for name, seeds in found.items()
    }
    record = _record(found, len(numbers), class_names or (), title)
    return VerdictResult(record=record, summary=summarise_runs(record, runs), runs=runs)


def to_array(given: Any, what: str) -> NDArray[Any]:
    """An array, list, data frame or tensor on any device as a numpy array. Imports neither torch nor pandas."""
    try:
        if hasattr(given, "detach"):  # a tensor; numpy lacks some 16-bit types
            given = given.detach().cpu()
            given = (given.double() if given.is_floating_point() else given).numpy()
        elif hasattr(given, "to_numpy"):
            given = given.to_numpy()
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        raise FittingRoomError(f"{what}: not an array of numbers ({error}): rows must have equal lengths") from error


def _seeds(name: str, given: Any) -> list[NDArray[Any]]:
    """One array [images, classes] for each seed. `given` is one array, several arrays, or a stack of them."""
    several = isinstance(given, list | tuple) and (not given or not _is_number(_first(given[0])))
    arrays = [to_array(each, f"{name}, seed {seed}") for seed, each in enumerate(given)] if several else []
    if not several:
        whole = to_array(given, name)
        arrays = list(whole) if whole.ndim == 3 else [whole]
    if not arrays:
        raise FittingRoomError(f"{name} has no predictions: give one array for each seed")
    for seed, array in enumerate(arrays):
        if array.ndim != 2 or array.dtype.kind not in "fiub":
            raise FittingRoomError(
                f"{name}, seed {seed}: expected numbers of shape [images, classes], got {array.dtype} {array.shape}"
            )
        if array.shape[1] < 2:
            raise FittingRoomError(
                f"{name}, seed {seed}: {array.shape[1]} column of probabilities: give one for each class, even for two classes"
            )
    return [array.astype(np.float64) for array in arrays]


def _first(given: Any) -> Any:
    """The first entry of a list or tuple; anything else unchanged."""
    return given[0] if isinstance(given, list | tuple) and given else given


def _is_number(given: Any) -> bool:
    """Whether `given` is a number. A row of numbers begins with one; a list of rows does not."""
    return isinstance(given, int | float | np.number)


def _check_classes(found: Mapping[str, Sequence[NDArray[Any]]], class_names: Sequence[str] | None) -> int:
    widths = {f"{name}, seed {seed}": each.shape[1] for name, seeds in found.items() for seed, each in enumerate(seeds)}
    first, num_classes = next(iter(widths.items()))
    for where, width in widths.items():
        if width != num_classes:
            raise FittingRoomError(
                f"{where}: {width} classes, but {first} has {num_classes}: all must predict the same classes"
            )
    if class_names is not None:
        if len(class_names) != num_classes:
            raise FittingRoomError(
                f"{len(class_names)} class_names for {num_classes} classes: give one for each column"
            )
        if len(set(class_names)) != len(class_names):
            twice = Counter(class_names).most_common(1)[0][0]
            raise FittingRoomError(f"class_names has '{twice}' twice: names must differ")
    return num_classes


def _labels(given: Any, num_classes: int, class_names: Sequence[str] | None) -> NDArray[np.int64]:
    labels = to_array(given, "labels")
    if labels.ndim != 1:
        raise FittingRoomError(f"labels have shape {labels.shape}: give one class number for each image")
    if labels.size == 0:
        raise FittingRoomError("labels are empty: give one class number for each image")
    if labels.dtype.kind in "UO":
        return _named_labels(labels.tolist(), class_names)
    numbers = labels.astype(np.int64) if labels.dtype.kind in "iubf" and np.isfinite(labels).all() else None
    if numbers is None or not np.array_equal(numbers, labels):
        raise FittingRoomError(f"labels are {labels.dtype}: give whole class numbers from 0 to {num_classes - 1}")
    outside = np.flatnonzero((numbers < 0) | (numbers >= num_classes))
    if outside.size:
        place = int(outside[0])
        raise FittingRoomError(
            f"labels: {numbers[place]} at position {place} is outside 0 to {num_classes - 1}, the columns of the probabilities"
        )
    return numbers


def _groups(given: Any, num_images: int) -> NDArray[np.int64]:
    """The group of each image as a number."""
    found = to_array(given, "groups")
    if found.shape != (num_images,):
        raise FittingRoomError(f"groups have shape {found.shape}: give one for each of the {num_images} images")
    return np.unique(found, return_inverse=True)[1]


def _named_labels(names: list[Any], class_names: Sequence[str] | None) -> NDArray[np.int64]:
    if class_names is None:
        raise FittingRoomError(
            f"labels are names such as '{names[0]}': give class_names in the order of the columns of the probabilities"
        )
    numbers = {name: number for number, name in enumerate(class_names)}
    unknown = next((name for name in names if name not in numbers), None)
    if unknown is not None:
        raise FittingRoomError(f"labels: '{unknown}' is not one of class_names ({', '.join(map(str, class_names))})")
    return np.array([numbers[name] for name in names], dtype=np.int64)


def _check_probs(array: NDArray[np.float64], num_images: int, where: str) -> None:
    if len(array) != num_images:
        raise FittingRoomError(f"{where}: {len(array)} rows of probabilities for {num_images} labels")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if bad.size:
        raise FittingRoomError(f"{where}: row {bad[0]} holds NaN or infinity ({bad.size} such rows)")
    bad = np.flatnonzero((array < 0).any(axis=1) | (array > 1 + TOLERANCE).any(axis=1))
    if bad.size:
        row = array[bad[0]]
        value = row.min() if row.min() < 0 else row.max()
        raise FittingRoomError(
            f"{where}: {value:.4g} in row {bad[0]} is not a probability: logits need a softmax ({bad.size} such rows)"
        )
    sums = array.sum(axis=1)
    bad = np.flatnonzero(np.abs(sums - 1) > TOLERANCE)
    if bad.size:
        raise FittingRoomError(
            f"{where}: the probabilities of row {bad[0]} sum to {sums[bad[0]]:.4g}, not to 1 within {TOLERANCE:g} "
            f"({bad.size} such rows)"
        )


def _record(
    found: Mapping[str, Sequence[Any]], num_images: int, class_names: Sequence[str], title: str | None
) -> ComparisonRecord:
    num_seeds = max(map(len, found.values()))
    return ComparisonRecord(
        task=ClassificationScoring.task,
        title=title or f"{num_images:,} test images",
        command="",
        created="",
        version=__version__,
        budget=BudgetRecord(kind="none", value=0, text=""),
        data=DataRecord(name=title or "", num_test=num_images, class_names=tuple(map(str, class_names))),
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
