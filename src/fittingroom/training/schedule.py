"""Learning rate as a function of progress: a warm-up, then cosine or linear to zero. Pure; no optimizer in sight."""

import math
from dataclasses import dataclass
from typing import Literal

from fittingroom.core.errors import FittingRoomError


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """The shape of the learning rate over a run."""

    shape: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls to zero after the warm-up."""
    warmup_rate: float = 0.1
    """Share of all steps in which the rate climbs from zero."""

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_rate < 1:
            raise FittingRoomError(
                f"warmup_rate {self.warmup_rate} is no rate: choose a number from 0 up to, not with, 1"
            )


def lr_factor(step: int, total_steps: int, config: ScheduleConfig) -> float:
    """What step `step` (counted from 0) of `total_steps` multiplies the peak learning rate by: above 0, at most 1."""
    progress = (step + 0.5) / total_steps
    if progress < config.warmup_rate:
        return progress / config.warmup_rate
    if config.shape == "constant":
        return 1.0
    left = max(0.0, (1 - progress) / (1 - config.warmup_rate))
    return left if config.shape == "linear" else 0.5 * (1 - math.cos(math.pi * left))
