"""A wall-clock budget as a number of steps: measured once at the start, then fixed, so that a resumed run knows its end."""

import itertools
import math
import statistics
import time

from fittingroom.core.errors import FittingRoomError
from fittingroom.training.speed.probe import Trial, new_trial
from fittingroom.training.step import TrainState

RESERVE = 0.15  # share of a budget kept for what a short measurement does not see: checkpoints, logs, a machine that others use
PROBE_SECONDS = 2.0
MEASURED_SHARE = 0.01  # of a budget, where batches differ in length: few of them would be a chance
DISTURBED = 1.1  # a mean so many times the median: the machine stalls now and then, and a budget has to pay for that
DISTURBED_SHARE = 0.04  # of a budget, measured on such a machine: stalls are rare, and few of them would be a chance
LOOP_SECONDS = 0.005  # what Lightning adds to a step: callbacks, logs
SHORT_VALIDATION = (
    1000  # images, or sources; on the way a run of under two epochs is validated with these, at its end with all
)


def total_steps_for(epochs: float, steps_per_epoch: int) -> int:
    """Steps of a run that is given in epochs."""
    return max(1, round(epochs * steps_per_epoch))


def validations(total_steps: int, steps_per_epoch: int, num_val: int) -> tuple[int, int]:
    """(steps between validations on the way, images or sources of each): all each epoch, in a shorter run a part at quarters.

    Not after each step, though that were an epoch: a checkpoint waits for a step without a validation.
    """
    if total_steps >= 2 * steps_per_epoch:
        return max(2, steps_per_epoch), num_val
    return max(2, math.ceil(total_steps / 4)), min(num_val, SHORT_VALIDATION)


def steps_in_budget(
    seconds_left: float, step_seconds: float, seconds_each: float, steps_per_epoch: int, num_val: int
) -> int:
    """The most steps that fit, the validations on the way counted. Raises FittingRoomError if not one fits."""
    usable = seconds_left * (1 - RESERVE)
    quarters = 4 * min(num_val, SHORT_VALIDATION) * seconds_each
    steps = int((usable - quarters) / step_seconds)
    if steps >= 2 * steps_per_epoch:
        steps = max(2 * steps_per_epoch, int(usable / (step_seconds + num_val * seconds_each / steps_per_epoch)))
    if steps < 1:
        need = math.ceil((quarters + step_seconds) / (1 - RESERVE) - seconds_left)
        raise FittingRoomError(
            f"the budget is too short for one step and its validation: give at least {need + 1} s more"
        )
    return steps


def measure_step(trial: Trial, budget: float, *, one_shape: bool = True) -> float:
    """Seconds of a training step of a run of `budget` seconds, with what Lightning adds to it; the first two do not count.

    The median of two seconds, which one disturbance does not move. On a machine that stalls again and again it would see too
    little: there the mean over a longer while; so also where batches differ in length, for a median would be one of them.
    """
    found = _step_for(trial, PROBE_SECONDS if one_shape else max(PROBE_SECONDS, MEASURED_SHARE * budget))[2:]
    typical = statistics.median(found) if one_shape else statistics.fmean(found)
    if one_shape and statistics.fmean(found) > DISTURBED * typical:
        found += _step_for(trial, DISTURBED_SHARE * budget - PROBE_SECONDS, least=0)
        typical = max(typical, statistics.fmean(found))
    return typical + LOOP_SECONDS


def _step_for(trial: Trial, seconds: float, least: int = 5) -> list[float]:
    """Steps for so long, `least` at least; the seconds of each, the making of its batch included."""
    clock = [time.perf_counter()]
    while len(clock) <= least or clock[-1] < clock[0] + seconds:
        trial.step()
        clock.append(time.perf_counter())
    return [end - start for start, end in itertools.pairwise(clock)]


def total_steps(state: TrainState, began: float) -> int:
    """Of a run: from its epochs, or from a measurement of this machine where it has a budget that began at `began`."""
    task = state.task
    config, batches = task.config, task.batches
    if config.epochs is not None:
        return total_steps_for(config.epochs, batches.steps_per_epoch)
    assert config.budget_seconds is not None
    seconds = measure_step(new_trial(task, state.plan), config.budget_seconds, one_shape=task.one_shape)
    seconds_each = evaluation_seconds(state)
    left = config.budget_seconds - (time.perf_counter() - began)
    return steps_in_budget(left, seconds, seconds_each, batches.steps_per_epoch, task.num_val)


def evaluation_seconds(state: TrainState) -> float:
    """Seconds per item when validating, measured on the run's own model, which is in training mode again afterwards."""
    state.model.to(state.plan.device)
    state.final_model.to(state.plan.device).eval()
    try:
        return state.task.evaluation_seconds(state.placed)
    finally:
        state.final_model.train()
