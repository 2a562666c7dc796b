"""`metrics.csv`: one row per logged step. Each save rewrites the file; a resumed run drops rows after its checkpoint."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_text

COLUMNS: tuple[str, ...] = ("step", "epoch", "seconds", "lr", "train_loss", "val_loss")
"""The columns of every task. The task's scores follow, such as `val_accuracy`."""
FIRST_GROUP = ("lr-MuonAdamW", "lr-MuonAdamW/pg1")
"""Names that LearningRateMonitor gives the first parameter group, AdamW's. The `lr` column is its learning rate."""


class MetricsFile(Logger):
    """A Lightning logger that keeps the columns of `metrics.csv` and ignores everything else."""

    def __init__(
        self, path: Path, steps_per_epoch: int, clock: Callable[[], float], scores: Sequence[str] = ("val_accuracy",)
    ) -> None:
        super().__init__()
        self.path, self.steps_per_epoch, self.clock = path, steps_per_epoch, clock
        self.columns = (*COLUMNS, *scores)
        self.rows: dict[int, dict[str, Any]] = {}

    @property
    def name(self) -> str:
        """Required by Lightning."""
        return "metrics"

    @property
    def version(self) -> str:
        """Required by Lightning."""
        return ""

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: config.json has the settings."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Merge into the row of this step. Lightning counts steps from 0; the file counts completed steps."""
        done = (step or 0) + 1
        row = self.rows.setdefault(done, {"step": done, "epoch": round(done / self.steps_per_epoch, 4)})
        row["seconds"] = self.clock()
        row |= {key: value for key, value in metrics.items() if key in self.columns[4:]}
        for key in FIRST_GROUP:
            if key in metrics:
                row["lr"] = metrics[key]

    def add(self, step: int, seconds: float, **values: float) -> None:
        """Add values measured outside Lightning's loop, such as the final evaluation, and save."""
        self.log_metrics(values, step - 1)
        self.rows[step]["seconds"] = seconds
        self.save()

    def correct(self, step: int, **values: float) -> None:
        """Put values measured later into the row of an earlier step, and save."""
        self.rows[step] |= values
        self.save()

    def save(self) -> None:
        """Write all rows, atomically."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.columns, restval="", lineterminator="\n")
        writer.writeheader()
        for step in sorted(self.rows):
            writer.writerow({key: _short(value) for key, value in self.rows[step].items()})
        write_text(self.path, text.getvalue())

    def read(self, last_step: int) -> None:
        """Load the file's rows up to `last_step`. The resumed run measures later steps again.

        Raises FittingRoomError for a damaged file.
        """
        self.rows.clear()
        if not self.path.exists():
            return
        try:
            for row in csv.DictReader(self.path.read_text(encoding="utf-8").splitlines()):
                step = int(row["step"])
                if step <= last_step:
                    values = {key: float(value) for key, value in row.items() if value and key != "step"}
                    self.rows[step] = {"step": step, **values}
        except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
            raise FittingRoomError(
                f"{self.path} is damaged ({type(error).__name__}: {error}): delete it to resume without its rows"
            ) from error


def _short(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
