"""Settings of torch that a user may have changed for a whole process or block: they do not reach our work, nor ours the user."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def usual_torch() -> Iterator[None]:
    """Inside this block, or in a function decorated with it, torch works as in a new process; afterwards as before.

    That is: tensors are made on the CPU and in float32, there are gradients, and no autocast or inference mode. Random draws
    inside do not change the caller's.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=_devices()))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":  # being inside a device slows down every call of torch
            stack.enter_context(torch.device("cpu"))
        if dtype != torch.float32:
            stack.callback(torch.set_default_dtype, dtype)
            torch.set_default_dtype(torch.float32)
        yield


def _devices() -> list[int]:
    """The GPUs whose random state there is to keep."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
