"""A wall-clock budget as a number of steps: measured once at the start, then fixed, so that a resumed run knows its end."""

import math
import statistics
import time

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.batches import TrainBatches, normalise
from fittingroom.training.probe import Trial
from fittingroom.training.task import ClassificationTask

RESERVE = 0.15  # share of a budget kept for what a short measurement does not see: checkpoints, logs, a machine that others use
PROBE_SECONDS = 2.0
LOOP_SECONDS = 0.005  # what Lightning adds to a step: callbacks, logs
SHORT_VALIDATION = 1000  # images; on the way a run of under two epochs is validated with these, at its end with all


def total_steps_for(epochs: float, steps_per_epoch: int) -> int:
    """Steps of a run that is given in epochs."""
    return max(1, round(epochs * steps_per_epoch))


def validations(total_steps: int, steps_per_epoch: int, num_val: int) -> tuple[int, int]:
    """(steps between validations on the way, images of each): after an epoch all, in a shorter run at quarters a part."""
    if total_steps >= 2 * steps_per_epoch:
        return steps_per_epoch, num_val
    return max(1, math.ceil(total_steps / 4)), min(num_val, SHORT_VALIDATION)


def steps_in_budget(
    seconds_left: float, step_seconds: float, seconds_per_image: float, steps_per_epoch: int, num_val: int
) -> int:
    """The most steps that fit, the validations on the way counted. Raises FittingRoomError if not one fits."""
    usable = seconds_left * (1 - RESERVE)
    quarters = 4 * min(num_val, SHORT_VALIDATION) * seconds_per_image
    steps = int((usable - quarters) / step_seconds)
    if steps >= 2 * steps_per_epoch:
        steps = max(2 * steps_per_epoch, int(usable / (step_seconds + num_val * seconds_per_image / steps_per_epoch)))
    if steps < 1:
        need = math.ceil((quarters + step_seconds) / (1 - RESERVE) - seconds_left)
        raise FittingRoomError(
            f"the budget is too short for one step and its validation: give at least {need + 1} s more"
        )
    return steps


def measure_step(trial: Trial) -> float:
    """Median seconds of a training step, with what Lightning adds to it; the first two do not count."""
    end = time.perf_counter() + PROBE_SECONDS
    while len(trial.seconds) < 5 or time.perf_counter() < end:
        trial.step()
    return statistics.median(trial.seconds[2:]) + LOOP_SECONDS


def measure_evaluation(task: ClassificationTask, batches: TrainBatches) -> float:
    """Seconds an image when evaluating, from one batch of at most 500, the second time it is done."""
    images = normalise(batches.train.images[:500], batches.spec).to(task.plan.device)
    task.to(task.plan.device).eval()
    plan = task.plan
    with torch.inference_mode(), torch.autocast(plan.device, torch.bfloat16, enabled=plan.precision == "bf16"):
        task(images)
        start = time.perf_counter()
        task(images).sum().item()
        seconds = time.perf_counter() - start
    task.train()
    return seconds / len(images)
