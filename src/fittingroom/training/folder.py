"""The run folder as training finds and leaves it: claim it, recognise what it holds, tidy it.

Works without Lightning, whose import takes seconds: a comparison looks into all its folders before it trains.
"""

import shutil
from contextlib import suppress
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
FIRST_FILES = ("config.json", DATA_FILE, "environment.json")
"""What a run writes before state.json."""
LAST_FILES = ("metrics.csv", "model.safetensors", "predictions.npz")
"""What it writes after state.json."""
MOST_NAMED = 3
"""Settings that a message names where two configs differ."""


def claim(folder: Path, config: RunConfig, resume: bool, run: str = "", *, digest: str | None = None) -> RunState:
    """The state of the run in `folder`, which is created if it does not exist. `digest` is that of the data.

    Raises FittingRoomError if the folder holds another run, or an unfinished one and `resume` is false.
    """
    make_folder(folder)
    if (folder / "comparison.json").exists() or (folder / "plan.json").exists():
        raise FittingRoomError(f"{folder} holds a comparison: choose another folder for the run with --out")
    state = read_state(folder)
    check_holds(folder, state, config, digest)
    if state.status == "absent":
        return replace(new_state_of(config, run), status="running")
    if state.status == "finished" and not (folder / "model.safetensors").exists():
        raise FittingRoomError(
            f"{folder} holds this run, finished, but model.safetensors is gone: delete the folder to train again"
        )
    if state.status != "finished" and not resume:
        raise FittingRoomError(
            f"{folder} holds this run, unfinished ({state.status}): add --resume to continue, or delete the folder"
        )
    return state if state.status == "finished" else replace(state, status="running", error=None)


def check_holds(folder: Path, state: RunState, config: RunConfig, digest: str | None = None) -> None:
    """Raise FittingRoomError if `folder` has the files of anything but the run of `config`. They would be overwritten.

    Data with this `digest` is the same data, whatever its path: `pictures`, `pictures/`, or moved since.
    """
    other = "choose another folder with --out, or delete it"
    if state.status != "absent":
        if not holds(folder, state, config, digest):
            what = _differences(folder, config)
            raise FittingRoomError(f"{folder} holds a run with other settings or data{what}: {other}")
        return
    if (folder / "checkpoints").exists():
        raise FittingRoomError(f"{folder} has checkpoints but no state.json: {other}")
    killed = False
    with suppress(FittingRoomError):  # the config.json of another program
        killed = _held(folder) is not None  # before its first state.json: nothing is lost
    found = [name for name in (() if killed else FIRST_FILES) + LAST_FILES if (folder / name).exists()]
    if found:
        raise FittingRoomError(
            f"{folder} has {found[0]} but no state.json, so training would overwrite it: choose another folder with --out, or "
            "move it away"
        )


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


def holds(folder: Path, state: RunState, config: RunConfig, digest: str | None = None) -> bool:
    """Whether the run in `folder` has this config. Configs that an older version wrote are upgraded first.

    `digest`: see `check_holds`.
    """
    if state.config_hash == config_hash(config):
        return True
    held, data = _held(folder), folder / DATA_FILE
    if held is None:
        return False
    if digest and held.data != config.data and data.exists() and _spec_in(data).get("digest") == digest:
        held = replace(held, data=config.data)
    return config_hash(held) == config_hash(config)


def _held(folder: Path) -> RunConfig | None:
    """The config of the run in `folder`; None without a config.json."""
    path = folder / "config.json"
    if not path.exists():
        return None
    held: Any = run_config(read_json(path), str(path))
    data = folder / DATA_FILE
    if held.data_files and not held.digest and data.exists():  # an older version kept the digest of images here only
        held = replace(held, digest=str(_spec_in(data).get("digest", "")))
    return held


def _differences(folder: Path, config: RunConfig) -> str:
    """The first settings that differ from those of the run in `folder`, in brackets."""
    held = _held(folder)
    if held is None:
        return ""
    before, now = _flat(held.identity()), _flat(config.identity())
    changed = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    said = [f"{key} {before.get(key)}, not {now.get(key)}" for key in changed[:MOST_NAMED]]
    return f" ({'; '.join(said)}{'; and more' * (len(changed) > MOST_NAMED)})" if said else ""


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under names such as `optim.lr`."""
    found = {}
    for key, value in values.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


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
