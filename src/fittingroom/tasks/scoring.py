"""How a task is scored: its metrics, its predictions on disk, and the words that reports use. Needs numpy, not torch.

Adding a task takes one subclass of `Scoring` with `@register_scoring`. Summary, verdict, tables and report read from it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.lib.npyio import NpzFile

from fittingroom.core.archives import open_arrays
from fittingroom.core.decision import RULE
from fittingroom.core.records import BudgetRecord, DataRecord, RunRow
from fittingroom.core.registry import Registry
from fittingroom.core.rundir import write_atomic
from fittingroom.core.text import sentence_case
from fittingroom.evaluation.metric import Metric

P = TypeVar("P")
S = TypeVar("S", bound="Scoring[Any]")

SPLITS = ("val", "test")


class Column(NamedTuple):
    """A column of the result table that only this task has."""

    key: str
    """In `CandidateSummary.extras`."""
    heading: str
    short: str
    """The heading in two short lines, for terminals."""
    axis: str
    """The label of an axis, such as 'words written per second'; more is better. Empty: no cost, so no axis."""
    is_share: bool = False
    """Shown in percent."""


@dataclass(frozen=True, kw_only=True)
class ProtocolFacts:
    """What the protocol of a comparison depends on."""

    budget: BudgetRecord
    num_seeds: int
    jobs: int = 1
    """Runs at a time."""
    own_core: bool = False
    """Each of them has a processor core to itself."""
    num_train: int | None = None
    """None: the candidates differ in it."""
    num_val: int
    num_test: int
    name: str = ""
    """The data set's name, as notes about it begin."""
    split: str = ""
    """How the parts were made, as a sentence. Empty: the task's usual way."""
    sizes: dict[str, str] = field(default_factory=dict)
    """Title of a candidate -> its size, where the budget chose it."""
    task: dict[str, Any] = field(default_factory=dict)
    """What only this task needs, such as `three_files`."""


class Scoring(ABC, Generic[P]):
    """One task. `P` is the predictions of one run on one part: a frozen dataclass of numpy arrays."""

    task: ClassVar[str]
    items: ClassVar[str]
    """What a part consists of, such as 'images'."""
    item: ClassVar[str]
    """One of them."""
    batch_items: ClassVar[str]
    """What a training step counts, such as 'images'."""
    metrics: ClassVar[tuple[Metric, ...]]
    """The first decides. Later ones are asked only about candidates that the first separates."""
    extras: ClassVar[tuple[Column, ...]] = ()
    counting: ClassVar[str] = ""
    """How the scores are counted, as sentences beside the result table."""
    seed_decides: ClassVar[str] = "the split, initial weights, order, augmentation and dropout"
    final_step: ClassVar[str] = "the final evaluation"
    """What training seconds leave out."""

    @abstractmethod
    def to_arrays(self, predictions: P) -> dict[str, Any]:
        """The arrays of one part in predictions.npz."""

    @abstractmethod
    def from_arrays(self, arrays: Mapping[str, Any], split: str, data: DataRecord) -> P:
        """The predictions of one part, checked. Raises KeyError, TypeError or ValueError where the arrays are wrong."""

    @abstractmethod
    def same_items(self, one: P, other: P, split: str) -> bool:
        """Whether two runs were scored on the same items, so that they can be compared item by item.

        On validation an equal number is enough where each seed draws its own validation part.
        """

    def save(self, folder: Path, parts: Mapping[str, P]) -> None:
        """Write predictions.npz into a run folder. A run whose test part stayed sealed has no part 'test'."""
        arrays = {
            f"{split}_{name}": values for split, part in parts.items() for name, values in self.to_arrays(part).items()
        }
        write_atomic(folder / "predictions.npz", lambda file: np.savez_compressed(file, **arrays))

    def load(self, folder: Path, data: DataRecord) -> dict[str, P]:
        """The parts in a run's predictions.npz, checked. Raises FittingRoomError that names the file and the fix."""
        with open_predictions(folder) as archive:
            present = [split for split in SPLITS if any(name.startswith(f"{split}_") for name in archive.files)]
            if not present:
                raise ValueError("it holds no predictions")
            return {split: self.from_arrays(_Part(archive, split), split, data) for split in present}

    def scores(self, predictions: P) -> dict[str, float]:
        """Metric name -> score."""
        return {metric.name: float(np.mean(metric.values(predictions))) for metric in self.metrics}

    def num_items(self, predictions: P) -> int:
        """How many items the part has."""
        return len(self.metrics[0].values(predictions))

    def test_text(self, predictions: P) -> str:
        """'10,000 test images' or the like, as a limit of what a comparison can show."""
        return f"{self.num_items(predictions):,} test {self.items}"

    def constant_score(self, predictions: P) -> float | None:
        """The best score, by the first metric, of one answer for all items. None if the task has no such answer."""
        return None

    def details(self, tests: Sequence[P], data: DataRecord) -> dict[str, Any]:
        """What the report shows of one candidate's test predictions beyond its scores, as plain values; one of `tests` a seed."""
        return {}

    def is_unbalanced(self, predictions: P) -> bool:
        """Whether one answer for all items scores so well that a report should say how well."""
        return False

    def summarise_extras(self, rows: Sequence[RunRow], tests: Sequence[P]) -> dict[str, float | None]:
        """The values of `extras` for one candidate, from its finished runs and its test predictions, one a seed."""
        return {column.key: mean_extra(rows, column.key) for column in self.extras}

    def merge(self, runs: Mapping[int, dict[str, P]], data: DataRecord) -> dict[int, dict[str, P]]:
        """The predictions of each seed. In a cross-validation, several runs make one seed."""
        return dict(runs)

    def protocol(self, facts: ProtocolFacts) -> list[str]:
        """How the comparison was made, in sentences for the report."""
        return [
            _length(facts),
            *_sizes(facts),
            f"{_paired(facts)} A seed decides {self._decided(facts)}, in the same way for all models.{self._same_parts()}",
            f"{_size(facts.num_train)} training, {facts.num_val:,} validation and {facts.num_test:,} test {self.items}. "
            f"{facts.split or self.usual_split(facts)}".strip(),
            *(note_sentence(note, facts.name) for note in facts.task.get("notes", ())),
            f"Recipes were chosen on validation {self.items} only.",
            f"Each run reads {self._tested(facts)} once, after its last epoch. {self._no_tricks()}",
            *self.scoring_rules(),
            _turns(facts),
            f"Intervals are 95 %, over seeds and test {self.items} together. {RULE}",
            *self._order_of_metrics(),
            "Training seconds count from the start of a run to its last step. They include validation, but not "
            f"{self.final_step}.",
        ]

    def usual_split(self, facts: ProtocolFacts) -> str:
        """How the parts are made unless the data says otherwise, as a sentence."""
        return ""

    def scoring_rules(self) -> list[str]:
        """Sentences of the protocol on how answers are made and counted."""
        return []

    def _decided(self, facts: ProtocolFacts) -> str:
        return self.seed_decides.removeprefix("the split, ") if facts.task.get("same_split") else self.seed_decides

    def _tested(self, facts: ProtocolFacts) -> str:
        if "folds" in facts.task:
            return f"the test {self.items} of its fold"
        return f"the {facts.num_test:,} test {self.items}"

    def _same_parts(self) -> str:
        return ""

    def _no_tricks(self) -> str:
        return "No earlier epoch is picked, and no run stops early."

    def _order_of_metrics(self) -> list[str]:
        if len(self.metrics) == 1:
            return []
        first, later = self.metrics[0].title, " and ".join(metric.title for metric in self.metrics[1:])
        return [f"The {first} decides. The verdict compares the {later} only for models that the {first} separates."]


