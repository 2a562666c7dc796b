"""The grid of a comparison, candidates x seeds. Finished runs are skipped, stopped runs resumed, missing runs started."""

import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fittingroom import __version__
from fittingroom.comparison.candidate import Candidate, check_different
from fittingroom.comparison.executors.base import Work
from fittingroom.comparison.executors.processes import PATIENCE, Processes, have_own_core
from fittingroom.comparison.pictures import PICTURES
from fittingroom.comparison.planning import plan_grid
from fittingroom.comparison.protocol import Budget, fair_order
from fittingroom.comparison.summary import summarise
from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError, found_in
from fittingroom.core.records import (
    ComparisonRecord,
    RunRow,
    RunState,
    Summary,
    read_state,
    write_comparison,
    write_summary,
)
from fittingroom.core.registry import external_modules
from fittingroom.core.rundir import exclusive_lock, read_json, remove_temporary, write_json
from fittingroom.models.cost import num_params
from fittingroom.tasks.base import Task
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import open_task
from fittingroom.tasks.scoring import ProtocolFacts
from fittingroom.training.folder import check_checkpoint_seconds, check_holds, check_same_data, new_state_of, tidy
from fittingroom.training.logger_names import check_loggers
from fittingroom.training.memory import check_memory
from fittingroom.training.speed.budget import agree_on_steps, check_budget
from fittingroom.training.speed.plan import Plan, differences, first_guess, with_fixed

CHECKED_BUDGET = 30.0
"""Seconds of the longest budget for which one step of each candidate is measured before anything is written."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The settings of a comparison."""

    folder: Path
    candidates: Sequence[Candidate]
    seeds: Sequence[int]
    budget: Budget
    command: Sequence[str] = ()
    data_dir: Path | None = None
    checkpoint_seconds: float = 30.0
    jobs: int | None = None
    """Runs at a time; by default the fastest number, which is measured."""
    plan: Mapping[str, str] = field(default_factory=dict)
    """Parts of the speed plan that the user chose."""
    loggers: Sequence[str] = ()
    """Names of loggers, such as `tensorboard` and `wandb@project=shoes`."""
    hints: Sequence[str] = ()
    """What was chosen for this data, to be said first."""

    def __post_init__(self) -> None:
        check_checkpoint_seconds(self.checkpoint_seconds)
        check_loggers(self.loggers)

    @property
    def runs(self) -> list[tuple[Candidate, int]]:
        """Candidate and seed of each run, in the order of the runs."""
        by_name = {each.name: each for each in self.candidates}
        return [(by_name[name], seed) for name, seed in fair_order(list(by_name), list(self.seeds))]


@dataclass(kw_only=True)
class Watcher:
    """Functions that report progress. By default they do nothing."""

    hints: Callable[[str], None] = field(default=lambda hint: None)
    """Called first, with each sentence about what looks like a mistake in the data."""
    plans: Callable[[], None] = field(default=lambda: None)
    """Called before speed plans are measured, which takes some seconds per candidate the first time on a machine."""
    starts: Callable[[int, str], None] = field(default=lambda number, run: None)
    steps: Callable[[int, int, int, float | None], None] = field(default=lambda number, step, total, score: None)
    ends: Callable[[int, RunRow], None] = field(default=lambda number, row: None)
    pictures: Callable[[], None] = field(default=lambda: None)
    """Called after the last run, before the pictures for the report are written, which takes some seconds."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One run of the grid."""

    candidate: Candidate
    task: Task

    @property
    def name(self) -> str:
        return self.candidate.run(self.config.seed)

    @property
    def config(self) -> RunConfig:
        return self.task.config

    @property
    def folder(self) -> str:
        return f"runs/{self.name}"

    def row(self, state: RunState) -> RunRow:
        shared = (
            "seed", "status", "error", "config_hash", "steps", "epochs", "train_seconds", "items_per_second",
            "peak_memory_bytes", "num_params", "num_macs", "evals", "extras",
        )  # fmt: skip
        return RunRow(
            run=self.name,
            folder=self.folder,
            candidate=self.candidate.name,
            num_train=self.config.num_train,
            **{name: getattr(state, name) for name in shared},
        )


