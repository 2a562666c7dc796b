"""The loggers that a user may name, such as `wandb@project=shoes`, and callbacks: check them. Works without Lightning."""

import importlib.util
import os
from collections.abc import Sequence
from typing import Any

from fittingroom.core.errors import FittingRoomError, did_you_mean

SETTINGS: dict[str, tuple[str, ...]] = {"tensorboard": (), "wandb": ("project", "group")}
"""Each logger and the settings that may follow its name: `wandb@project=shoes@group=first`."""
FORBIDDEN, MOST_LETTERS = "/\\#?%:", 128
"""What the name of a project on Weights & Biases may not have, and its length."""
WANDB_MODES = ("offline", "online", "disabled", "dryrun", "run", "shared")


def check_loggers(loggers: Sequence[Any]) -> None:
    """Raise FittingRoomError for an unknown name or setting, a missing package, and an object that is no logger.

    Starts no logger and writes nothing.
    """
    names = []
    for each in _listed(loggers, "loggers", "['wandb']"):
        if not isinstance(each, str):
            if isinstance(each, type) or not hasattr(each, "log_metrics"):
                raise FittingRoomError(f"logger {each!r}: give tensorboard, wandb or a Lightning logger")
            continue
        name, settings = parse_logger(each)
        names.append(name)
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:  # without an origin it is just a folder of that name
            raise FittingRoomError(f"logger '{name}' is not installed: pip install {name}")
        if name == "wandb" and wandb_mode() not in WANDB_MODES:
            raise FittingRoomError(f"WANDB_MODE '{wandb_mode()}': {did_you_mean(wandb_mode(), WANDB_MODES)}")
        if name == "wandb":
            _check_project(wandb_project(settings))
    if len(set(names)) < len(names):
        raise FittingRoomError(f"--logger {','.join(names)}: name each logger once")


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Raise FittingRoomError for an object that is no callback of Lightning."""
    for each in _listed(callbacks, "callbacks", "[Timer()]"):
        if isinstance(each, type) or not hasattr(each, "on_train_batch_end"):
            raise FittingRoomError(f"callback {each!r}: give Lightning callbacks, such as LearningRateMonitor()")


def _listed(values: Any, what: str, example: str) -> Sequence[Any]:
    if not isinstance(values, list | tuple):
        raise FittingRoomError(f"{what} {values!r}: give a list, such as {example}")
    return values


def parse_logger(text: str) -> tuple[str, dict[str, str]]:
    """Split `wandb@project=shoes@group=first` into name and settings. Raises FittingRoomError if either is unknown."""
    name, *settings = (part.strip() for part in text.split("@"))
    if name not in SETTINGS:
        raise FittingRoomError(f"unknown logger '{name}': {did_you_mean(name, SETTINGS)}")
    values = {}
    for setting in settings:
        key, _, value = (part.strip() for part in setting.partition("="))
        if not SETTINGS[name]:
            raise FittingRoomError(f"--logger {text!r}: {name} has no settings: omit @{setting}")
        if key not in SETTINGS[name]:
            raise FittingRoomError(f"--logger {text!r}: unknown setting '{key}': {did_you_mean(key, SETTINGS[name])}")
        if not value or key in values:
            raise FittingRoomError(
                f"--logger {text!r}: write LOGGER@SETTING=VALUE once each, such as wandb@project=shoes"
            )
        values[key] = value
    return name, values


def wandb_project(settings: dict[str, str]) -> str:
    """The project on Weights & Biases: the one that was named, else that of $WANDB_PROJECT."""
    return settings.get("project") or os.environ.get("WANDB_PROJECT") or "fittingroom"


def _check_project(project: str) -> None:
    """Raise FittingRoomError for a name that Weights & Biases refuses. It would do so only when training begins."""
    found = [sign for sign in FORBIDDEN if sign in project]
    if found or len(project) > MOST_LETTERS:
        wrong = f"has {' '.join(found)}" if found else f"has over {MOST_LETTERS} letters"
        raise FittingRoomError(
            f"wandb project '{project}' {wrong}: give a name without / \\ # ? % : (for a team, set WANDB_ENTITY)"
        )


def wandb_mode() -> str:
    """The mode that Weights & Biases works in here; offline unless $WANDB_MODE says otherwise."""
    return os.environ.get("WANDB_MODE") or "offline"
