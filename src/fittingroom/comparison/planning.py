"""How a grid is run: how many runs side by side, and each model's speed plan, the same for all its seeds."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fittingroom.comparison.executors import Work, side_by_side, usable_cores
from fittingroom.core.errors import FittingRoomError
from fittingroom.training.config import RunConfig
from fittingroom.training.speed.plan import first_guess, with_fixed

MEMORY_A_RUN = 5 * 1024**3 // 2  # bytes; runs of images take about 1 GiB, of sequences up to 2.1

Plan = dict[str, Any]
"""The fields of `training.plan.Plan`, as they stand in comparison.json."""
Table = list[dict[str, Any]]
"""The timings behind a plan, as they stand in environment.json."""
Answer = tuple[Plan, float | None, Table]
"""The plan of a model, the seconds of a step under it (None where a run is too short to be timed), and the table behind."""


def plan_grid(
    configs: Sequence[RunConfig], *, jobs: int | None, fixed: Mapping[str, str], data_dir: Path | None
) -> tuple[int, dict[str, Plan], dict[str, Table]]:
    """(runs at a time, the plan of each model, the timings behind it): measured in processes, under the conditions of the runs.

    Side by side means one thread each on a core of its own. That pays where so many one-thread processes together make
    more steps in a second than one process with all threads; the first model is asked. Where `jobs` or `fixed` settle it (a
    graphics card, a number of threads), nothing is asked. Raises FittingRoomError for a plan that cannot be.
    """
    by_model = {config.model: config for config in reversed(configs)}
    firsts = [by_model[name] for name in dict.fromkeys(config.model for config in configs)]
    most = most_jobs(len(configs)) if jobs is None else min(jobs, len(configs))
    on_cpu = with_fixed(first_guess(firsts[0]), fixed).device == "cpu"
    if most > 1 and on_cpu and "num_threads" not in fixed:
        tried = [_ask(config, {**fixed, "num_threads": "1"}, data_dir, most) for config in firsts]
        if jobs is not None or _pays(firsts[0], tried[0], fixed, data_dir, most):
            return most, *_by_model(firsts, tried)
    return 1 if jobs is None else most, *_by_model(firsts, [_ask(config, fixed, data_dir, 1) for config in firsts])


def _by_model(configs: Sequence[RunConfig], answers: Sequence[Answer]) -> tuple[dict[str, Plan], dict[str, Table]]:
    names = [config.model for config in configs]
    plans = {name: plan for name, (plan, _, _) in zip(names, answers, strict=True)}
    return plans, {name: table for name, (_, _, table) in zip(names, answers, strict=True)}


def most_jobs(num_runs: int, device: str = "cpu") -> int:
    """No more at a time than there are runs, cores, and gigabytes for them; one on a graphics card."""
    if device != "cpu":
        return 1
    return max(1, min(num_runs, len(usable_cores()), _available_memory() // MEMORY_A_RUN))


def _pays(config: RunConfig, tried: Answer, fixed: Mapping[str, str], data_dir: Path | None, jobs: int) -> bool:
    """Whether `jobs` one-thread processes make more steps together than one that has all threads."""
    plan, seconds, _ = tried
    if seconds is None:
        return True  # runs too short to be timed: their start-up, which has one thread, is most of them
    same = {key: str(value) for key, value in plan.items() if key not in ("num_threads", "device")}
    _, seconds_alone, _ = _ask(config, {**same, **fixed}, data_dir, 1)
    return seconds_alone is None or seconds / jobs < seconds_alone


def _ask(config: RunConfig, fixed: Mapping[str, str], data_dir: Path | None, jobs: int) -> Answer:
    """Asked of `jobs` processes at once; the slowest one's answer."""
    work = Work(config=config, folder=Path(), data_dir=data_dir, plan=fixed, only_plan=True, concurrency=jobs)
    answers = []
    for event in side_by_side([work] * jobs, jobs):
        if event.kind == "failed":
            raise FittingRoomError(event.content)
        if event.kind == "finished":
            answers.append(event.content)
    return max(answers, key=lambda answer: answer[1] or 0.0)


def _available_memory() -> int:
    """Bytes of physical memory of the machine; where the system does not tell, enough for two runs."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 2 * MEMORY_A_RUN