def run_comparison(comparison: Comparison, watcher: Watcher) -> Summary:
    """Do every run, then write pictures and summary; return the summary. It can be stopped at any time and called again.

    Raises FittingRoomError for bad input, and if another process works in the folder.
    """
    runs = _open(comparison)
    _check_plan(comparison)
    _check_budget(comparison, runs)
    one_seed = runs[: len(comparison.candidates)]
    hints = [*comparison.hints, *(hint for run in one_seed for hint in run.task.hints), *runs[0].task.comparison_hints]
    for hint in dict.fromkeys(hints):
        watcher.hints(hint)
    with exclusive_lock(comparison.folder):
        return _run_comparison(comparison, runs, watcher)


def _run_comparison(comparison: Comparison, runs: list[_Run], watcher: Watcher) -> Summary:
    _check_folder(comparison.folder, runs)
    for folder in (comparison.folder, comparison.folder / "steps"):
        remove_temporary(folder)
    record = _record(comparison, runs, watcher)
    rows: dict[int, RunRow] = {}
    for number, row in _run_all(comparison, runs, record, watcher):
        rows[number] = row
        record = replace(record, runs=tuple(rows[number] for number in sorted(rows)))
        write_comparison(comparison.folder, record)
        watcher.ends(number, row)
    record = replace(record, environment=_environment(comparison.folder, record))
    write_comparison(comparison.folder, record)
    if record.task in PICTURES.names():
        tasks = {(run.candidate.name, run.config.seed): run.task for run in runs}
        PICTURES.get(record.task)(comparison.folder, record, tasks, watcher.pictures)
    summary = summarise(comparison.folder)
    write_summary(comparison.folder, summary)
    return summary


def _open(comparison: Comparison) -> list[_Run]:
    """Each run with its data. Raises FittingRoomError for missing or invalid data, before the folder is created."""
    first = comparison.candidates[0]
    for other in comparison.candidates:
        if other.config.task != first.config.task:
            raise FittingRoomError(
                f"{first.name} is for {first.config.task} and {other.name} for {other.config.task}: compare models of one task"
            )
    check_different(comparison.candidates)
    runs = [
        _Run(candidate=each, task=open_task(each.with_seed(seed), comparison.data_dir))
        for each, seed in comparison.runs
    ]
    for run in runs:
        _ = run.config
    one_seed = [run for run in runs if run.config.seed == runs[0].config.seed]
    for run in one_seed:
        _ = run.task.batches  # where a training size or a batch is larger than the training part
        check_memory(run.task, with_fixed(first_guess(run.config), comparison.plan))
    # Resolved configs show that `vit@patch_size=4` is `vit`.
    check_different([replace(run.candidate, config=run.config) for run in one_seed])
    return runs


def _check_folder(folder: Path, runs: list[_Run]) -> None:
    """Raise FittingRoomError if `folder` is itself a run, or if the folder of a run holds a run with other settings."""
    if (folder / "state.json").exists() or (folder / "config.json").exists():
        raise FittingRoomError(f"{folder} holds a run: choose another folder for the comparison with --out")
    for run in runs:
        place = folder / run.folder
        check_holds(place, read_state(place), run.config, getattr(run.task.spec, "digest", None))
        check_same_data(place, run.task)


def _check_plan(comparison: Comparison) -> None:
    """Raise FittingRoomError for an impossible plan, and for one that differs from the plan of earlier runs here.

    Runs before anything is written.
    """
    with_fixed(first_guess(comparison.candidates[0].config), comparison.plan)
    for name, values in _earlier_plans(comparison.folder)["plans"].items():
        plan = from_dict(Plan, values, f"{comparison.folder / 'plan.json'}: {name}")
        changed = differences(with_fixed(plan, comparison.plan), plan)
        if changed:
            wanted = ", ".join(f"{key}={value}" for key, value in changed.items())
            raise FittingRoomError(
                f"{comparison.folder} was started with another plan than {wanted}: omit --plan to continue, or choose another "
                "folder with --out"
            )


