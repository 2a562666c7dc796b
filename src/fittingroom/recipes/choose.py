"""Choose the RunConfig for a model by length or by the name of a recipe."""

import math
from dataclasses import replace

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.models import MODELS
from fittingroom.recipes.ladder import RECIPES
from fittingroom.recipes.sequences import SEQUENCE_RECIPES
from fittingroom.recipes.transfer import TRANSFER_RECIPES
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import as_config, task_of_model
from fittingroom.tasks.modes import split_mode

LONG_SECONDS = 3600.0
"""Budgets of this length or more use the family's second recipe. One core completes only a few epochs in an hour."""


def recipe(
    model: str,
    *,
    seed: int = 0,
    epochs: float | None = None,
    budget_seconds: float | None = None,
    name: str | None = None,
    data: str | None = None,
) -> RunConfig:
    """The RunConfig of the recipe `name`. By default, choose the recipe of the model's family that is closest in epochs.

    With a budget in seconds, the default is the family's shortest recipe, or its second one for an hour or more. With neither
    `epochs` nor `budget_seconds`, the run has the recipe's own length. A model with `+finetune` or `+probe` has a recipe for
    that way to train. `data` decides the task if several tasks train this model.
    Raises FittingRoomError for an unknown model or recipe, and for a recipe of another family.
    """
    task = task_of_model(model, data)
    models = task.config_class.registry
    model, mode = split_mode(model)
    if mode != "scratch" and models is not MODELS:
        raise FittingRoomError(f"{model}+{mode}: only networks for images can be pretrained: write {model}")
    recipes = TRANSFER_RECIPES if mode != "scratch" else RECIPES if models is MODELS else SEQUENCE_RECIPES
    family = mode if mode != "scratch" else models.get(model).family
    fitting = [each for each in recipes if each.startswith(f"{family}_")]
    lengths = [int(each.removeprefix(f"{family}_")) for each in fitting]
    chosen = name or f"{family}_{_length(lengths, epochs, budget_seconds)}"
    if chosen not in fitting:
        if chosen not in {*RECIPES, *SEQUENCE_RECIPES, *TRANSFER_RECIPES}:
            raise FittingRoomError(f"unknown recipe '{chosen}': {did_you_mean(chosen, fitting)}")
        raise FittingRoomError(f"recipe '{chosen}' is not for {family} models: for {model} choose {', '.join(fitting)}")
    config = as_config(recipes.get(chosen)(), task.config_class)
    if mode == "probe" and budget_seconds is not None:
        budget_seconds = None  # a head takes seconds: the budget is the most that it may take, not what it must
    if epochs is None and budget_seconds is None:
        epochs = config.epochs
    return replace(config, model=model, seed=seed, epochs=epochs, budget_seconds=budget_seconds)


def _length(lengths: list[int], epochs: float | None, budget_seconds: float | None) -> int:
    """The recipe length for a run. Lengths are compared by ratio: 10 is as close to 5 as to 20, and ties take the shorter."""
    if epochs is None or epochs <= 0:
        return lengths[:2][-1 if budget_seconds is not None and budget_seconds >= LONG_SECONDS else 0]
    return min(lengths, key=lambda length: abs(math.log(length / epochs)))
