"""Find and open the task of a config, a model, a data set or a finished run. Importing this file registers the tasks."""

from contextlib import nullcontext
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from fittingroom.core.config import from_dict
from fittingroom.core.errors import FittingRoomError, did_you_mean, found_in
from fittingroom.core.records import RunState, read_state
from fittingroom.core.rundir import read_json
from fittingroom.core.upgrade import upgrade_config
from fittingroom.evaluation.shipped import find_run, shipped
from fittingroom.evaluation.weights import in_layout, suits_channels_last
from fittingroom.tasks.base import TASKS, DataRequest, Placed, Task
from fittingroom.tasks.classification import training as _classification  # noqa: F401  (the import registers the task)
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.modes import split_mode
from fittingroom.tasks.seq2seq import training as _seq2seq  # noqa: F401

C = TypeVar("C", bound=RunConfig)


def open_task(config: RunConfig, data_dir: Path | None = None) -> Task:
    """The task of `config`. It loads the data when first needed, and then raises FittingRoomError if it is missing or invalid."""
    return TASKS.get(config.task).for_training(config)(config, data_dir)


def run_config(values: dict[str, Any], where: str = "config") -> RunConfig:
    """The run config from plain values, written by this version or an older one. Raises FittingRoomError for invalid values."""
    if not isinstance(values, dict):
        raise FittingRoomError(f"{where}: expected a group of keys, got {values!r}")
    with found_in(Path(where)) if where != "config" else nullcontext():
        return _config(upgrade_config(values), where)


def _config(values: dict[str, Any], where: str) -> RunConfig:
    for key in ("task", "model"):
        if not isinstance(values.get(key, ""), str):
            raise FittingRoomError(f"{where}.{key}: expected a word, got {values[key]!r}")
    if "model" not in values:
        raise FittingRoomError(f"{where}: key 'model' is missing: it has no default, so give it a value")
    name = values.get("task") or task_of_model(values["model"]).name
    return from_dict(TASKS.get(name).config_class, values, where)


def all_models() -> list[str]:
    """The names of the models of all tasks, without duplicates."""
    return list(dict.fromkeys(name for each in TASKS for name in TASKS.get(each).config_class.registry))


def task_of_model(model: str, data: str | None = None) -> type[Task]:
    """The task that trains `model`. If there are several, the one that reads `data`, or else the first.

    Raises FittingRoomError for an unknown model.
    """
    if not isinstance(model, str):
        raise FittingRoomError(f"model {model!r}: give its name, such as 'vit'")
    model = split_mode(model)[0]
    fitting = [TASKS.get(name) for name in TASKS if model in TASKS.get(name).config_class.registry]
    if not fitting:
        raise FittingRoomError(f"unknown model '{model}': {did_you_mean(model, all_models())}")
    return next((each for each in fitting if data is not None and each.reads(data)), fitting[0])


def task_of_data(data: str | None) -> type[Task]:
    """The task that reads `data`; the first task if `data` is None or no task reads it."""
    every = [TASKS.get(name) for name in TASKS]
    return next((each for each in every if data is not None and each.reads(data)), every[0])


def as_config(config: RunConfig, cls: type[C]) -> C:
    """A `cls` with the settings of `config` that `cls` has too."""
    shared = {each.name for each in fields(cls)} & {each.name for each in fields(config)} - {"task"}
    return cls(**{name: getattr(config, name) for name in shared})


@dataclass(frozen=True)
class SavedRun:
    """A finished run, opened without its data set. The model is loaded when it is first needed."""

    name: str
    """The name of the folder or of the included network."""
    folder: Path
    task: Task

    @property
    def config(self) -> Any:
        """The config from the run's config.json."""
        return self.task._given

    @cached_property
    def state(self) -> RunState:
        """The state from the run's state.json."""
        return read_state(self.folder)

    @cached_property
    def model(self) -> Any:
        """The trained network in evaluation mode and fp32, in the memory layout that suits it."""
        model: nn.Module = self.task.load_model()
        return in_layout(model, suits_channels_last(model))

    @property
    def placed(self) -> Placed:
        """The model on the CPU."""
        return Placed(model=self.model, channels_last=suits_channels_last(self.model))


def _check_one_run(config: RunConfig, folder: Path) -> None:
    """Raise FittingRoomError if config.json and state.json are of two runs: another seed has other validation items."""
    state = read_state(folder)
    for key in ("model", "seed") if state.config_hash else ():
        here, there = getattr(config, key), getattr(state, key)
        if here != there:
            raise FittingRoomError(
                f"{folder / 'config.json'} has {key} {here}, and state.json {there}: use the files of one run"
            )


def load_run(
    run: str | Path, task: str | None = None, data_dir: Path | None = None, data: str | DataRequest | None = None
) -> SavedRun:
    """The finished run in a folder, or the included network of that name. `data` is where its data is now, if it was moved.

    Raises FittingRoomError for a missing or damaged file, and for a run of another task than `task`.
    """
    folder = find_run(run, task)
    path = folder / "config.json"
    values = upgrade_config(read_json(path))
    for key in ("model", "model_config", "seed"):
        if key not in values:
            raise FittingRoomError(f"{path} lacks '{key}': is {folder} a finished run?")
    config = run_config(values, str(path))
    if task is not None and config.task != task:
        names = shipped(task)
        hint = f", or an included network ({', '.join(names)})" if names else ""
        raise FittingRoomError(
            f"run {folder.name} is a run of {config.task}, not of {task}: give the folder of another run{hint}"
        )
    _check_one_run(config, folder)
    opened = TASKS.get(config.task)(config, data_dir, folder)
    if data is not None:
        opened.use_data(DataRequest(data=data) if isinstance(data, str) else data)
    return SavedRun(name=folder.name, folder=folder, task=opened)
