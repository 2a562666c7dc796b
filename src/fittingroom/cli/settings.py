"""`--set KEY=VALUE` on a RunConfig: keys of the recipe (`batch_size`, `optim.lr`) and, without prefix, of the model (`depth`)."""

import argparse
import dataclasses

from fittingroom.cli.options import pair_fields, refuse_pairs
from fittingroom.core.config import replace
from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.models import resolve_config
from fittingroom.training.config import PairRunConfig, RunConfig

FIXED = ("model", "data", "dev", "test", "digest", "keep_stress", "seed", "epochs", "budget_seconds", "model_config")
"""Of a config: they have options of their own."""
COUNTED = {"img_size", "in_chans", "num_classes", "src_vocab_size", "tgt_vocab_size"}
"""Of a model: the data decide them."""


def apply_settings(config: RunConfig, changes: dict[str, str], withheld: frozenset[str] = frozenset()) -> RunConfig:
    """A copy with the changes made, to any keys but those `withheld`. Raises FittingRoomError naming the nearest key there is."""
    recipe_keys = _recipe_keys(config) - withheld
    model_config = resolve_config(config.model, registry=config.registry)
    model_keys = {field.name for field in dataclasses.fields(model_config)} - COUNTED
    paths = {}
    for key, value in changes.items():
        if key in model_keys:
            paths[f"model_config.{key}"] = value
        elif key in recipe_keys:
            paths[key] = value
        elif key in COUNTED:
            raise FittingRoomError(f"--set {key}: the data decide it: leave it away")
        else:
            hint = did_you_mean(key, sorted(recipe_keys | model_keys))
            raise FittingRoomError(f"--set: unknown key '{key}' for {config.model}: {hint}")
    return replace(config, paths)


def with_data(config: RunConfig, args: argparse.Namespace) -> RunConfig:
    """The config with the pairs that the arguments name. Raises FittingRoomError where its model does not read such data."""
    if isinstance(config, PairRunConfig):
        return dataclasses.replace(config, **pair_fields(args))  # pyright: ignore[reportArgumentType]
    refuse_pairs(args, config.model)
    return config


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
