"""`fit`: a RunConfig in, a run folder out. Resumable at any moment, exact when resumed."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fittingroom.core.config import config_hash, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import seeded
from fittingroom.core.rundir import make_folder, read_state, write_json
from fittingroom.data.batches import TrainBatches
from fittingroom.data.load import Splits, load_splits
from fittingroom.models import build_model, resolve_config
from fittingroom.models.cost import num_macs, num_params
from fittingroom.training import pace
from fittingroom.training.config import RunConfig
from fittingroom.training.engine import describe_environment, make_plan
from fittingroom.training.lightning_loop import Progress, train
from fittingroom.training.results import ledger_row, write_results
from fittingroom.training.task import ClassificationTask


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


def fit(config: RunConfig, options: FitOptions) -> dict[str, Any]:
    """Train, evaluate, write the run folder; returns the ledger row. A finished run of this config is returned as it is.

    Raises FittingRoomError for bad input and for a loss that is not finite (the run is then marked failed).
    """
    began = time.perf_counter()
    config = resolve(config)
    state = claim(options.folder, config, options.resume)
    if state["status"] == "finished":
        return ledger_row(state)
    splits = load_splits(config.seed, train_images=config.train_images, data_dir=options.data_dir)
    write_json(options.folder / "config.json", to_dict(config))
    try:
        return _train_and_evaluate(config, options, splits, state, began)
    except FittingRoomError as error:
        failed = {**read_state(options.folder), "status": "failed", "error": str(error)}
        write_json(options.folder / "state.json", failed)
        raise


def resolve(config: RunConfig) -> RunConfig:
    """The config with every setting of its model written out: what is hashed and saved."""
    return replace(config, model_config=to_dict(resolve_config(config.model, config.model_config)))


def claim(folder: Path, config: RunConfig, resume: bool) -> dict[str, Any]:
    """The state of the run in `folder`. Raises FittingRoomError if another run lives there, or a broken one and no `resume`."""
    make_folder(folder)
    state = read_state(folder)
    identity = {"run": config.run, "model": config.model, "seed": config.seed, "config_hash": config_hash(config)}
    if state["status"] == "absent":
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


def make_batches(config: RunConfig, splits: Splits) -> TrainBatches:
    """The run's training batches."""
    return TrainBatches(
        train=splits.train,
        spec=splits.spec,
        seed=config.seed,
        batch_size=config.batch_size,
        augment=config.augment,
        label_smoothing=config.label_smoothing,
    )


def _train_and_evaluate(
    config: RunConfig, options: FitOptions, splits: Splits, state: dict[str, Any], began: float
) -> dict[str, Any]:
    plan = make_plan(config)
    write_json(options.folder / "environment.json", describe_environment(plan))
    with seeded(config.seed, "init"):
        model = build_model(config.model, config.model_config)
    spec, batches = splits.spec, make_batches(config, splits)
    state |= {"num_params": num_params(model), "num_macs": num_macs(model, (spec.channels, spec.height, spec.width))}
    task = ClassificationTask(model, config, plan, began=began)
    task.total_steps = state["total_steps"] = state.get("total_steps") or _total_steps(task, batches, splits, began)
    write_json(options.folder / "state.json", state)
    metrics = train(
        task,
        batches,
        splits.val,
        folder=options.folder,
        resume=options.resume,
        loggers=options.loggers,
        progress_bar=options.progress_bar,
        progress=options.progress,
        checkpoint_seconds=options.checkpoint_seconds,
    )
    state = write_results(task, batches, splits, options.folder, state, metrics)
    shutil.rmtree(options.folder / "checkpoints", ignore_errors=True)
    return ledger_row(state)


def _total_steps(task: ClassificationTask, batches: TrainBatches, splits: Splits, began: float) -> int:
    """From epochs, or from a measurement of this machine where a budget is given."""
    config = task.run_config
    if config.epochs is not None:
        return pace.total_steps_for(config.epochs, batches.steps_per_epoch)
    assert config.budget_seconds is not None
    step_seconds = pace.measure_step(task, batches)
    seconds_per_image = pace.measure_evaluation(task, batches)
    left = config.budget_seconds - (time.perf_counter() - began)
    return pace.steps_in_budget(left, step_seconds, seconds_per_image, batches.steps_per_epoch, len(splits.val))
