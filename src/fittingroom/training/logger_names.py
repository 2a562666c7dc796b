"""The loggers that a user may name, such as `wandb@project=shoes`: read and check them. Works without Lightning."""

import importlib.util
import os
from collections.abc import Sequence
from typing import Any

from fittingroom.core.errors import FittingRoomError, did_you_mean

SETTINGS: dict[str, tuple[str, ...]] = {"tensorboard": (), "wandb": ("project", "group")}
"""Each logger and the settings that may follow its name: `wandb@project=shoes@group=first`."""
WANDB_MODES = ("offline", "online", "disabled", "dryrun", "run", "shared")


def check_loggers(loggers: Sequence[Any]) -> None:
    """Raise FittingRoomError for an unknown name or setting, a missing package, and an object that is no logger.

    Starts no logger and writes nothing.
    """
    names = []
    for each in loggers:
        if not isinstance(each, str):
            if not hasattr(each, "log_metrics"):
                raise FittingRoomError(f"logger {each!r}: give tensorboard, wandb or a Lightning logger")
            continue
        name, _ = parse_logger(each)
        names.append(name)
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:  # without an origin it is just a folder of that name
            raise FittingRoomError(f"logger '{name}' is not installed: pip install {name}")
        if name == "wandb" and wandb_mode() not in WANDB_MODES:
            raise FittingRoomError(f"WANDB_MODE '{wandb_mode()}': {did_you_mean(wandb_mode(), WANDB_MODES)}")
    if len(set(names)) < len(names):
        raise FittingRoomError(f"--logger {','.join(names)}: name each logger once")


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


def wandb_mode() -> str:
    """The mode that Weights & Biases works in here; offline unless $WANDB_MODE says otherwise."""
    return os.environ.get("WANDB_MODE") or "offline"
