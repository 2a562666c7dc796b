"""The typed records behind state.json, comparison.json and summary.json. Plain values only: no torch, no numpy.

Every record has a `schema`. Files that an older version wrote are brought up to date by `core/upgrade.py` when they are read.
Scores are stored as `evals[name][metric]`, for example `evals["test"]["accuracy"]`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json, write_json
from fittingroom.core.upgrade import SCHEMA, check_schema, upgrade_comparison, upgrade_state, upgrade_summary

T = TypeVar("T")

Evals = dict[str, dict[str, float]]
"""Evaluation name -> metric -> score: `{"val": {"accuracy": 0.93}, "test": {"accuracy": 0.92}}`."""
ReadLog = Callable[[str], None]
"""Called with the reason before a sealed test split is opened. It must write that reason down."""
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
    """In words."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """state.json of a run folder: how far the run is, and what it scored."""

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
    """Steps of the whole run; fixed when it begins, so that a resumed run knows its end."""
    step: int = 0
    """Steps done when the state was written."""
    steps: int | None = None
    """Steps of the finished run."""
    epochs: float | None = None
    train_seconds: float | None = None
    items_per_second: float | None = None
    """Training images (or pairs) per second, validation left out."""
    peak_memory_bytes: int | None = None
    num_params: int | None = None
    num_macs: int | None = None
    """Multiply-adds of one item, forward."""
    evals: Evals = field(default_factory=dict)
    extras: dict[str, float] = field(default_factory=dict)
    """What only this task counts, such as `decode_seconds`."""
    test_reads: tuple[TestRead, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """One run in comparison.json: its key (candidate, num_train, seed), where it is, how it ended."""

    run: str
    """Unique short name, such as `vit-seed0`."""
    folder: str
    """Relative to the comparison's folder."""
    candidate: str
    num_train: int | None = None
    """Training items; None: all."""
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
    """One candidate of a comparison: a model with its settings, and what it costs."""

    name: str
    """Unique within the comparison, such as `vit` or `vit@patch_size=7`."""
    title: str
    """The name that tables and sentences use."""
    model: str
    """Name of the model variant."""
    family: str
    source: str = ""
    """The paper, in a few words."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What differs from the recipe, as given by the user."""
    num_train: int | None = None
    num_params: int | None = None
    num_macs: int | None = None


@dataclass(frozen=True, kw_only=True)
class BudgetRecord:
    """The length of each run. Kind `none`: not known, as with predictions from elsewhere; `text` is empty then."""

    kind: Literal["epochs", "seconds", "none"]
    value: float
    text: str


@dataclass(frozen=True, kw_only=True)
class DataRecord:
    """What a comparison says about its data."""

    name: str
    digest: str = ""
    num_train: int | None = None
    num_val: int | None = None
    num_test: int | None = None
    class_names: tuple[str, ...] = ()
    """Of classification; empty for other tasks."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What only this task knows, such as the number of source symbols."""


@dataclass(frozen=True, kw_only=True)
class ComparisonRecord:
    """comparison.json: what was compared, how, and how each run ended."""

    schema: int = SCHEMA
    task: str
    title: str
    """The name of the data in sentences."""
    command: str = ""
    """The command that makes this comparison again."""
    created: str = ""
    version: str = ""
    """Of the package."""
    budget: BudgetRecord
    data: DataRecord
    seeds: tuple[int, ...]
    candidates: tuple[CandidateRecord, ...]
    jobs: int = 1
    plans: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Candidate -> the speed plan of its runs."""
    runs: tuple[RunRow, ...] = ()
    protocol: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def finished(self, candidate: str | None = None) -> list[RunRow]:
        """The rows of finished runs, of all candidates or of one."""
        return [row for row in self.runs if row.status == "finished" and candidate in (None, row.candidate)]

    def failed(self, candidate: str | None = None) -> list[RunRow]:
        """The rows of failed runs, of all candidates or of one."""
        return [row for row in self.runs if row.status == "failed" and candidate in (None, row.candidate)]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A metric over seeds: mean, standard deviation, and the 95 % interval. None where there is no finished run."""

    mean: float | None = None
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Score of a minus score of b in one metric, with its interval."""

    difference: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Two candidates compared: metric -> difference on the test part."""

    a: str
    b: str
    metrics: dict[str, Difference]


@dataclass(frozen=True, kw_only=True)
class CandidateSummary:
    """One candidate over its seeds."""

    name: str
    title: str
    family: str
    num_train: int | None = None
    num_params: int | None = None
    num_macs: int | None = None
    num_runs: int = 0
    """Finished."""
    num_failed: int = 0
    epochs: float | None = None
    train_seconds: float | None = None
    items_per_second: float | None = None
    peak_memory_bytes: int | None = None
    evals: dict[str, dict[str, Score]] = field(default_factory=dict)
    """Evaluation name -> metric -> score."""
    extras: dict[str, float | None] = field(default_factory=dict)
    """Means of what only this task counts."""
    details: dict[str, Any] = field(default_factory=dict)
    """What only this task knows of its test predictions, such as the confusion matrix."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the comparison allows to say: a short headline, and the numbers in a second sentence."""

    headline: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.headline} {self.sentence}".strip()


@dataclass(frozen=True, kw_only=True)
class Summary:
    """summary.json: the numbers that table, verdict and report show."""

    schema: int = SCHEMA
    task: str
    candidates: tuple[CandidateSummary, ...]
    contrasts: tuple[Contrast, ...] = ()
    best_by_val: str | None = None
    verdict: Verdict
    notes: tuple[str, ...] = ()


def read_state(folder: Path) -> RunState:
    """state.json of a run folder; status `absent` where there is none. Raises FittingRoomError that names the file."""
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
    """comparison.json of a comparison's folder. Raises FittingRoomError that names the file and the key."""
    path = folder / "comparison.json"
    return _read(ComparisonRecord, read_json(path), path, upgrade_comparison)


def write_comparison(folder: Path, record: ComparisonRecord) -> None:
    """Write comparison.json atomically."""
    write_json(folder / "comparison.json", to_dict(record))


def read_summary(folder: Path) -> Summary:
    """summary.json of a comparison's folder. Raises FittingRoomError that names the file and the key."""
    path = folder / "summary.json"
    return _read(Summary, read_json(path), path, upgrade_summary)


def write_summary(folder: Path, summary: Summary) -> None:
    """Write summary.json atomically."""
    write_json(folder / "summary.json", to_dict(summary))


def read_record(cls: type[T], values: dict[str, Any], path: Path) -> T:
    """The record in `values`. Raises FittingRoomError that names the file, the key and what to do."""
    try:
        return from_dict(cls, values, where=str(path))
    except FittingRoomError as error:
        raise FittingRoomError(f"{error} (run the command again to write the file again)") from error


def _read(cls: type[T], values: dict[str, Any], path: Path, upgrade: Callable[[dict[str, Any]], dict[str, Any]]) -> T:
    """As `read_record`, from the values of whatever version wrote the file, but no newer one than this."""
    check_schema(values, path)
    try:
        values = upgrade(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise FittingRoomError(
            f"{path} is damaged ({type(error).__name__}: {error}): run the command again to write the file again"
        ) from error
    return read_record(cls, values, path)
