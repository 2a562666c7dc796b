"""The LightningModule: what a training step is. The forward pass is the model's, the batches are the data's.

`Task` is what every run does: schedule, clocks, moving average, the plan's layout and compiling. Its two kinds say what a
batch is and how good an answer is: `classification.py` and `transduction.py`.
"""

import math
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seed_global
from fittingroom.models.layers.attention import AttentionCore
from fittingroom.training.config import RunConfig
from fittingroom.training.optim import build_optimizer
from fittingroom.training.schedule import lr_factor
from fittingroom.training.speed.plan import Plan


class Task(pl.LightningModule):
    """A loss, a schedule over `total_steps`, and the moving average of the weights if asked for."""

    def __init__(
        self, model: nn.Module, config: RunConfig, plan: Plan, *, total_steps: int = 0, began: float | None = None
    ) -> None:
        super().__init__()
        if plan.channels_last:
            model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        for module in model.modules():
            if isinstance(module, AttentionCore) and module.path == "auto":
                module.path = plan.attention
        self.model = model
        # In a tuple, where Lightning does not look for modules: weights keep their names, with no `_orig_mod.` before them.
        self._trained = (torch.compile(model, dynamic=self.compiled_dynamic) if plan.compile else model,)
        self.run_config, self.plan, self.total_steps = config, plan, total_steps
        self.average = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(config.ema_decay), use_buffers=True)
            if config.ema_decay
            else None
        )
        self.seconds_before = 0.0  # training time of the parts before an interruption
        self.step_seconds = 0.0  # time inside training steps, validation left out
        self.started = time.perf_counter() if began is None else began

    @property
    def final_model(self) -> nn.Module:
        """The weights that are evaluated and saved: the average where there is one."""
        return self.average.module if self.average is not None else self.model

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of training so far, interruptions left out."""
        return self.seconds_before + time.perf_counter() - self.started

    compiled_dynamic: bool | None = False
    """Whether batches differ in shape: passed to `torch.compile`."""

    @property
    def trained(self) -> Callable[..., Any]:
        """The model that is trained, compiled if the plan says so."""
        return self._trained[0]

    @abstractmethod
    def loss(self, batch: Any) -> Tensor:
        """The training loss of a batch, in fp32."""

    @abstractmethod
    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log `val_loss` and the scores of the final model."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Dropout and stochastic depth of this step are a function of (seed, step)."""
        self._step_started = time.perf_counter()
        seed_global(self.run_config.seed, "dropout", step=self.global_step)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Loss of one batch. A loss that is not finite ends the run."""
        loss = self.loss(batch)
        if not torch.isfinite(loss):
            raise FittingRoomError(self._divergence(loss.item()))
        self.log("train_loss", loss, batch_size=self.run_config.batch_size)
        return loss

    def _divergence(self, loss: float) -> str:
        optim = self.run_config.optim
        name = "optim.muon_lr" if optim.name == "muon" else "optim.lr"
        peak = optim.muon_lr if optim.name == "muon" else optim.lr
        rate = peak * lr_factor(self.global_step, self.total_steps, self.run_config.schedule)
        return (
            f"loss became {'nan' if math.isnan(loss) else loss} at step {self.global_step} of {self.total_steps}, "
            f"{name} {rate:.3g}: lower it, such as --set {name}={peak / 3:.2g}"
        )

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the time of the step."""
        self.step_seconds += time.perf_counter() - self._step_started

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then move the average, so that a checkpoint after the step holds both."""
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            self.average.update_parameters(self.model)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """One optimizer, one schedule, a step at a time."""
        optimizer = build_optimizer(
            self.model, self.run_config.optim, torch.bfloat16 if self.plan.precision == "bf16" else torch.float32
        )
        schedule = LambdaLR(optimizer, lambda step: lr_factor(step, self.total_steps, self.run_config.schedule))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Clocks travel with the weights."""
        checkpoint["fittingroom"] = {"seconds": self.seconds, "step_seconds": self.step_seconds}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Set the clocks to where they stood."""
        clocks = checkpoint["fittingroom"]
        self.seconds_before, self.step_seconds = clocks["seconds"], clocks["step_seconds"]
        self.started = time.perf_counter()
