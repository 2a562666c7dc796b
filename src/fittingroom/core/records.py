"""The typed records behind state.json, comparison.json and summary.json. Plain values only: no torch, no numpy.

Every record has a `schema`. When a file from an older version is read, `core/upgrade.py` converts it.
Scores are stored as `evals[name][metric]`, for example `evals["test"]["accuracy"]`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.decision import is_decided
from fittingroom.core.errors import FittingRoomError, found_in
from fittingroom.core.rundir import read_json, write_json
from fittingroom.core.upgrade import SCHEMA, check_schema, upgrade_comparison, upgrade_state, upgrade_summary

T = TypeVar("T")

Evals = dict[str, dict[str, float]]
"""Evaluation name -> metric -> score: `{"val": {"accuracy": 0.93}, "test": {"accuracy": 0.92}}`."""
ReadLog = Callable[[str], None]
"""Called with the reason before a sealed test split is opened. It must record the reason."""
Status = Literal["absent", "running", "finished", "failed"]


@dataclass(frozen=True, kw_only=True)
class TestRead:
    """One read of a sealed test split."""

    when: str
    """UTC, ISO 8601."""
    why: str


@dataclass(frozen=True, kw_only=True)
class SplitRecord:
    """How a run divided its data."""

    seed: int
    num_train: int
    num_val: int
    num_test: int
    rule: str
    """The split rule in a few words."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """state.json of a run folder: the run's progress and scores."""

    schema: int = SCHEMA
    run: str = ""
    """Short name, such as `vit-seed0`."""
    task: str = ""
    """Name of the task, such as `classification`."""
    model: str = ""
    seed: int = 0
    config_hash: str = ""
    status: Status = "absent"
    error: str | None = None
    total_steps: int | None = None
    """Planned steps of the whole run, fixed at its start, so that a resumed run ends at the same step."""
    step: int = 0
    """Steps completed when the state was written."""
    steps: int | None = None
    """Total steps of a finished run."""
    best_step: int | None = None
    """The step whose weights early stopping kept, because its validation loss was the lowest. None: the last step."""
    epochs: float | None = None
    train_seconds: float | None = None
    items_per_second: float | None = None
    """Training images (or pairs) per second, not counting validation."""
    peak_memory_bytes: int | None = None
    num_params: int | None = None
    num_macs: int | None = None
    """Multiply-adds of the forward pass for one item."""
    evals: Evals = field(default_factory=dict)
    extras: dict[str, float] = field(default_factory=dict)
    """Numbers specific to the task, such as `decode_seconds`."""
    test_reads: tuple[TestRead, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run in comparison.json: its key (candidate, num_train, seed), its folder and its outcome."""

    run: str
    """Unique short name, such as `vit-seed0`."""
    folder: str
    """Relative to the comparison's folder."""
    candidate: str
    num_train: int | None = None
    """Number of training items. None means all."""
    seed: int
    status: Status
    error: str | None = None
    config_hash: str = ""
    steps: int | None = None
    epochs: float | None = None
    train_seconds: float | None = None
    items_per_second: float | None = None
    peak_memory_bytes: int | None = None
    num_params: int | None = None
    num_macs: int | None = None
    evals: Evals = field(default_factory=dict)
    extras: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CandidateRecord:
    """One candidate of a comparison: a model, its settings and its cost."""

    name: str
    """Unique within the comparison, such as `vit` or `vit@patch_size=7`."""
    title: str
    """The name shown in tables and sentences."""
    model: str
    """Name of the model variant."""
    family: str
    source: str = ""
    """A short reference to the paper."""
    settings: dict[str, Any] = field(default_factory=dict)
    """The user's changes to the recipe."""
    size: str = ""
    """The size of its family, such as `small`, if a time budget chose it."""
    num_train: int | None = None
    num_params: int | None = None
    num_macs: int | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetRecord:
    """The length of each run. Kind `none` means unknown, as for imported predictions; `text` is then empty."""

    kind: Literal["epochs", "seconds", "none"]
    value: float
    text: str

    def __post_init__(self) -> None:
        if self.kind != "none" and not self.value > 0:
            raise FittingRoomError(f"budget.value {self.value:g} is not a length: expected a number above 0")


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """The description of a comparison's data."""

    name: str
    digest: str = ""
    num_train: int | None = None
    num_val: int | None = None
    num_test: int | None = None
    class_names: tuple[str, ...] = ()
    """Class names of a classification task; empty for other tasks."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Task-specific facts, such as the number of source symbols."""


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord:
    """comparison.json: what was compared, how, and how each run ended."""

    schema: int = SCHEMA
    task: str
    title: str
    """The name of the data, as used in sentences."""
    command: str
    """The command that repeats this comparison."""
    created: str
    version: str
    """Version of fittingroom."""
    budget: BudgetRecord
    data: DataRecord
    seeds: tuple[int, ...]
    candidates: tuple[CandidateRecord, ...]
    jobs: int = 1
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Maps each candidate to the speed plan of its runs."""
    runs: tuple[RunRow, ...] = ()
    protocol: tuple[str, ...]
    environment: dict[str, str]

    def finished(self, candidate: str | None = None) -> list[RunRow]:
        """The rows of finished runs, for all candidates or for one."""
        return [row for row in self.runs if row.status == "finished" and candidate in (None, row.candidate)]

    def failed(self, candidate: str | None = None) -> list[RunRow]:
        """The rows of failed runs, for all candidates or for one."""
        return [row for row in self.runs if row.status == "failed" and candidate in (None, row.candidate)]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric over seeds: mean, standard deviation and 95 % interval. All are None if no run has finished."""

    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What it takes to separate two models that nothing separates yet."""

    more_seeds: int | None = None
    """So many more seeds per model separate them with a probability of 80 %. None: no advisable number does."""
    images_limit: bool = False
    """No number of seeds is enough: only more test images can help."""
    least_gap: float = 0.0
    """Even with unlimited seeds, these test images separate no smaller difference."""
    chance: float = 0.0
    """The probability with which unlimited seeds would separate them."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Score of candidate a minus score of candidate b in one metric, with its interval."""

    difference: float
    low: float
    high: float
    """The ends of the 95 % interval for this pair alone."""
    p: float
    p_adjusted: float
    """p, adjusted for the number of pairs. It decides."""
    outlook: Outlook | None = None
    """Of an undecided difference. None where it is decided, and with one seed, where nothing is known of others."""

    @property
    def is_decided(self) -> bool:
        """Whether one candidate beats the other."""
        return is_decided(self.p_adjusted)


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two candidates and, for each metric, their difference on the test split."""

    a: str
    b: str
    metrics: dict[str, Difference]


@dataclass(frozen=True, kw_only=True)
class CandidateSummary:
    """Results of one candidate over its seeds."""

    name: str
    title: str
    family: str
    num_train: int | None = None
    num_params: int | None = None
    num_macs: int | None = None
    num_runs: int = 0
    """Number of finished runs."""
    num_failed: int = 0
    num_planned: int | None = None
    """Number of runs that the comparison planned. More than `num_runs`: the candidate is incomplete."""
    epochs: float | None = None
    train_seconds: float | None = None
    items_per_second: float | None = None
    peak_memory_bytes: int | None = None
    evals: dict[str, dict[str, Score]] = field(default_factory=dict)
    """Evaluation name -> metric -> score."""
    extras: dict[str, float | None] = field(default_factory=dict)
    """Means of the numbers specific to the task."""
    details: dict[str, Any] = field(default_factory=dict)
    """Task-specific results on the test split, such as the confusion matrix."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The conclusion that the data support: a short headline, then a sentence with the numbers."""

    headline: str
    sentence: str
    conditions: tuple[str, ...] = ()
    """What limits it, as sentences: runs that are missing, and runs made in different ways."""
    outlook: tuple[str, ...] = ()
    """What would settle each tie, as sentences."""

    def __str__(self) -> str:
        return f"{self.headline} {self.sentence}".strip()


@dataclass(frozen=True, kw_only=True)
class Summary:
    """summary.json: the numbers behind the table, the verdict and the report."""

    schema: int = SCHEMA
    task: str
    candidates: tuple[CandidateSummary, ...]
    contrasts: tuple[Contrast, ...] = ()
    best_by_val: str | None = None
    verdict: Verdict
    notes: tuple[str, ...] = ()


def read_state(folder: Path) -> RunState:
    """Read state.json of a run folder. Without the file the status is `absent`. Raises FittingRoomError naming a bad file."""
    path = folder / "state.json"
    if not path.exists():
        return RunState()
    values = read_json(path)
    if "status" not in check_schema(values, path):
        raise FittingRoomError(f"{path} lacks 'status': delete it and run the command again")
    return _read(RunState, values, path, upgrade_state)


def write_state(folder: Path, state: RunState) -> None:
    """Write state.json atomically."""
    write_json(folder / "state.json", to_dict(state))


def read_comparison(folder: Path) -> ComparisonRecord:
    """Read comparison.json from a comparison's folder. Raises FittingRoomError naming the file and the bad key."""
    path = folder / "comparison.json"
    record = _read(ComparisonRecord, read_json(path), path, upgrade_comparison)
    fault = next(_contradictions(record), None)
    if fault:
        raise FittingRoomError(
            f"{path} contradicts itself: {fault}: restore it, or run the comparison again to rewrite it"
        )
    return record


def write_comparison(folder: Path, record: ComparisonRecord) -> None:
    """Write comparison.json atomically."""
    write_json(folder / "comparison.json", to_dict(record))


def read_summary(folder: Path) -> Summary:
    """Read summary.json from a comparison's folder. Raises FittingRoomError naming the file and the bad key."""
    path = folder / "summary.json"
    return _read(Summary, read_json(path), path, upgrade_summary)


def write_summary(folder: Path, summary: Summary) -> None:
    """Write summary.json atomically."""
    write_json(folder / "summary.json", to_dict(summary))


def _contradictions(record: ComparisonRecord) -> Iterator[str]:
    """What no comparison writes, as after an edit by hand. Numbers made from it would be wrong without a word."""
    names = [candidate.name for candidate in record.candidates]
    folds = record.data.facts.get("folds", 2)
    if not names:
        yield "it has no candidates"
    if type(folds) is not int or folds < 2:
        yield f"data.facts.folds is {folds!r}, not a whole number from 2 on"
    for what, given in (
        ("candidates name", names),
        ("seeds name", record.seeds),
        ("runs have", [f"{row.candidate} with seed {row.seed}" for row in record.runs]),
        ("runs have the folder", [row.folder for row in record.runs]),
    ):
        yield from (f"{what} {each} twice" for each, times in Counter(given).items() if times > 1)
    for row in record.runs:
        if row.candidate not in names:
            yield f"{row.run} is a run of {row.candidate}, which is not among the candidates ({', '.join(names)})"
        if row.seed not in record.seeds:
            yield f"{row.run} has seed {row.seed}, which is not among the seeds"


def read_record(cls: type[T], values: dict[str, Any], path: Path) -> T:
    """Build a record from `values`. Raises FittingRoomError naming the file, the bad key and the fix."""
    try:
        with found_in(path):
            return from_dict(cls, values, where=str(path))
    except FittingRoomError as error:
        raise FittingRoomError(f"{error} (run the command again to rewrite the file)") from error


def _read(cls: type[T], values: dict[str, Any], path: Path, upgrade: Callable[[dict[str, Any]], dict[str, Any]]) -> T:
    """Upgrade the values of a file from this or an older version, then build the record as `read_record` does."""
    check_schema(values, path)
    try:
        values = upgrade(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise FittingRoomError(
            f"{path} is damaged ({type(error).__name__}: {error}): run the command again to rewrite the file"
        ) from error
    return read_record(cls, values, path)
