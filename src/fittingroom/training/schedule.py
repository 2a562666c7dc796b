"""The learning rate as a pure function of progress: a warm-up, then a decay."""

import math
from dataclasses import dataclass
from typing import Literal

from fittingroom.core.errors import FittingRoomError


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How the learning rate changes during a run."""

    shape: Literal["linear", "cosine", "constant", "inverse_sqrt"] = "linear"
    """Decay after the warm-up: to zero (linear, cosine), none, or as 1 / sqrt(step) (Vaswani 2017, equation 3)."""
    warmup_rate: float = 0.1
    """Fraction of all steps in which the rate rises from zero to its peak."""

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_rate < 1:
            raise FittingRoomError(f"warmup_rate {self.warmup_rate} is out of range: choose a number from 0 to below 1")
        if self.shape == "inverse_sqrt" and self.warmup_rate == 0:
            raise FittingRoomError("warmup_rate 0 gives inverse_sqrt no peak: choose a number above 0, such as 0.1")


def lr_factor(step: int, total_steps: int, config: ScheduleConfig) -> float:
    """The learning rate at `step` (from 0) of `total_steps`, as a fraction of its peak: above 0, at most 1."""
    progress = (step + 0.5) / total_steps
    if progress < config.warmup_rate:
        return progress / config.warmup_rate
    if config.shape == "constant":
        return 1.0
    if config.shape == "inverse_sqrt":  # the paper's min(step^-0.5, step * warmup^-1.5), over its peak
        return math.sqrt(config.warmup_rate / progress)
    left = max(0.0, (1 - progress) / (1 - config.warmup_rate))
    return left if config.shape == "linear" else 0.5 * (1 - math.cos(math.pi * left))
