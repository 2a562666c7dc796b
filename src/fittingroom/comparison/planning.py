"""Plan a grid of runs: the number of runs at a time, and a speed plan for each candidate, shared by all its seeds."""

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
DATA_COPIES = 12  # two million pairs, a file of 69 MB, add up to 0.8 GB to a run

Plan = dict[str, Any]
"""The fields of `training.speed.plan.Plan`, as in comparison.json."""
Table = list[dict[str, Any]]
"""The timings behind a plan, as in environment.json."""
Answer = tuple[Plan, float | None, Table]
"""(plan, its seconds per step or None if runs are too short to be timed, the timings)."""


def plan_grid(
    candidates: Sequence[Candidate],
    num_runs: int,
    *,
    jobs: int | None,
    fixed: Mapping[str, str],
    data_dir: Path | None,
) -> tuple[int, dict[str, Plan], dict[str, Table]]:
    """Choose (runs at a time, the plan of each candidate, the timings behind each plan). Measures in processes, like the runs.

    On a CPU, several runs at a time have one thread and one core each. They are chosen if together they do more steps per
    second than one process with all threads, measured for the first candidate. If `jobs`, a graphics card or a number of
    threads in `fixed` already decides, the two are not compared. Raises FittingRoomError for an impossible plan.
    """
    configs = [each.config for each in candidates]
    most = most_jobs(num_runs, data_bytes=_data_bytes(configs[0])) if jobs is None else min(jobs, num_runs)
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


def most_jobs(num_runs: int, device: str = "cpu", data_bytes: int = 0) -> int:
    """The most runs at a time: limited by runs, cores and memory; 1 on a graphics card. `data_bytes` is the size of the files."""
    if device != "cpu":
        return 1
    return max(1, min(num_runs, len(usable_cores()), _available_memory() // (MEMORY_A_RUN + DATA_COPIES * data_bytes)))


def _data_bytes(config: RunConfig) -> int:
    """The size of the user's files of data."""
    return sum(os.path.getsize(file) for file in config.data_files if os.path.isfile(file))


def _pays(config: RunConfig, tried: Answer, fixed: Mapping[str, str], data_dir: Path | None, jobs: int) -> bool:
    """Whether `jobs` one-thread processes together do more steps per second than one process with all threads."""
    plan, seconds, _ = tried
    if seconds is None:
        return True  # a run too short to be timed spends most of its time on start-up, which uses one thread
    same = {key: str(value) for key, value in plan.items() if key not in ("num_threads", "device")}
    _, seconds_alone, _ = _ask(config, {**same, **fixed}, data_dir, 1)
    return seconds_alone is None or seconds / jobs < seconds_alone


def _ask(config: RunConfig, fixed: Mapping[str, str], data_dir: Path | None, jobs: int) -> Answer:
    """Let `jobs` processes choose a plan at the same time. Return the answer of the slowest."""
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
    """Bytes of physical memory; if the system does not report it, enough for two runs."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 2 * MEMORY_A_RUN
