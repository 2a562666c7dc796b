"""`fit`: a RunConfig in, a run folder out. Resumable at any moment, exact when resumed."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fittingroom.core.config import config_hash, from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import exclusive_lock, make_folder, read_json, read_state, write_json
from fittingroom.models.cost import num_params
from fittingroom.training.config import RunConfig
from fittingroom.training.environment import describe_environment
from fittingroom.training.loop import Progress, train
from fittingroom.training.problem import Problem, open_problem
from fittingroom.training.results import ledger_row, write_results
from fittingroom.training.speed import budget
from fittingroom.training.speed.engine import Fixed, check_compiler, choose_plan, is_long, set_up_process, step_seconds
from fittingroom.training.speed.plan import Plan, check_device, differences, first_guess, with_fixed
from fittingroom.training.speed.probe import time_step


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What changes nothing about the result: where files lie, who is told."""

    folder: Path
    data_dir: Path | None = None
    resume: bool = False
    loggers: tuple[str, ...] = ()
    progress_bar: bool = False
    progress: Progress | None = None
    checkpoint_seconds: float = 30.0
    on_probe: Callable[[], None] = field(default=lambda: None)
    """Called when the speed plan is about to be measured: some seconds, the first time on a machine."""
    plan: Fixed = field(default_factory=dict)
    """Parts of the speed plan that are chosen by hand; the others are measured."""
    probe: Sequence[dict[str, Any]] = ()
    """The timings behind a plan that was measured before, for environment.json."""
    concurrency: int = 1
    """How many processes measure their plans at this moment, a core each."""
    open_test: bool = True
    """Score the test split at the end; a trial of a search leaves it sealed."""
    patience: float = 0.0
    """Seconds to wait for another process that is at work in the folder."""


def fit(config: RunConfig, options: FitOptions) -> dict[str, Any]:
    """Train, evaluate, write the run folder; returns the ledger row. A finished run of this config is returned as it is.

    Raises FittingRoomError for bad input, where another process is at work in the folder, and for a loss that is not finite
    (the run is then marked failed).
    """
    began = time.perf_counter()
    with_fixed(first_guess(config), options.plan)  # a plan that cannot be is refused before anything is written
    problem = open_problem(config, options.data_dir)
    config = problem.config  # pairs that are missing or wrong are refused before the folder is made
    with exclusive_lock(options.folder, options.patience):
        return _fit(problem, options, began)


def _fit(problem: Problem, options: FitOptions, began: float) -> dict[str, Any]:
    state = claim(options.folder, problem.config, options.resume)
    if state["status"] == "finished":
        return ledger_row(state)
    plan = earlier_plan(options)
    _ = problem.batches  # data that is missing or wrong is refused before anything is written, too
    write_json(options.folder / "config.json", to_dict(problem.config))
    try:
        return _train_and_evaluate(problem, options, plan, state, began)
    except FittingRoomError as error:
        failed = {**state, **read_state(options.folder), "status": "failed", "error": str(error)}
        write_json(options.folder / "state.json", failed)
        raise


def resolve(config: RunConfig, data_dir: Path | None = None) -> RunConfig:
    """The config with every setting of its model written out: what is hashed and saved."""
    return open_problem(config, data_dir).config


def claim(folder: Path, config: RunConfig, resume: bool) -> dict[str, Any]:
    """The state of the run in `folder`. Raises FittingRoomError if another run lives there, or a broken one and no `resume`."""
    make_folder(folder)
    state = read_state(folder)
    identity = run_identity(config)
    if state["status"] == "absent":
        if (folder / "checkpoints").exists():
            raise FittingRoomError(
                f"{folder} has checkpoints but no state.json that says whose: choose another folder with --out, or delete it"
            )
        return {**identity, "status": "running", "error": None, "step": 0, "test_reads": []}
    if state.get("config_hash") != identity["config_hash"]:
        raise FittingRoomError(
            f"{folder} holds a run with other settings: choose another folder with --out, or delete it"
        )
    if state["status"] != "finished" and not resume:
        raise FittingRoomError(
            f"{folder} holds this run, unfinished ({state['status']}): add --resume to go on, or delete the folder"
        )
    return state if state["status"] == "finished" else {**state, "status": "running", "error": None}


def run_identity(config: RunConfig) -> dict[str, Any]:
    """What a state and a row of the ledger begin with."""
    names = {"run": config.run, "kind": config.kind, "model": config.model, "seed": config.seed}
    return names | {"config_hash": config_hash(config)}


def earlier_plan(options: FitOptions) -> Plan | None:
    """The plan with which the run began that is to be resumed; None where it begins now.

    Raises FittingRoomError where `options.plan` wants another one of it, or where this machine cannot have it.
    """
    place = options.folder / "environment.json"
    if not (options.resume and place.exists()):
        return None
    found = read_json(place)
    if "plan" not in found:
        raise FittingRoomError(f"{place} has no speed plan: an older version began this run; delete {options.folder}")
    plan = from_dict(Plan, found["plan"], f"{place}: plan")
    changed = differences(with_fixed(plan, options.plan), plan)
    if changed:
        wanted = ", ".join(f"{key}={value}" for key, value in changed.items())
        raise FittingRoomError(
            f"{options.folder} was begun with another plan than {wanted}: leave --plan away to go on, or delete the folder"
        )
    check_device(plan.device)
    if plan.compile:
        check_compiler()
    return plan


def plan_and_time(config: RunConfig, options: FitOptions) -> tuple[dict[str, Any], float | None, list[dict[str, Any]]]:
    """The plan that `fit` would take, seconds of a step under it, and the table behind; nothing is written.

    The seconds are None where the run is too short to be timed.
    """
    problem = open_problem(config, options.data_dir)
    plan, table = choose_plan(problem, options.plan, concurrency=options.concurrency)
    seconds = step_seconds(plan, table)
    if seconds is None and is_long(problem):  # all was chosen by hand
        set_up_process(plan)
        seconds = time_step(problem, plan)
    return asdict(plan), seconds, table


def _note_resumption(place: Path, plan: Plan) -> None:
    """A run may end on another machine, and by other code, than it began: say when it went on, and where."""
    found, now = read_json(place), describe_environment(plan, [])
    here = {key: now[key] for key in ("commit", "processor", "started")}
    write_json(place, {**found, "resumed": [*found.get("resumed", []), here]})


def _train_and_evaluate(
    problem: Problem, options: FitOptions, plan: Plan | None, state: dict[str, Any], began: float
) -> dict[str, Any]:
    if plan is None:
        plan, table = choose_plan(problem, options.plan, options.on_probe, concurrency=options.concurrency)
        write_json(options.folder / "environment.json", describe_environment(plan, table or list(options.probe)))
    else:
        _note_resumption(options.folder / "environment.json", plan)
    set_up_process(plan)
    task = problem.new_task(plan, began=began)
    state |= {"num_params": num_params(task.model), "num_macs": problem.step_macs()}
    task.total_steps = state["total_steps"] = state.get("total_steps") or budget.total_steps(problem, task, began)
    write_json(options.folder / "state.json", state)
    metrics = train(
        task,
        problem,
        folder=options.folder,
        resume=options.resume,
        loggers=options.loggers,
        progress_bar=options.progress_bar,
        progress=options.progress,
        checkpoint_seconds=options.checkpoint_seconds,
    )
    state = write_results(task, problem, options.folder, state, metrics, open_test=options.open_test)
    shutil.rmtree(options.folder / "checkpoints", ignore_errors=True)
    return ledger_row(state)
