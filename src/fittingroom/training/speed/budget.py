"""Convert a wall-clock budget to a number of steps. It is measured once at the start, so that a resumed run keeps its length.

In a comparison it is measured once per model: all seeds do the same number of steps. Otherwise the noise of the measurement
would look like variation between seeds.
"""

import itertools
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import exclusive_lock, read_json, write_json
from fittingroom.tasks.base import Task
from fittingroom.training.speed.plan import Plan
from fittingroom.training.speed.probe import Trial, new_trial
from fittingroom.training.step import TrainState

RESERVE = 0.15
"""Share of a budget kept for costs that a short measurement misses: checkpoints, logs, other users of the machine."""
PROBE_SECONDS = 2.0
"""Seconds of steps to measure, at least."""
MEASURED_SHARE = 0.01
"""Share of a budget to measure, if that is longer: a disturbance of some seconds should not shorten a run of an hour."""
DISTURBED = 1.1
"""A mean step time of this many times the median shows that the machine stalls; the budget must cover the stalls."""
DISTURBED_SHARE = 0.04
"""Share of a budget to measure on a machine that stalls: stalls are rare, and a short measurement misses them."""
LOOP_SECONDS = 0.005
"""Seconds that Lightning adds to a step for callbacks and logs."""
AGREEMENT_SECONDS = 30.0
"""Seconds to wait for another run of the same model that is just writing its number of steps."""
SHORT_VALIDATION = 1000
"""Items in each validation of a run under two epochs. Its final evaluation uses the whole validation split."""
MOST_VALIDATIONS = 50
"""Validations of a run, at most. A small data set takes hundreds of epochs, and a curve needs no more points."""


def total_steps_for(epochs: float, steps_per_epoch: int) -> int:
    """The number of steps in `epochs`, at least 1."""
    return max(1, round(epochs * steps_per_epoch))


def validations(total_steps: int, steps_per_epoch: int, num_val: int) -> tuple[int, int]:
    """(steps between validations, items per validation). Validates on all items after every epoch, at most 50 times.

    A run under two epochs validates four times, on at most `SHORT_VALIDATION` items. There are at least 2 steps between
    validations, because checkpoints are saved only at steps without one.
    """
    if total_steps >= 2 * steps_per_epoch:
        return max(2, steps_per_epoch, math.ceil(total_steps / MOST_VALIDATIONS)), num_val
    return max(2, math.ceil(total_steps / 4)), min(num_val, SHORT_VALIDATION)


def steps_in_budget(
    seconds_left: float, step_seconds: float, seconds_each: float, steps_per_epoch: int, num_val: int
) -> int:
    """The most steps that fit, including the validations between them. Raises FittingRoomError if none fits."""
    usable = seconds_left * (1 - RESERVE)
    quarters = 4 * min(num_val, SHORT_VALIDATION) * seconds_each
    steps = int((usable - quarters) / step_seconds)
    if steps >= 2 * steps_per_epoch:
        validation = num_val * seconds_each
        every_epoch = int(usable / (step_seconds + validation / steps_per_epoch))
        rarer = int((usable - MOST_VALIDATIONS * validation) / step_seconds)
        steps = max(2 * steps_per_epoch, every_epoch if every_epoch <= MOST_VALIDATIONS * steps_per_epoch else rarer)
    if steps < 1:
        need = math.ceil((quarters + step_seconds) / (1 - RESERVE) - seconds_left)
        raise FittingRoomError(
            f"the budget is too short for one step and its validation: give at least {need + 1} s more"
        )
    return steps


def measure_step(trial: Trial, budget: float, *, one_shape: bool = True) -> float:
    """Seconds of a training step, including what Lightning adds. The first two measured steps are ignored.

    If all batches have one shape, this is the median over some seconds, which a single stall does not change. On a machine
    that stalls often the median is too low, so a longer measurement gives the mean. Batches of different lengths use the
    mean too, because a median would show only one length.
    """
    first = max(PROBE_SECONDS, MEASURED_SHARE * budget)
    found = _step_for(trial, first)[2:]
    typical = statistics.median(found) if one_shape else statistics.fmean(found)
    if one_shape and statistics.fmean(found) > DISTURBED * typical:
        found += _step_for(trial, DISTURBED_SHARE * budget - first, least=0)
        typical = max(typical, statistics.fmean(found))
    return typical + LOOP_SECONDS


