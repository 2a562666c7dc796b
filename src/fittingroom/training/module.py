"""The LightningModule: passes each batch to `step`, validates, and measures time."""

import time
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from fittingroom.tasks.base import Task
from fittingroom.training.speed.plan import Plan
from fittingroom.training.step import TrainState, new_optimizer, new_state, step


class TrainingModule(pl.LightningModule):
    """Wraps a `TrainState` for Lightning. Optimization is manual: the speed probe and the run call the same `step`."""

    def __init__(self, task: Task, plan: Plan, *, total_steps: int = 0, began: float | None = None) -> None:
        super().__init__()
        self.automatic_optimization = False
        state = new_state(task, plan, total_steps=total_steps)
        self.model, self.average = state.model, state.average  # registered, so checkpoints hold their weights
        # A tuple hides the compiled model from Lightning, which keeps `_orig_mod.` out of parameter names.
        self._state = (state,)
        self.task, self.plan = task, plan
        self.seconds_before = 0.0  # training time before the run was interrupted
        self.step_seconds = 0.0  # time inside training steps; excludes validation
        self.started = time.perf_counter() if began is None else began
        self.best_step: int | None = None  # the step whose weights early stopping kept

    @property
    def state(self) -> TrainState:
        """The model, the optimizer and everything else that a step changes."""
        return self._state[0]

    @property
    def total_steps(self) -> int:
        """Steps of the whole run."""
        return self.state.total_steps

    @total_steps.setter
    def total_steps(self, number: int) -> None:
        """Set when the length of the run is known."""
        self.state.total_steps = number

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training so far, excluding interruptions."""
        return self.seconds_before + time.perf_counter() - self.started

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Start the clock of the step."""
        self._step_started = time.perf_counter()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Do one step and return its loss. Raises FittingRoomError if the loss is not finite."""
        state = self.state
        state.optimizer, state.schedule, state.num_steps = self.optimizers(), self.lr_schedulers(), self.global_step
        loss = step(state, state.placed.place(batch))
        self.log("train_loss", loss, batch_size=self.task.config.batch_size)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Add the time of the step."""
        self.step_seconds += time.perf_counter() - self._step_started

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log loss and scores of the final model."""
        placed = self.state.placed
        with placed.autocast():
            logged = self.task.validate(placed.model, placed.place(batch))
        for name, value, weight in logged:
            self.log(name, value, prog_bar=name == self.task.score_names[0], batch_size=weight)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimizer, and its schedule, which advances with every step."""
        optimizer, schedule = new_optimizer(self.state)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Save the clocks with the weights."""
        checkpoint["fittingroom"] = {"seconds": self.seconds, "step_seconds": self.step_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore the clocks."""
        clocks = checkpoint["fittingroom"]
        self.seconds_before, self.step_seconds = clocks["seconds"], clocks["step_seconds"]
        self.started = time.perf_counter()