def _check_budget(comparison: Comparison, runs: Sequence[_Run]) -> None:
    """Raise FittingRoomError if a short budget is not enough for one step of a candidate that has no run yet."""
    for run in runs[: len(comparison.candidates)]:  # the first seed
        if read_state(comparison.folder / run.folder).status == "absent":
            check_budget(run.task, with_fixed(first_guess(run.config), comparison.plan), CHECKED_BUDGET)


def _earlier_plans(folder: Path) -> dict[str, Any]:
    path = folder / "plan.json"
    earlier = read_json(path) if path.exists() else {"jobs": None, "plans": {}}
    jobs, plans, probes = earlier.get("jobs"), earlier.get("plans"), earlier.get("probes", {})
    whole = jobs is None or (isinstance(jobs, int) and jobs > 0)
    if not (whole and "jobs" in earlier and isinstance(plans, dict) and isinstance(probes, dict)):
        raise FittingRoomError(f"{path} lacks jobs or plans: delete {folder} and run the comparison again")
    with found_in(path):
        for name, plan in plans.items():
            from_dict(Plan, plan, f"plans.{name}")
    return earlier


def _run_all(
    comparison: Comparison, runs: Sequence[_Run], record: ComparisonRecord, watcher: Watcher
) -> Iterator[tuple[int, RunRow]]:
    """Yield the number and the row of each run when it ends, starting with the runs that were finished before."""
    states = [read_state(comparison.folder / run.folder) for run in runs]
    missing = [number for number, state in enumerate(states) if state.status != "finished"]
    for number in sorted(set(range(len(runs))) - set(missing)):
        tidy(comparison.folder / runs[number].folder, PATIENCE)
        yield number, runs[number].row(states[number])
    if comparison.budget.seconds is not None:
        _keep_steps(comparison, runs, states)
    probes = _earlier_plans(comparison.folder).get("probes", {})
    works = [_work(comparison, runs[number], record, probes) for number in missing]
    for event in Processes(jobs=record.jobs).run(works):
        number = missing[event.number]
        run = runs[number]
        if event.kind == "starts":
            watcher.starts(number, run.name)
        elif event.kind == "progress":
            watcher.steps(number, *event.content)
        elif event.kind == "finished":
            yield number, run.row(from_dict(RunState, event.content))
        else:
            state = replace(new_state_of(run.config, run.name), status="failed", error=event.content)
            yield number, run.row(state)


def _steps_file(comparison: Comparison, run: _Run) -> Path:
    """Where the runs of one candidate agree on how many steps fit into a time budget."""
    return comparison.folder / "steps" / f"{run.candidate.slug}.json"


def _keep_steps(comparison: Comparison, runs: Sequence[_Run], states: Sequence[RunState]) -> None:
    """In a folder begun by an earlier version: the steps of a candidate's first run hold for its other seeds."""
    for run, state in zip(runs, states, strict=True):
        if state.total_steps is not None:
            agree_on_steps(_steps_file(comparison, run), state.total_steps)


def _work(comparison: Comparison, run: _Run, record: ComparisonRecord, probes: dict[str, Any]) -> Work:
    name = run.candidate.name
    return Work(
        config=to_dict(run.config),
        folder=str(comparison.folder / run.folder),
        run=run.name,
        data_dir=None if comparison.data_dir is None else str(comparison.data_dir),
        checkpoint_seconds=comparison.checkpoint_seconds,
        steps_file=None if comparison.budget.seconds is None else str(_steps_file(comparison, run)),
        plan={key: json.dumps(value) for key, value in record.plans[name].items()},
        probe=probes.get(name, []),
        loggers=list(comparison.loggers),
        group=comparison.folder.resolve().name,
        modules=external_modules(),
    )


