"""Loggers by name: TensorBoard and Weights & Biases. Both write into the run folder, and continue there in a resumed run."""

import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_text
from fittingroom.training.logger_names import parse_logger, wandb_mode, wandb_project


@contextmanager
def open_loggers(
    loggers: Sequence[Any], folder: Path, *, run: str, group: str = "", resumed_at: int | None = None
) -> Iterator[list[Logger]]:
    """The Lightning loggers for a training, closed when it ends. `resumed_at` is the step from which a run is resumed."""
    opened, ours = [], []
    for each in loggers:
        if not isinstance(each, str):
            opened.append(each)
            continue
        name, settings = parse_logger(each)
        if name == "tensorboard":
            opened.append(_tensorboard(folder, resumed_at))
        elif wandb_mode() != "disabled":
            ours.append(_wandb(folder, run=run, group=group, settings=settings))
            opened.append(ours[-1])
    before = _current_wandb_run()
    try:
        yield opened
    except BaseException:
        _finish(ours, before, exit_code=1)
        raise
    _finish(ours, before, exit_code=0)


def log_config(loggers: Sequence[Logger], config: dict[str, Any]) -> None:
    """Log every setting of the run. Raises FittingRoomError if Weights & Biases cannot start, as without an account."""
    for logger in loggers:
        try:
            logger.log_hyperparams(config)
        except Exception as error:
            if not type(error).__module__.startswith("wandb"):
                raise
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            advice = (
                "run `wandb login`, or omit WANDB_MODE=online" if wandb_mode() == "online" else "omit --logger wandb"
            )
            raise FittingRoomError(f"logger wandb cannot start ({reason}): {advice}") from error


class StepsDone(TensorBoardLogger):
    """TensorBoard with the steps of metrics.csv, which counts the steps that are done. Lightning counts from 0."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log all but `epoch`: Lightning sees the whole run as one epoch."""
        values = {name: value for name, value in metrics.items() if name != "epoch"}
        super().log_metrics(values, None if step is None else step + 1)


def _tensorboard(folder: Path, resumed_at: int | None) -> Logger:
    # A killed run logged steps after its last checkpoint. `purge_step` tells TensorBoard to drop them: they come again.
    purge = None if resumed_at is None else resumed_at + 1
    return StepsDone(save_dir=folder, name="tensorboard", version="", default_hp_metric=False, purge_step=purge)


def _wandb(folder: Path, *, run: str, group: str, settings: dict[str, str]) -> Logger:
    os.environ.setdefault("WANDB_SILENT", "true")  # its messages at exit would mix with our JSON output
    # `mode`, not Lightning's `offline`, which would overwrite WANDB_MODE for the rest of the process
    logger = WandbLogger(
        save_dir=folder,
        name=run,
        id=_wandb_id(folder),
        project=wandb_project(settings),
        group=settings.get("group") or os.environ.get("WANDB_RUN_GROUP") or group or None,
        mode=wandb_mode(),
    )
    logger._wandb_init.pop("anonymous", None)  # newer versions of wandb warn of it, even when it is not set
    return logger


def _wandb_id(folder: Path) -> str:
    """The id of the run on Weights & Biases. It is kept in the run folder, so that a resumed run is the same run there."""
    path = folder / "wandb" / "id.txt"
    found = path.read_bytes().decode(errors="replace").strip() if path.exists() else ""
    if not (found.isascii() and found.isalnum()):
        found = secrets.token_hex(4)
        write_text(path, found + "\n")
    return found


def _current_wandb_run() -> Any:
    return getattr(sys.modules.get("wandb"), "run", None)


def _finish(loggers: Sequence[Any], before: Any, *, exit_code: int) -> None:
    """End the runs that began here: a later training in this process would log into them. A user's own run goes on."""
    if before is None and loggers and _current_wandb_run() is not None:
        _current_wandb_run().finish(exit_code=exit_code)
