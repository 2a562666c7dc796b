"""Change settings of a RunConfig by name: settings of the recipe (`batch_size`, `optim.lr`) and of the model (`depth`)."""

import dataclasses
import json
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from fittingroom.core.config import check_texts, replace
from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.models import resolve_config
from fittingroom.recipes import recipe
from fittingroom.tasks.config import MOST_EPOCHS, MOST_SECONDS, RunConfig
from fittingroom.training.folder import check_checkpoint_seconds
from fittingroom.training.logger_names import check_callbacks, check_loggers
from fittingroom.training.speed.plan import check_fixed

C = TypeVar("C", bound=RunConfig)
FIXED = {
    "task", "model", "data", "pictures", "dev", "test", "digest", "keep_stress", "seed", "epochs", "budget_seconds",
    "model_config", "mode", "weights_digest",
}  # fmt: skip
"""Config fields that have their own options."""
FROM_DATA = {"img_size", "in_chans", "num_classes", "src_vocab_size", "tgt_vocab_size"}
"""Model settings that come from the data."""
SIZE = "size"
"""The setting that stands for several model settings. The recipe takes it."""
OLD_NAMES = {"train_images": "num_train"}
OPTIONS = {
    "epochs": "--epochs", "budget": "--budget", "budget_seconds": "--budget", "seed": "--seed (of compare: --seeds)",
    "data": "--data", "mode": "MODEL+probe or MODEL+finetune as the model", "model": "it as the model",
}  # fmt: skip
"""Fields and names that are no settings, and what gives them instead."""
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def apply_settings(
    config: C,
    changes: Mapping[str, Any],
    withheld: frozenset[str] = frozenset(),
) -> C:
    """A copy of `config` with the changes. Values are text, as from the shell, or Python values.

    The recipe has already taken the key `size`. Keys in `withheld` count as unknown. Raises FittingRoomError for an unknown
    key and suggests the nearest one.
    """
    if "embed_dim" in changes and "num_heads" not in changes:
        # The number of heads belongs to the width of the chosen size: for another width, take the model's own.
        rest = {key: value for key, value in config.model_config.items() if key != "num_heads"}
        config = dataclasses.replace(config, model_config=rest)
    recipe_changes, model_changes = _divided(config, changes, withheld)
    return replace(config, {**recipe_changes, **{f"model_config.{key}": text for key, text in model_changes.items()}})


def check_settings(config: RunConfig, changes: Mapping[str, Any], withheld: frozenset[str] = frozenset()) -> None:
    """Raise FittingRoomError for an unknown key, and for a value that is wrong whatever the data.

    The data may choose the size of the model, and opening it may take minutes: this needs no data. `config` is that of any
    size, so only the types of the model's settings are checked.
    """
    recipe_changes, model_changes = _divided(config, changes, withheld)
    replace(config, recipe_changes)
    check_texts(type(resolve_config(config.model, registry=config.registry)), model_changes)


def check_before_data(
    model: str,
    data: str | None,
    epochs: float | None,
    *settings: Mapping[str, Any],
    recipe_name: str | None = None,
    withheld: frozenset[str] = frozenset(),
) -> None:
    """Raise FittingRoomError for what is wrong whatever the data holds. Opening it may take minutes."""
    size = {key: value for changes in settings for key, value in changes.items()}.get(SIZE)
    config = recipe(model, epochs=epochs, name=recipe_name, data=data, size=None if size is None else str(size))
    for changes in settings:
        check_settings(config, changes, withheld)


def check_options(
    loggers: Sequence[Any], plan: Mapping[str, str], checkpoint_seconds: float = 30.0, callbacks: Sequence[Any] = ()
) -> None:
    """Raise FittingRoomError for options of a run that are wrong whatever its model and data."""
    check_checkpoint_seconds(checkpoint_seconds)
    check_loggers(loggers)
    check_callbacks(callbacks)
    check_fixed(plan)


