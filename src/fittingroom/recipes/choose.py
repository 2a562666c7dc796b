"""From a model's name and a length, or a recipe's name, to the RunConfig."""

import math
from dataclasses import replace

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.models import MODELS, SEQUENCE_MODELS
from fittingroom.recipes.ladder import RECIPES, RUNGS
from fittingroom.recipes.sequences import SEQUENCE_RECIPES
from fittingroom.training.config import RunConfig


def recipe(
    model: str,
    *,
    seed: int = 0,
    epochs: float | None = None,
    budget_seconds: float | None = None,
    name: str | None = None,
) -> RunConfig:
    """The recipe `name`, or else that of the model's family; of an image model that whose number of epochs is nearest.

    A length in seconds takes the shortest: in minutes on a CPU few epochs pass. Without a length it is the recipe's own.
    Raises FittingRoomError for an unknown model or recipe, and for a recipe of another family.
    """
    known = [*MODELS, *SEQUENCE_MODELS]
    if model not in known:
        raise FittingRoomError(f"unknown model '{model}': {did_you_mean(model, known)}")
    config = _of_images(model, epochs, name) if model in MODELS.names() else _of_sequences(model, name)
    if epochs is None and budget_seconds is None:
        epochs = config.epochs
    return replace(config, model=model, seed=seed, epochs=epochs, budget_seconds=budget_seconds)


def _of_images(model: str, epochs: float | None, name: str | None) -> RunConfig:
    family = MODELS.get(model).family
    config = RECIPES.get(name or f"{family}_{_nearest_rung(epochs)}")()
    if config.family != family:
        fitting = ", ".join(each for each in RECIPES if each.startswith(family))
        raise FittingRoomError(f"recipe '{name}' is for a {config.family}, and {model} is a {family}: choose {fitting}")
    return config


def _of_sequences(model: str, name: str | None) -> RunConfig:
    family = SEQUENCE_MODELS.get(model).family
    if name not in (None, family):
        raise FittingRoomError(f"recipe '{name}' is not for {model}, whose only recipe is its own: leave --recipe away")
    return SEQUENCE_RECIPES.get(family)()


def _nearest_rung(epochs: float | None) -> int:
    """By ratio: 10 epochs are as far from 5 as from 20, and take the shorter."""
    if epochs is None or epochs <= 0:
        return RUNGS[0]
    return min(RUNGS, key=lambda rung: abs(math.log(rung / epochs)))
