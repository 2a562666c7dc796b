"""Set up and run the Lightning Trainer: loggers, callbacks, checkpoints, and the handling of Ctrl-C."""

import logging
import signal
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, RichProgressBar

from fittingroom.core.config import to_dict
from fittingroom.training.checkpoints import AtomicCheckpointIO, ResumableCheckpoint, latest_checkpoint, step_of
from fittingroom.training.early_stopping import KeepBest
from fittingroom.training.loader import StepLoader, ValLoader
from fittingroom.training.loggers import log_config, open_loggers
from fittingroom.training.metrics_file import MetricsFile
from fittingroom.training.module import TrainingModule
from fittingroom.training.single_process import single_process
from fittingroom.training.speed.budget import validations

LOG_EVERY = 20
"""Steps between log rows. Runs under 1,000 steps log more often, for about 50 rows, but never at every step, because
checkpoints are saved only at steps without a log row. A run of one step logs it, and needs no checkpoint."""
HARMLESS = (
    ".*smaller than the logging interval.*",  # a small data set has few steps an epoch; losses are logged across epochs
    ".*does not have many workers.*",  # both loaders read from memory: workers would only slow them down
    ".*LeafSpec.*is deprecated.*",  # lightning 2.6 with torch 2.13
    ".*in eval mode at the start of training.*",  # frozen batch norms of a pretrained network
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
    run: str = "",
    group: str = "",
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
    done = 0 if checkpoint is None else step_of(checkpoint)
    metrics.read(last_step=done)
    ours: list[Callback] = [
        LearningRateMonitor(logging_interval="step"),
        ResumableCheckpoint(folder / "checkpoints", checkpoint_seconds, every),
    ]
    best = None if config.early_stopping is None else KeepBest(config.early_stopping)
    if best is not None:
        ours.append(best)
    if progress_bar:
        ours.append(RichProgressBar(console_kwargs={"stderr": True}))
    if progress is not None:
        ours.append(ProgressReport(progress, task.score_names[0]))
    with (
        open_loggers(
            loggers, folder, run=run or config.run, group=group, resumed_at=done if resume else None
        ) as opened,
        single_process() as alone,
    ):
        log_config(opened, to_dict(config))
        trainer = _trainer(
            module, folder, every, [metrics, *opened], [*ours, *callbacks], [AtomicCheckpointIO(), alone], progress_bar
        )
        loaders = StepLoader(batches, module.total_steps), ValLoader(task.val_batches(num_val))
        _fit(trainer, module, *loaders, checkpoint)
    module.best_step = None if best is None else best.best_step
    return metrics


def log_every(total_steps: int) -> int:
    """Steps between log rows."""
    return min(LOG_EVERY, max(2, total_steps // 50), total_steps)


def _trainer(
    module: TrainingModule,
    folder: Path,
    every: int,
    loggers: list[Any],
    callbacks: list[Callback],
    plugins: list[Any],
    progress_bar: bool,
) -> pl.Trainer:
    return pl.Trainer(
        default_root_dir=folder,
        accelerator={"cpu": "cpu", "cuda": "gpu", "mps": "mps"}[module.plan.device],
        devices=1,
        max_epochs=1,
        max_steps=module.total_steps,
        val_check_interval=min(every, module.total_steps),
        log_every_n_steps=log_every(module.total_steps),
        num_sanity_val_steps=0,
        deterministic=module.plan.device == "cpu",
        enable_model_summary=False,
        enable_progress_bar=progress_bar,
        logger=loggers,
        callbacks=callbacks,
        plugins=plugins,
    )


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