def _divided(
    config: RunConfig, changes: Mapping[str, Any], withheld: frozenset[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The changes of the recipe and those of the model, as text."""
    recipe_keys = _recipe_keys(config) - withheld
    model_config = resolve_config(config.model, registry=config.registry)
    model_keys = {field.name for field in dataclasses.fields(model_config)} - FROM_DATA
    of_recipe, of_model = {}, {}
    for given, value in changes.items():
        if given == SIZE:
            continue
        key = OLD_NAMES.get(given, given)
        text = value if isinstance(value, str) else _text(given, value)
        if key != given and key in changes:
            raise FittingRoomError(f"--set {given} is the earlier name of {key}, which is given too: give one of them")
        if key in model_keys:
            of_model[key] = text
        elif key in recipe_keys:
            of_recipe[key] = text
        elif key in FROM_DATA:
            raise FittingRoomError(f"--set {key}: the data determines it: omit it")
        else:
            if key == "folds":  # It has an option of its own.
                raise FittingRoomError(f"--folds is for images, and {config.model} reads other data: omit it")
            hint = _hint(key, sorted(recipe_keys | model_keys | {SIZE}))
            raise FittingRoomError(f"--set: unknown key '{key}' for {config.model}: {hint}")
    return of_recipe, of_model


def _hint(key: str, known: list[str]) -> str:
    """The option that sets `key`, or the known key that is meant: `lr` is `optim.lr`."""
    if key in OPTIONS:
        return f"give {OPTIONS[key]}"
    whole_keys = [each for each in known if each.rpartition(".")[2] == key]
    return f"did you mean '{whole_keys[0]}'?" if len(whole_keys) == 1 else did_you_mean(key, known)


def seconds_of(budget: str | float | None) -> float | None:
    """Seconds of `90s`, `10m`, `1.5h`; a number is seconds. Raises FittingRoomError for anything else."""
    if budget is None:
        return None
    if isinstance(budget, int | float) and not isinstance(budget, bool):
        if not budget > 0:
            raise FittingRoomError(
                f"budget {budget} is not a time: give seconds above 0, or text such as 90s, 10m or 1.5h"
            )
        seconds = budget
    else:
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", str(budget).strip().lower())
        if match is None or float(match[1]) == 0:
            raise FittingRoomError(f"--budget {budget!r} is not a time: write 90s, 10m or 1.5h")
        seconds = float(match[1]) * UNITS[match[2] or "s"]
    if seconds > MOST_SECONDS:
        raise FittingRoomError(f"--budget {budget} is too long: give at most {MOST_SECONDS // 3600:,}h")
    return float(seconds)


def check_length(epochs: float | None, seconds: float | None) -> None:
    """Raise FittingRoomError unless `epochs` is above 0 or None, and if both lengths are given."""
    if epochs is not None and (not isinstance(epochs, int | float) or isinstance(epochs, bool)):
        raise FittingRoomError(f"epochs {epochs!r} is not a length: give a number above 0, such as 5 or 0.5")
    if epochs is not None and not 0 < epochs <= MOST_EPOCHS:
        raise FittingRoomError(
            f"--epochs {epochs:g} is not a length: give a number above 0, such as 5 or 0.5, at most {MOST_EPOCHS:,}"
        )
    if epochs is not None and seconds is not None:
        raise FittingRoomError("epochs and budget both set the length: give one of them")


def whole(value: Any, what: str) -> int:
    """A whole number of Python or numpy as an int. Raises FittingRoomError, naming `what`, for anything else."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError as error:
        raise FittingRoomError(f"{what} {value!r}: give a whole number") from error


def num_train_in(changes: Mapping[str, Any]) -> int | None:
    """The setting `num_train`, for the choice of a recipe; None if there is none, or if it is no number (refused later)."""
    given = next((changes[name] for name in ("num_train", "train_images") if name in changes), None)
    try:
        return None if given is None else max(1, int(given))
    except (TypeError, ValueError, OverflowError):
        return None


def several(values: Any) -> tuple[Any, ...]:
    """A list or another collection as a tuple; one value alone, such as a name, as a tuple of one."""
    return tuple(values) if isinstance(values, Iterable) and not isinstance(values, str) else (values,)


def named(values: Any, what: str) -> dict[str, Any]:
    """A mapping of names to values as a dictionary; None as an empty one. Raises FittingRoomError for anything else."""
    if not isinstance(values, Mapping | None) or not all(isinstance(key, str) for key in values or ()):
        raise FittingRoomError(f"{what} {values!r}: give a dictionary of names and values")
    return dict(values or {})


def plan_texts(plan: Any) -> dict[str, str]:
    """The parts of the speed plan as text, from text or from Python values such as `{"num_threads": 2, "compile": False}`."""
    return {
        key: value if isinstance(value, str) else _text(f"plan: {key}", value)
        for key, value in named(plan, "plan").items()
    }


def _text(key: str, value: Any) -> str:
    """A Python or numpy value as the text that one would type in the shell."""
    try:
        return json.dumps(value, default=lambda each: each.tolist())
    except (TypeError, ValueError, AttributeError) as error:
        raise FittingRoomError(
            f"{key} does not accept type {type(value).__name__}: give a number, text or a list of them"
        ) from error


def _recipe_keys(config: RunConfig) -> set[str]:
    keys = set()
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in FIXED:
            continue
        if dataclasses.is_dataclass(value):
            keys |= {f"{field.name}.{inner.name}" for inner in dataclasses.fields(value)}
        else:
            keys.add(field.name)
    return keys
