"""The training step. The training loop and the speed probe call the same function, so both train the same network."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seed_global
from fittingroom.evaluation.weights import in_layout
from fittingroom.models.layers.attention import AttentionCore
from fittingroom.tasks.base import Placed, Task
from fittingroom.tasks.config import RunConfig
from fittingroom.training.optim import MuonAdamW, build_optimizer
from fittingroom.training.schedule import lr_factor
from fittingroom.training.speed.plan import Plan


@dataclass
class TrainState:
    """Everything that a step reads or changes."""

    task: Task
    plan: Plan
    model: nn.Module
    trained: Callable[..., Any]
    """The model, compiled if the plan says so."""
    average: AveragedModel | None
    """Moving average of the weights, if the config asks for one."""
    optimizer: Any = None
    """`MuonAdamW`, or Lightning's wrapper around it, which counts its steps."""
    schedule: Any = None
    total_steps: int = 0
    num_steps: int = 0
    """Steps done so far. It seeds dropout, which is a function of (seed, step)."""

    @property
    def final_model(self) -> nn.Module:
        """The model that is evaluated and saved: the averaged one if the config asks for an average."""
        return self.average.module if self.average is not None else self.model

    @property
    def placed(self) -> Placed:
        """The final model with the plan's device, precision and memory layout."""
        plan = self.plan
        bf16 = plan.precision == "bf16"
        return Placed(model=self.final_model, device=plan.device, bf16=bf16, channels_last=plan.channels_last)


def new_state(task: Task, plan: Plan, *, total_steps: int = 0) -> TrainState:
    """A model with the run's initial weights, set up for the plan. `new_optimizer` creates the optimizer later."""
    model = in_layout(task.new_model(), plan.channels_last) if plan.channels_last else task.new_model()
    for module in model.modules():
        if isinstance(module, AttentionCore) and module.path == "auto":
            module.path = plan.attention
    dynamic = False if task.one_shape else None
    decay = task.config.ema_decay
    return TrainState(
        task=task,
        plan=plan,
        model=model,
        trained=torch.compile(model, dynamic=dynamic) if plan.compile else model,
        average=AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True) if decay else None,
        total_steps=total_steps,
    )


def new_optimizer(state: TrainState) -> tuple[MuonAdamW, LambdaLR]:
    """The optimizer for the state's model, and the schedule over `state.total_steps`."""
    config, bf16 = state.task.config, state.plan.precision == "bf16"
    dtype = torch.bfloat16 if bf16 else torch.float32
    optimizer = build_optimizer(state.model, config.optim, dtype, state.task.rate_shares(state.model))
    return optimizer, LambdaLR(optimizer, lambda step: lr_factor(step, state.total_steps, config.schedule))


def step(state: TrainState, batch: Any) -> Tensor:
    """Forward, backward, clip, update, average. Return the loss. `batch` must be on the plan's device.

    Raises FittingRoomError if the loss is not finite.
    """
    config: RunConfig = state.task.config
    seed_global(config.seed, "dropout", step=state.num_steps)
    with state.placed.autocast():
        loss = state.task.loss(state.trained, batch)
    if not torch.isfinite(loss):
        raise FittingRoomError(_divergence(state, loss.item()))
    loss.backward()
    if config.clip_norm:
        # Always in the optimizer's order: the last digit of a floating-point sum depends on the order.
        params = [param for group in state.optimizer.param_groups for param in group["params"]]
        nn.utils.clip_grad_norm_(params, config.clip_norm)
    state.optimizer.step()
    state.optimizer.zero_grad()
    state.schedule.step()
    if state.average is not None:
        state.average.update_parameters(state.model)
    state.num_steps += 1
    return loss.detach()


def _divergence(state: TrainState, loss: float) -> str:
    config = state.task.config
    name = "optim.muon_lr" if config.optim.name == "muon" else "optim.lr"
    peak = config.optim.muon_lr if config.optim.name == "muon" else config.optim.lr
    rate = peak * lr_factor(state.num_steps, state.total_steps, config.schedule)
    return (
        f"loss became {'nan' if math.isnan(loss) else loss} at step {state.num_steps} of {state.total_steps}, "
        f"{name} {rate:.3g}: lower it, for example --set {name}={peak / 3:.2g}"
    )
