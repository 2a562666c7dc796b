"""`fit` trains a RunConfig and writes a run folder. A stopped run can be resumed and ends with exactly the same weights."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunState, read_state, write_state
from fittingroom.core.rundir import (
    exclusive_lock,
    read_json,
    remove_temporary,
    write_json,
)
from fittingroom.core.torch_settings import usual_torch
from fittingroom.models.cost import num_params
from fittingroom.tasks.base import Task
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import open_task
from fittingroom.training.checkpoints import checkpoints_in
from fittingroom.training.environment import describe_environment
from fittingroom.training.folder import (
    check_checkpoint_seconds,
    check_same_data,
    claim,
    remove_checkpoints,
)
from fittingroom.training.logger_names import check_callbacks, check_loggers
from fittingroom.training.loop import Progress, train
from fittingroom.training.memory import check_memory
from fittingroom.training.module import TrainingModule
from fittingroom.training.process_state import process_state
from fittingroom.training.results import write_results
from fittingroom.training.speed import budget
from fittingroom.training.speed.engine import Fixed, check_compiler, choose_plan, is_long, set_up_process, step_seconds
from fittingroom.training.speed.plan import Plan, check_device, differences, first_guess, with_fixed
from fittingroom.training.speed.probe import time_step

CHECKED_BUDGET = 1.0
"""Seconds of the longest budget that is checked before anything is written. The check takes its time from the budget."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options outside the config: files, logging, resuming, and how the run is computed."""

    folder: Path
    run: str = ""
    """The run's short name; by default model and seed."""
    data_dir: Path | None = None
    resume: bool = False
    group: str = ""
    """The name of the comparison that the run belongs to. Weights & Biases groups runs by it."""
    loggers: Sequence[Any] = ()
    """Names (`tensorboard`, `wandb`, `wandb@project=shoes`) or Lightning loggers."""
    callbacks: Sequence[Any] = ()
    """Lightning callbacks."""
    progress_bar: bool = False
    progress: Progress | None = None
    checkpoint_seconds: float = 30.0
    on_probe: Callable[[], None] = field(default=lambda: None)
    """Called before the speed plan is measured, which takes some seconds the first time on a machine."""
    on_hint: Callable[[str], None] = field(default=lambda hint: None)
    """Called before training with each sentence about what looks like a mistake in the data."""
    plan: Fixed = field(default_factory=dict)
    """Parts of the speed plan that the user chose; the others are measured."""
    probe: Sequence[dict[str, Any]] = ()
    """The timings behind a plan that was measured before this run. They go into environment.json."""
    concurrency: int = 1
    """How many processes measure plans at the same time, each on its own core."""
    steps_file: Path | None = None
    """For a time budget: a file in which the runs of one model agree on their number of steps (see `budget.agreed_steps`)."""
    open_test: bool = True
    """Score the test split at the end. A trial of a search does not."""
    patience: float = 0.0
    """Seconds to wait for another process that is working in the folder."""

    def __post_init__(self) -> None:
        check_checkpoint_seconds(self.checkpoint_seconds)
        check_loggers(self.loggers)
        check_callbacks(self.callbacks)


@usual_torch()
def fit(config: RunConfig, options: FitOptions, task: Task | None = None) -> RunState:
    """Train, evaluate and write the run folder; return the final state. A finished run of this config is not run again.

    `task` is that of the config, where the caller divides its data in another way.
    Raises FittingRoomError for bad input, if another process works in the folder, and if the loss is not finite. An error
    after the start of training marks the run as failed.
    """
    began = time.perf_counter()
    guess = with_fixed(first_guess(config), options.plan)  # refuse an impossible plan before writing anything
    task = task or open_task(config, options.data_dir)
    _ = task.config  # refuse missing or invalid data before creating the folder
    state = read_state(options.folder)
    if state.status != "finished":
        _ = task.batches  # loads the data, which may fail too
        check_memory(task, guess)
        if state.total_steps is None:
            budget.check_budget(task, guess, up_to=CHECKED_BUDGET)
    with exclusive_lock(options.folder, options.patience), process_state():
        return _fit(task, options, began)


