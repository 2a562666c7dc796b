"""The LightningModule: hands each batch to `step`, validates, and keeps the clocks."""

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from fittingroom.tasks.base import Task
from fittingroom.training.speed.plan import Plan
from fittingroom.training.step import TrainState, new_optimizer, new_state, step


class TrainingModule(pl.LightningModule):
    """A `TrainState` that Lightning can drive. The step is ours (manual optimization), so the probe times the same one."""

    def __init__(self, task: Task, plan: Plan, *, total_steps: int = 0, began: float | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        state = new_state(task, plan, total_steps=total_steps)
        self.model, self.average = state.model, state.average  # registered, so checkpoints hold their weights
        self._state = (
            state,
        )  # in a tuple: Lightning does not look for modules there, and `_orig_mod.` stays out of names
        self.task, self.plan = task, plan
        self.seconds_before = 0.0  # training time before an interruption
        self.step_seconds = 0.0  # time inside training steps, without validation
        self.started = time.perf_counter() if began is None else began

    @property
    def state(self) -> TrainState:
        """What the step changes."""
        return self._state[0]

    @property
    def total_steps(self) -> int:
        """Of the whole run."""
        return self.state.total_steps

    @total_steps.setter
    def total_steps(self, number: int) -> None:
        """Set when the length of the run is known."""
        self.state.total_steps = number

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training so far, without interruptions."""
        return self.seconds_before + time.perf_counter() - self.started

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of the step."""
        self._step_started = time.perf_counter()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """One step. A loss that is not finite ends the run."""
        state = self.state
        state.optimizer, state.schedule, state.num_steps = self.optimizers(), self.lr_schedulers(), self.global_step
        loss = step(state, state.placed.place(batch))
        self.log("train_loss", loss, batch_size=self.task.config.batch_size)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the time of the step."""
        self.step_seconds += time.perf_counter() - self._step_started

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Loss and scores of the final model."""
        placed = self.state.placed
        with placed.autocast():
            logged = self.task.validate(placed.model, placed.place(batch))
        for name, value, weight in logged:
            self.log(name, value, prog_bar=name == self.task.score_names[0], batch_size=weight)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer, one schedule, a step at a time."""
        optimizer, schedule = new_optimizer(self.state)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Clocks travel with the weights."""
        checkpoint["fittingroom"] = {"seconds": self.seconds, "step_seconds": self.step_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Set the clocks to where they were."""
        clocks = checkpoint["fittingroom"]
        self.seconds_before, self.step_seconds = clocks["seconds"], clocks["step_seconds"]
        self.started = time.perf_counter()