def _plans(comparison: Comparison, watcher: Watcher) -> tuple[int, dict[str, Any]]:
    """Runs at a time and plans. They stay as they were when the comparison began; plans of new candidates are measured."""
    before = _earlier_plans(comparison.folder)
    jobs, plans = comparison.jobs or before["jobs"], before["plans"]
    new = [each for each in dict.fromkeys(each.name for each, _ in comparison.runs) if each not in plans]
    by_name = {each.name: each for each in comparison.candidates}
    num_runs = len(comparison.runs)
    if new:
        watcher.plans()
        # If earlier runs had one core each, runs of new candidates get one core too, even if there is only one run.
        one_core = (
            before["jobs"] is not None and before["jobs"] > 1 and all(p["num_threads"] == 1 for p in plans.values())
        )
        fixed = {**({"num_threads": "1"} if one_core else {}), **comparison.plan}
        measured, more, tables = plan_grid(
            [by_name[name] for name in new],
            len(new) * len(comparison.seeds),
            jobs=jobs,
            fixed=fixed,
            data_dir=comparison.data_dir,
        )
        jobs, plans = jobs or measured, {**plans, **more}
        probes = {**before.get("probes", {}), **tables}
        write_json(comparison.folder / "plan.json", {"jobs": jobs, "plans": plans, "probes": probes})
    return min(jobs, num_runs), plans


def _record(comparison: Comparison, runs: list[_Run], watcher: Watcher) -> ComparisonRecord:
    """The content of comparison.json before the first run."""
    jobs, plans = _plans(comparison, watcher)
    first, seeds = runs[0].task, sorted(comparison.seeds)
    registry = first.config.registry.names()
    place = {name: number for number, name in enumerate(registry)}
    ordered = sorted(comparison.candidates, key=lambda each: place.get(each.config.model, len(place)))
    tasks = {run.candidate.name: run.task for run in runs if run.config.seed == seeds[0]}
    sizes = {tasks[each.name].split_record().num_train for each in ordered}
    data = first.data_record()
    if len(sizes) > 1:
        data = replace(data, num_train=None)
    return ComparisonRecord(
        title=first.title,
        task=first.name,
        command=shlex.join(comparison.command),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        version=__version__,
        budget=comparison.budget.record,
        data=data,
        seeds=tuple(seeds),
        candidates=tuple(
            each.record(num_params=num_params(tasks[each.name].new_model()), num_macs=tasks[each.name].step_macs())
            for each in ordered
        ),
        jobs=jobs,
        plans=plans,
        protocol=tuple(
            first.scoring.protocol(
                ProtocolFacts(
                    sizes={each.title: each.size for each in ordered if each.size},
                    budget=comparison.budget.record,
                    num_seeds=len(seeds) // data.facts.get("folds", 1),
                    jobs=jobs,
                    own_core=have_own_core({name: plans[name] for name in tasks}, jobs),
                    num_train=data.num_train,
                    num_val=data.num_val or 0,
                    num_test=data.num_test or 0,
                    name=data.name,
                    split=data.facts.get("split", ""),
                    task=data.facts,
                )
            )
        ),
        environment={},  # of the first run that finishes
    )


def _environment(folder: Path, record: ComparisonRecord) -> dict[str, str]:
    """The environment and plan of the first finished run that has an environment.json, as texts."""
    paths = [folder / row.folder / "environment.json" for row in record.finished()]
    path = next((each for each in paths if each.exists()), None)
    if path is None:
        return {}
    found = read_json(path)
    plan = found.pop("plan", {})
    plan = plan if isinstance(plan, dict) else {}
    for key in ("probe", "resumed"):
        found.pop(key, None)
    return {key: str(value) for key, value in {**found, **plan}.items() if value is not None}
