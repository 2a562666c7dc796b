"""Measure how the time of a step divides between kinds of work, with torch's profiler."""

import statistics
from collections.abc import Callable
from typing import Any

from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from lab.benchmarks.targets import PRODUCTS

KINDS = {
    PRODUCTS: ("addmm", "::mm", "bmm", "convolution", "linear", "matmul", "einsum", "baddbmm"),
    "softmax": ("softmax",),
    "normalisation": ("layer_norm", "batch_norm"),
    "activation": ("gelu", "relu", "threshold"),
    "copies, casts, layout": ("copy_", "_to_copy", "clone", "contiguous", "::cat", "fill_", "zero", "empty", "::to"),
    "sums and scaling": ("::add", "::mul", "::sum", "::mean", "::div", "::sub"),
}
"""Kind of work -> parts of operator names in torch. The first match counts."""


def profile_of(step: Callable[[], float], num_steps: int) -> dict[str, Any]:
    """Median of the seconds that `step` returns, and kind of work -> share of the time in torch's operators."""
    step()
    step_seconds = statistics.median(step() for _ in range(num_steps))
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        for _ in range(num_steps):
            step()
    seconds: dict[str, float] = {}
    for event in profiler.events() or []:
        kind = kind_of(event)
        seconds[kind] = seconds.get(kind, 0.0) + event.self_cpu_time_total
    whole = sum(seconds.values())
    shares = {kind: each / whole for kind, each in sorted(seconds.items(), key=lambda item: -item[1])}
    return {"step_seconds": step_seconds, "shares": shares}


def kind_of(event: FunctionEvent) -> str:
    """The kind of work of an operator call. Calls by the optimizer count as optimizer."""
    above: FunctionEvent | None = event
    while above is not None:
        if above.name.startswith("Optimizer.step"):
            return "optimizer"
        above = above.cpu_parent
    fitting = (kind for kind, names in KINDS.items() if any(name in event.name for name in names))
    return next(fitting, "the rest")