def _step_for(trial: Trial, seconds: float, least: int = 5) -> list[float]:
    """Do steps for `seconds`, at least `least` of them. Return the seconds of each, including loading its batch."""
    clock = [time.perf_counter()]
    while len(clock) <= least or clock[-1] < clock[0] + seconds:
        trial.step()
        clock.append(time.perf_counter())
    return [end - start for start, end in itertools.pairwise(clock)]


def total_steps(state: TrainState, began: float) -> int:
    """Steps of the whole run: from its epochs, or measured on this machine for a time budget that started at `began`."""
    task = state.task
    config, batches = task.config, task.batches
    if config.epochs is not None:
        return total_steps_for(config.epochs, batches.steps_per_epoch)
    assert config.budget_seconds is not None
    seconds = measure_step(new_trial(task, state.plan), config.budget_seconds, one_shape=task.one_shape)
    seconds_each = evaluation_seconds(state)
    left = config.budget_seconds - (time.perf_counter() - began)
    return steps_in_budget(left, seconds, seconds_each, batches.steps_per_epoch, task.num_val)


def check_planned(task: Task, planned: int | None, path: Path) -> None:
    """Raise FittingRoomError if a resumed run has another number of steps in `path`, its state, than its config gives."""
    if planned is None:
        return
    epochs = task.config.epochs
    right = planned if epochs is None else total_steps_for(epochs, task.batches.steps_per_epoch)
    if planned < 1 or planned != right:
        raise FittingRoomError(
            f"{path} has total_steps {planned}, which is not the length of this run: put the file back, or delete "
            f"{path.parent}"
        )


def agreed_steps(path: Path | None, measure: Callable[[], int]) -> int:
    """The number of steps that the runs of one model share in the file `path`. The first run to end its measurement decides.

    Without a path, the run's own measurement counts. Raises FittingRoomError that names a damaged file.
    """
    if path is None:
        return measure()
    if not path.exists():
        agree_on_steps(path, measure())
    found = read_json(path).get("total_steps")
    if not isinstance(found, int) or found < 1:
        raise FittingRoomError(f"{path} lacks total_steps: delete it and run the command again")
    return found


def agree_on_steps(path: Path, total_steps: int) -> None:
    """Write the number of steps into `path`, unless another run has."""
    with exclusive_lock(path.parent, AGREEMENT_SECONDS, lock=f".{path.name}.lock"):
        if not path.exists():
            write_json(path, {"total_steps": total_steps})


def check_budget(task: Task, plan: Plan, up_to: float) -> None:
    """Raise FittingRoomError if the budget is certainly too short for one step. Budgets over `up_to` seconds are not measured."""
    config = task.config
    if config.budget_seconds is None or config.budget_seconds > up_to:
        return
    before = torch.get_num_threads()
    try:
        trial = new_trial(task, plan)
        step_seconds = min(trial.step() for _ in range(3))
        seconds_each = evaluation_seconds(trial.state)
    finally:
        torch.set_num_threads(before)
    try:
        steps_in_budget(config.budget_seconds, step_seconds, seconds_each, task.batches.steps_per_epoch, task.num_val)
    except FittingRoomError as error:
        raise FittingRoomError(f"{config.label}: {error}") from error


def evaluation_seconds(state: TrainState) -> float:
    """Seconds per item when validating, measured on the run's own model, then set back to training mode."""
    state.model.to(state.plan.device)
    state.final_model.to(state.plan.device).eval()
    try:
        return state.task.evaluation_seconds(state.placed)
    finally:
        state.final_model.train()
