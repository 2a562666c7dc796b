"""The learning rate as a pure function of progress: a warm-up, then a decay."""

import math

from fittingroom.tasks.config import ScheduleConfig


def lr_factor(step: int, total_steps: int, config: ScheduleConfig) -> float:
    """The learning rate at `step` (from 0) of `total_steps`, as a fraction of its peak: above 0, at most 1."""
    progress = (step + 0.5) / total_steps
    if progress < config.warmup_rate:
        return progress / config.warmup_rate
    if config.shape == "constant":
        return 1.0
    if (
        config.shape == "inverse_sqrt"
    ):  # min(step^-0.5, step * warmup^-1.5) of the Transformer paper, divided by its peak
        return math.sqrt(config.warmup_rate / progress)
    left = max(0.0, (1 - progress) / (1 - config.warmup_rate))
    return left if config.shape == "linear" else 0.5 * (1 - math.cos(math.pi * left))
