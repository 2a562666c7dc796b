"""How a grid is run: how many runs side by side, and the speed plan of each candidate, the same for all its seeds."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fittingroom.comparison.candidate import Candidate
from fittingroom.comparison.executors.base import Work
from fittingroom.comparison.executors.processes import Processes, usable_cores
from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import external_modules
from fittingroom.tasks.config import RunConfig
from fittingroom.training.speed.plan import first_guess, with_fixed

MEMORY_A_RUN = 5 * 1024**3 // 2  # bytes; runs on images take about 1 GiB, on sequences up to 2.1

Plan = dict[str, Any]
"""The fields of `training.speed.plan.Plan`, as comparison.json has them."""
Table = list[dict[str, Any]]
"""The timings behind a plan, as environment.json has them."""
Answer = tuple[Plan, float | None, Table]
"""A plan, seconds per step under it (None where a run is too short to be timed), and the timings."""


def plan_grid(
    candidates: Sequence[Candidate],
    num_runs: int,
    *,
    jobs: int | None,
    fixed: Mapping[str, str],
    data_dir: Path | None,
) -> tuple[int, dict[str, Plan], dict[str, Table]]:
    """(runs at a time, the plan of each candidate, the timings behind it): measured in processes, as the runs will be.

    Side by side means one thread each on a core of its own. That pays where that many one-thread processes make more steps
    per second than one process with all threads; the first candidate is asked. Where `jobs` or `fixed` settle it (a graphics
    card, a number of threads), nothing is asked. Raises FittingRoomError for an impossible plan.
    """
    most = most_jobs(num_runs) if jobs is None else min(jobs, num_runs)
    configs = [each.config for each in candidates]
    on_cpu = with_fixed(first_guess(configs[0]), fixed).device == "cpu"
    if most > 1 and on_cpu and "num_threads" not in fixed:
        tried = [_ask(config, {**fixed, "num_threads": "1"}, data_dir, most) for config in configs]
        if jobs is not None or _pays(configs[0], tried[0], fixed, data_dir, most):
            return most, *_by_name(candidates, tried)
    return 1 if jobs is None else most, *_by_name(candidates, [_ask(each, fixed, data_dir, 1) for each in configs])


def _by_name(candidates: Sequence[Candidate], answers: Sequence[Answer]) -> tuple[dict[str, Plan], dict[str, Table]]:
    names = [each.name for each in candidates]
    plans = {name: plan for name, (plan, _, _) in zip(names, answers, strict=True)}
    return plans, {name: table for name, (_, _, table) in zip(names, answers, strict=True)}


def most_jobs(num_runs: int, device: str = "cpu") -> int:
    """No more at a time than there are runs, cores, and memory for them; one on a graphics card."""
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
    """Asked of `jobs` processes at once; the answer of the slowest."""
    work = Work(
        config=to_dict(config), folder="", data_dir=None if data_dir is None else str(data_dir), plan=dict(fixed),
        only_plan=True, concurrency=jobs, modules=external_modules(),
    )  # fmt: skip
    answers = []
    for event in Processes(jobs=jobs).run([work] * jobs):
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
