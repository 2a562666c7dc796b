"""Read a comparison's folder into what the page shows. Files are checked here, so that drawing can trust them."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.summary import read_record, read_runs, summarise_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import ComparisonRecord, RunRow, Summary
from fittingroom.tasks.scoring import SCORINGS, Scoring

COLUMNS = ("seconds", "lr", "train_loss")
LARGEST = 1e100
"""No run measures more; figures cannot show numbers close to infinity."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run over its training, arrays [rows] of metrics.csv; not-a-number where a row does not hold the value.

    `columns` are those of `COLUMNS` and the validation score that the comparison is by.
    """

    seed: int
    columns: dict[str, NDArray[np.float64]]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Since the start of the run."""
        return self.columns["seconds"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that the common parts of the page show. The sections of a task read more from `folder`."""

    folder: Path | None
    """None: predictions without a folder. Only what they allow is shown."""
    record: ComparisonRecord
    summary: Summary
    runs: dict[str, dict[int, dict[str, Any]]]
    """Candidate -> seed -> part -> predictions, finished runs only."""
    curves: dict[str, list[Curve]] = field(default_factory=dict)
    """Candidate -> its runs."""

    @property
    def scoring(self) -> Scoring[Any]:
        """Of the task."""
        return SCORINGS.get(self.record.task)

    @property
    def names(self) -> list[str]:
        """Of the candidates."""
        return [candidate.name for candidate in self.record.candidates]

    @property
    def tests(self) -> dict[str, dict[int, Any]]:
        """Candidate -> seed -> test predictions, of candidates with a finished run."""
        return {
            name: {seed: parts["test"] for seed, parts in seeds.items()} for name, seeds in self.runs.items() if seeds
        }

    @property
    def num_seeds(self) -> int:
        """The seeds that a model finished; of several models, the most. Planned seeds say nothing about the numbers shown."""
        return max((candidate.num_runs for candidate in self.summary.candidates), default=0)

    @property
    def failed(self) -> list[RunRow]:
        """The runs that failed."""
        return self.record.failed()

    @property
    def missing(self) -> list[str]:
        """Names of the runs that neither finished nor failed. Imported predictions have no plan, so none is missing."""
        if self.record.budget.kind == "none":
            return []
        done = {(row.candidate, row.seed) for row in self.record.runs if row.status in ("finished", "failed")}
        planned = [(name, seed) for name in self.names for seed in self.record.seeds]
        return [f"{name}-seed{seed}" for name, seed in planned if (name, seed) not in done]


def load(folder: Path) -> Comparison:
    """Read the comparison in `folder`, finished or not. Raises FittingRoomError that names the file and the fix."""
    record = read_record(folder)
    runs = read_runs(folder, record)
    summary = summarise_folder(folder, record, runs)
    column = SCORINGS.get(record.task).metrics[0].column
    curves: dict[str, list[Curve]] = {}
    for row in record.finished():
        path = folder / row.folder / "metrics.csv"
        curves.setdefault(row.candidate, []).append(read_curve(path, row.seed, column))
    return Comparison(folder=folder, record=record, summary=summary, runs=runs, curves=curves)


def read_curve(path: Path, seed: int, score: str) -> Curve:
    """The rows of a run's metrics.csv, with the column `score`.

    Raises FittingRoomError where the file is missing or not what `fit` writes.
    """
    try:
        names = (*COLUMNS, score)
        rows = _read_rows(path, names)
        columns = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
        largest = max((float(np.nanmax(np.abs(each), initial=0)) for each in columns.values()), default=0)
        if largest > LARGEST:
            raise ValueError(f"it holds {largest:g}")
        if np.isnan(columns["seconds"]).any():
            raise ValueError("a row has no seconds")
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} is missing: delete {path.parent} and run the comparison again") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise FittingRoomError(
            f"{path} is damaged ({error}): delete {path.parent} and run the comparison again"
        ) from error
    return Curve(seed=seed, columns=columns)


def _read_rows(path: Path, names: tuple[str, ...]) -> list[dict[str, str]]:
    reader = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), strict=True)
    absent = [name for name in names if name not in (reader.fieldnames or ())]
    if absent:
        raise ValueError(f"no column '{absent[0]}'")
    return list(reader)
