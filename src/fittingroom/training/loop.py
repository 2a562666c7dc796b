"""Set up and run the Lightning Trainer: loggers, callbacks, checkpoints, and the handling of Ctrl-C."""

import logging
import os
import signal
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, EarlyStopping, LearningRateMonitor, RichProgressBar
from lightning.pytorch.loggers import Logger

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.training.checkpoints import AtomicCheckpointIO, ResumableCheckpoint, latest_checkpoint, step_of
from fittingroom.training.loader import StepLoader, ValLoader
from fittingroom.training.metrics_file import MetricsFile
from fittingroom.training.module import TrainingModule
from fittingroom.training.single_process import single_process
from fittingroom.training.speed.budget import validations

LOG_EVERY = 20
"""Steps between log rows. Runs under 1,000 steps log more often, for about 50 rows, but never at every step, because
checkpoints are saved only at steps without a log row."""
LOGGERS = ("tensorboard", "wandb")
HARMLESS = (
    ".*does not have many workers.*",  # both loaders read from memory: workers would only slow them down
    ".*LeafSpec.*is deprecated.*",  # lightning 2.6 with torch 2.13
    ".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
)

Progress = Callable[[int, int, float | None], None]
"""Called after each step with (steps done, total steps, latest validation score or None).

The score is the task's first one, such as accuracy or word error rate."""


class ProgressReport(Callback):
    """Report the progress of the run to a function outside Lightning."""

    def __init__(self, tell: Progress, score: str) -> None:
        self.tell, self.score = tell, score

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Report the step."""
        score = trainer.callback_metrics.get(self.score)
        self.tell(trainer.global_step, trainer.max_steps, None if score is None else float(score))


def train(
    module: TrainingModule,
    *,
    folder: Path,
    resume: bool = False,
    loggers: Sequence[Any] = (),
    callbacks: Sequence[Any] = (),
    progress_bar: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = 30.0,
) -> MetricsFile:
    """Train `module` to its last step. With `resume`, start from the latest undamaged checkpoint.

    Raises KeyboardInterrupt on Ctrl-C.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    task = module.task
    config, batches = task.config, task.batches
    every, num_val = validations(module.total_steps, batches.steps_per_epoch, task.num_val)
    metrics = MetricsFile(
        folder / "metrics.csv", batches.steps_per_epoch, clock=lambda: module.seconds, scores=task.score_names
    )
    checkpoint = latest_checkpoint(folder / "checkpoints") if resume else None
    metrics.read(last_step=0 if checkpoint is None else step_of(checkpoint))
    ours: list[Callback] = [
        LearningRateMonitor(logging_interval="step"),
        ResumableCheckpoint(folder / "checkpoints", checkpoint_seconds, every),
    ]
    if config.early_stopping is not None:
        ours.append(EarlyStopping("val_loss", patience=config.early_stopping))
    if progress_bar:
        ours.append(RichProgressBar(console_kwargs={"stderr": True}))
    if progress is not None:
        ours.append(ProgressReport(progress, task.score_names[0]))
    with single_process() as alone:
        trainer = pl.Trainer(
            default_root_dir=folder,
            accelerator={"cpu": "cpu", "cuda": "gpu", "mps": "mps"}[module.plan.device],
            devices=1,
            max_epochs=1,
            max_steps=module.total_steps,
            val_check_interval=min(every, module.total_steps),
            log_every_n_steps=min(LOG_EVERY, max(2, module.total_steps // 50)),
            num_sanity_val_steps=0,
            deterministic=module.plan.device == "cpu",
            enable_model_summary=False,
            enable_progress_bar=progress_bar,
            logger=[metrics, *(as_logger(each, folder, config.run) for each in loggers)],
            callbacks=[*ours, *callbacks],
            plugins=[AtomicCheckpointIO(), alone],
        )
        _fit(trainer, module, StepLoader(batches, module.total_steps), ValLoader(task.val_batches(num_val)), checkpoint)
    return metrics


def _fit(
    trainer: pl.Trainer, task: pl.LightningModule, train_loader: Any, val_loader: Any, checkpoint: Path | None
) -> None:
    """Call `trainer.fit` and undo what Lightning makes of Ctrl-C: it calls `exit(1)` and then ignores the signal."""
    try:
        with warnings.catch_warnings():
            for message in HARMLESS:
                warnings.filterwarnings("ignore", message=message)
            trainer.fit(task, train_loader, val_loader, ckpt_path=checkpoint)
    except SystemExit:
        if trainer.interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None
        raise


def as_logger(logger: Any, folder: Path, run: str) -> Logger:
    """Return a Lightning logger unchanged; create the logger if `logger` is a name."""
    return make_logger(logger, folder, run) if isinstance(logger, str) else logger


def make_logger(name: str, folder: Path, run: str) -> Logger:
    """A TensorBoard or Weights & Biases logger that writes into the run folder.

    Weights & Biases is offline unless WANDB_MODE is `online`. Raises FittingRoomError for an unknown name or a missing package.
    """
    if name not in LOGGERS:
        raise FittingRoomError(f"unknown logger '{name}': {did_you_mean(name, LOGGERS)}")
    try:
        if name == "tensorboard":
            from lightning.pytorch.loggers import TensorBoardLogger

            return TensorBoardLogger(save_dir=folder, name="tensorboard", version="")
        from lightning.pytorch.loggers import WandbLogger

        os.environ.setdefault("WANDB_SILENT", "true")  # its messages at exit would mix with our JSON output
        return WandbLogger(save_dir=folder, name=run, project="fittingroom", offline=_wandb_is_offline())
    except ModuleNotFoundError as error:
        raise FittingRoomError(f"logger '{name}' is not installed: pip install 'fittingroom[{name}]'") from error


def _wandb_is_offline() -> bool:
    return os.environ.get("WANDB_MODE", "offline") != "online"
