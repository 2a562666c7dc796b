"""Learning rate as a function of progress: a warm-up, then cosine or linear to zero. Pure; no optimizer in sight."""

import math
from dataclasses import dataclass
from typing import Literal

from fittingroom.core.errors import FittingRoomError


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """The shape of the learning rate over a run."""

    shape: Literal["linear", "cosine", "constant", "inverse_sqrt"] = "linear"
    """How the rate falls after the warm-up: to zero, not at all, or with the root of the steps (Vaswani 2017, equation 3)."""
    warmup_rate: float = 0.1
    """Share of all steps in which the rate climbs from zero."""

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_rate < 1:
            raise FittingRoomError(
                f"warmup_rate {self.warmup_rate} is no rate: choose a number from 0 up to, not with, 1"
            )
        if self.shape == "inverse_sqrt" and self.warmup_rate == 0:
            raise FittingRoomError(
                "warmup_rate 0 leaves inverse_sqrt no peak to fall from: choose one above 0, such as 0.1"
            )


def lr_factor(step: int, total_steps: int, config: ScheduleConfig) -> float:
    """What step `step` (counted from 0) of `total_steps` multiplies the peak learning rate by: above 0, at most 1."""
    progress = (step + 0.5) / total_steps
    if progress < config.warmup_rate:
        return progress / config.warmup_rate
    if config.shape == "constant":
        return 1.0
    if config.shape == "inverse_sqrt":  # the paper's rate, in steps: min(step^-0.5, step * warmup^-1.5), over its peak
        return math.sqrt(config.warmup_rate / progress)
    left = max(0.0, (1 - progress) / (1 - config.warmup_rate))
    return left if config.shape == "linear" else 0.5 * (1 - math.cos(math.pi * left))