def _fit(task: Task, options: FitOptions, began: float) -> RunState:
    state = claim(options.folder, task.config, options.resume, options.run, digest=getattr(task.spec, "digest", None))
    check_same_data(options.folder, task)
    remove_temporary(options.folder)
    if state.status == "finished":
        remove_checkpoints(options.folder)  # if the process was killed before it could
        return state
    plan = earlier_plan(options)
    for hint in task.hints:
        options.on_hint(hint)
    write_json(options.folder / "config.json", to_dict(task.config))
    task.write_data(options.folder)
    try:
        return _train_and_evaluate(task, options, plan, state, began)
    except FittingRoomError as error:
        last = read_state(options.folder)
        known = state if last.status == "absent" else last
        write_state(options.folder, replace(known, status="failed", error=str(error)))
        raise


def resolve(config: RunConfig, data_dir: Path | None = None) -> RunConfig:
    """The config with every model setting filled in, as it is hashed and saved."""
    return open_task(config, data_dir).config


def earlier_plan(options: FitOptions) -> Plan | None:
    """The plan of the run that is resumed; None for a new run.

    Raises FittingRoomError if `options.plan` contradicts it, or if this machine cannot run it.
    """
    path = options.folder / "environment.json"
    if options.resume and not path.exists() and checkpoints_in(options.folder / "checkpoints"):
        raise FittingRoomError(
            f"{path} is missing: without its plan the run would not end with the same weights; put it back, or delete "
            f"{options.folder}"
        )
    if not (options.resume and path.exists()):
        return None
    found = read_json(path)
    if "plan" not in found:
        raise FittingRoomError(f"{path} has no speed plan: an older version started this run; delete {options.folder}")
    plan = from_dict(Plan, found["plan"], f"{path}: plan")
    changed = differences(with_fixed(plan, options.plan), plan)
    if changed:
        wanted = ", ".join(f"{key}={value}" for key, value in changed.items())
        raise FittingRoomError(
            f"{options.folder} was started with another plan than {wanted}: omit --plan to continue, or delete the folder"
        )
    check_device(plan.device)
    if plan.compile:
        check_compiler()
    return plan


def plan_and_time(config: RunConfig, options: FitOptions) -> tuple[dict[str, Any], float | None, list[dict[str, Any]]]:
    """The plan that `fit` would choose, its seconds per step, and the timings behind it. Writes nothing to the run folder.

    The seconds are None if the run is too short to be timed.
    """
    task = open_task(config, options.data_dir)
    plan, table = choose_plan(task, options.plan, concurrency=options.concurrency)
    seconds = step_seconds(plan, table)
    if seconds is None and is_long(task):  # the user chose every part
        set_up_process(plan)
        seconds = time_step(task, plan)
    return asdict(plan), seconds, table


def _note_resumption(path: Path, plan: Plan) -> None:
    """Record when, where and with which code the run was resumed: machine and code may differ from the start."""
    found, now = read_json(path), describe_environment(plan, [])
    here = {key: now[key] for key in ("commit", "processor", "started")}
    write_json(path, {**found, "resumed": [*_listed(found.get("resumed")), here]})


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _train_and_evaluate(task: Task, options: FitOptions, plan: Plan | None, state: RunState, began: float) -> RunState:
    if plan is None:
        plan, table = choose_plan(task, options.plan, options.on_probe, concurrency=options.concurrency)
        write_json(options.folder / "environment.json", describe_environment(plan, table or list(options.probe)))
    else:
        _note_resumption(options.folder / "environment.json", plan)
    set_up_process(plan)
    module = TrainingModule(task, plan, began=began)
    budget.check_planned(task, state.total_steps, options.folder / "state.json")
    shared = None if task.config.budget_seconds is None else options.steps_file
    module.total_steps = state.total_steps or budget.agreed_steps(
        shared, lambda: budget.total_steps(module.state, began)
    )
    state = replace(
        state, num_params=num_params(module.model), num_macs=task.step_macs(), total_steps=module.total_steps
    )
    write_state(options.folder, state)
    metrics = train(
        module,
        folder=options.folder,
        resume=options.resume,
        run=options.run,
        group=options.group,
        loggers=options.loggers,
        callbacks=options.callbacks,
        progress_bar=options.progress_bar,
        progress=options.progress,
        checkpoint_seconds=options.checkpoint_seconds,
    )
    state = write_results(module, options.folder, state, metrics, open_test=options.open_test)
    remove_checkpoints(options.folder)
    return state
