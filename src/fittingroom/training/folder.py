"""The run folder as training finds and leaves it: claim it, recognise what it holds, tidy it.

Works without Lightning, whose import takes seconds: a comparison looks into all its folders before it trains.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from fittingroom.core.config import config_hash
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import RunState, read_state
from fittingroom.core.rundir import exclusive_lock, make_folder, read_json, remove_temporary, temporary_files
from fittingroom.tasks.base import DATA_FILE, Task
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import run_config

MOST_SECONDS = 24 * 3600


def claim(folder: Path, config: RunConfig, resume: bool, run: str = "") -> RunState:
    """The state of the run in `folder`, which is created if it does not exist.

    Raises FittingRoomError if the folder holds another run, or an unfinished one and `resume` is false.
    """
    make_folder(folder)
    if (folder / "comparison.json").exists() or (folder / "plan.json").exists():
        raise FittingRoomError(f"{folder} holds a comparison: choose another folder for the run with --out")
    state = read_state(folder)
    if state.status == "absent":
        if (folder / "checkpoints").exists():
            raise FittingRoomError(
                f"{folder} has checkpoints but no state.json: choose another folder with --out, or delete it"
            )
        return replace(new_state_of(config, run), status="running")
    if not holds(folder, state, config):
        raise FittingRoomError(
            f"{folder} holds a run with other settings or data: choose another folder with --out, or delete it"
        )
    if state.status == "finished" and not (folder / "model.safetensors").exists():
        raise FittingRoomError(
            f"{folder} holds this run, finished, but model.safetensors is gone: delete the folder to train again"
        )
    if state.status != "finished" and not resume:
        raise FittingRoomError(
            f"{folder} holds this run, unfinished ({state.status}): add --resume to continue, or delete the folder"
        )
    return state if state.status == "finished" else replace(state, status="running", error=None)


def check_same_data(folder: Path, task: Task) -> None:
    """Raise FittingRoomError if the run in `folder` was trained on data of the same name and other content."""
    path = folder / DATA_FILE
    if not path.exists():
        return
    before, now = _spec_in(path).get("digest"), getattr(task.spec, "digest", None)
    if before and now and before != now:
        raise FittingRoomError(
            f"{task.title} has changed since the run in {folder}: choose another folder with --out, or put the old data back"
        )


def _spec_in(path: Path) -> dict[str, Any]:
    """The description of the data in a data.json."""
    spec = read_json(path).get("spec")
    if not isinstance(spec, dict):
        raise FittingRoomError(f"{path} lacks 'spec': put the run's file back, or delete the run")
    return spec


def holds(folder: Path, state: RunState, config: RunConfig) -> bool:
    """Whether the run in `folder` has this config. Configs that an older version wrote are upgraded first."""
    if state.config_hash == config_hash(config):
        return True
    path = folder / "config.json"
    if not path.exists():
        return False
    held: Any = run_config(read_json(path), str(path))
    data = folder / DATA_FILE
    if held.data_files and not held.digest and data.exists():  # an older version kept the digest of images here only
        held = replace(held, digest=str(_spec_in(data).get("digest", "")))
    return config_hash(held) == config_hash(config)


def new_state_of(config: RunConfig, run: str = "") -> RunState:
    """The state of a run before it starts."""
    return RunState(
        run=run or config.run, task=config.task, model=config.model, seed=config.seed, config_hash=config_hash(config)
    )


def tidy(folder: Path, patience: float) -> None:
    """Delete what a process left in the folder of its finished run if it was killed right after the last write."""
    if (folder / ".lock").exists() or (folder / "checkpoints").exists() or temporary_files(folder):
        with exclusive_lock(folder, patience):  # its process may still be at it
            remove_temporary(folder)
            remove_checkpoints(folder)


def remove_checkpoints(folder: Path) -> None:
    """Delete the checkpoints of a run that has ended."""
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)


def check_checkpoint_seconds(seconds: float) -> float:
    """Return the seconds between checkpoints. Raises FittingRoomError unless they are from 0 (every step) to a day."""
    if not 0 <= seconds <= MOST_SECONDS:
        raise FittingRoomError(
            f"--checkpoint-seconds {seconds:g} is out of range: choose 0 (after every step) to {MOST_SECONDS:,} (a day)"
        )
    return seconds
