"""Refuse a run that cannot fit in memory, before it starts: a machine that swaps or kills the process explains nothing.

The model is built, and one training step traced, on torch's `meta` device, which knows sizes but holds no numbers.
"""

from typing import Any

import torch
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.machine import memory_bytes
from fittingroom.tasks.base import Placed, Task
from fittingroom.training.speed.plan import Plan
from fittingroom.training.step import TrainState, new_state


def check_memory(task: Task, plan: Plan) -> None:
    """Raise FittingRoomError if a training step certainly needs more memory than there is."""
    there = _memory_of(plan)
    if there is None:
        return
    with torch.device("meta"):
        try:
            state = new_state(task, plan)
        except FittingRoomError:
            raise
        except Exception:  # a model from outside may need real numbers to build: then nothing can be said
            return
    weights = _weights_bytes(state)
    # After a step: weights, gradients, and the optimizer's momentum (AdamW has a second moment, too).
    needed = weights * (4 if task.config.optim.name == "adamw" else 3)
    what = f"{_size(weights)} of weights"
    if needed <= there:
        kept = _kept_bytes(state)
        needed, what = max(needed, needed - weights + kept), f"{_size(kept)} for a step of {task.config.batch_size}"
    if needed > there:
        raise FittingRoomError(
            f"{task.config.model} does not fit in memory: training needs over {_size(needed)} ({what}) and {plan.device} has "
            f"{_size(there)}: choose a smaller model or a smaller batch_size"
        )


def _memory_of(plan: Plan) -> int | None:
    if plan.device == "cuda":
        return torch.cuda.get_device_properties(0).total_memory
    return memory_bytes()


def _weights_bytes(state: TrainState) -> int:
    models = [state.model, *([state.average] if state.average is not None else [])]
    return sum(each.nbytes for model in models for each in (*model.parameters(), *model.buffers()))


def _kept_bytes(state: TrainState) -> int:
    """Bytes that the forward pass of one step keeps for the backward pass; 0 if the model cannot be traced."""
    own = {_storage(each) for each in (*state.model.parameters(), *state.model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[_storage(tensor)] = tensor.untyped_storage().nbytes()
        return tensor

    try:
        batch = Placed(model=state.model, device="meta").place(next(state.task.batches.from_step(0)))
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss: Any = state.task.loss(_training(state.model), batch)
            del loss
    except FittingRoomError:
        raise
    except Exception:  # some layers, such as packed sequences, need real numbers
        return 0
    total = sum(size for storage, size in kept.items() if storage not in own)
    return total // 2 if state.plan.precision == "bf16" else total


def _training(model: nn.Module) -> nn.Module:
    return model.train()


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _size(number: int) -> str:
    return f"{number / 1e9:,.1f} GB"