SCORINGS: Registry[Scoring[Any]] = Registry("task")


def register_scoring(cls: type[S]) -> type[S]:
    """Class decorator: file the scoring under the name of its task."""
    SCORINGS.register(cls.task)(cls())
    return cls


def open_predictions(folder: Path) -> AbstractContextManager[NpzFile]:
    """The arrays of a run's predictions.npz, as `open_arrays` gives them."""
    mend = f"delete {folder} and run the comparison again"
    return open_arrays(folder / "predictions.npz", missing=mend, damaged=mend)


def mean_extra(rows: Sequence[RunRow], key: str) -> float | None:
    """Mean of `extras[key]` over the runs that have it."""
    values = [row.extras[key] for row in rows if key in row.extras]
    return float(np.mean(values)) if values else None


class _Part(Mapping[str, Any]):
    """The arrays of one part of an archive, by their names without the part's."""

    def __init__(self, archive: NpzFile, split: str) -> None:
        self._archive, self._split = archive, split

    def __getitem__(self, name: str) -> Any:
        return self._archive[f"{self._split}_{name}"]

    def __iter__(self) -> Any:
        start = f"{self._split}_"
        return (name.removeprefix(start) for name in self._archive.files if name.startswith(start))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def note_sentence(note: str, name: str) -> str:
    """A note as a sentence. A note that begins with the data set's `name` or with a file keeps its first letter."""
    first = note.split(" ", 1)[0]
    is_name = note.startswith(f"{name}: ") or "/" in first or "." in first
    return f"{note if is_name else sentence_case(note)}."


def _length(facts: ProtocolFacts) -> str:
    start = f"Every model is trained from scratch with {facts.budget.text}."
    if facts.budget.kind == "epochs":
        return f"{start} The learning-rate schedule is adjusted to that length."
    return (
        f"{start} The first run of each model measures how many steps fit and keeps some time in reserve. All seeds of the model "
        "do that number of steps, and the learning-rate schedule is adjusted to it. The table shows the seconds that were used."
    )


def _sizes(facts: ProtocolFacts) -> list[str]:
    if not facts.sizes:
        return []
    sizes = ", ".join(f"{title} {size}" for title, size in facts.sizes.items())
    return [
        f"The budget decides the size of each network ({sizes}). It is the size that probably learns most in this time, "
        "according to runs on Fashion-MNIST. So the comparison is between the best that each family can do in this time."
    ]


def _paired(facts: ProtocolFacts) -> str:
    return "1 seed." if facts.num_seeds == 1 else f"{facts.num_seeds} seeds, the same for all models."


def _size(number: int | None) -> str:
    return "A different number of" if number is None else f"{number:,}"


def _turns(facts: ProtocolFacts) -> str:
    order = "in a fair order: the models take turns to go first."
    if facts.jobs == 1:
        return f"Runs train one after another, {order}"
    core = ", each on its own processor core," if facts.own_core else ""
    return f"Runs train {facts.jobs} at a time{core or ','} {order}"


# The tasks that come with the package. At the end: they need what stands above.
from fittingroom.tasks.classification import scoring as _classification  # noqa: E402, F401
from fittingroom.tasks.seq2seq import scoring as _seq2seq  # noqa: E402, F401
