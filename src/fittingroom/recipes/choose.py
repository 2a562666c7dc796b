"""Choose the RunConfig for a model by epochs, by a time budget, or by the name of a recipe."""

import math
from dataclasses import replace

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.models import MODELS
from fittingroom.models.vit import VisionTransformer
from fittingroom.recipes.budget import Images, best_size, compute_of, epochs_of
from fittingroom.recipes.ladder import RECIPES
from fittingroom.recipes.length import NUM_IMAGES, NUM_PAIRS, epochs_for
from fittingroom.recipes.sequences import FEW_PAIRS, FOR_FEW, SEQUENCE_RECIPES
from fittingroom.recipes.sizes import SIZED, size_settings
from fittingroom.recipes.transfer import TRANSFER_RECIPES
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.load import as_config, task_of_model
from fittingroom.tasks.modes import Mode, split_mode

DEFAULT_EPOCHS, DEFAULT_EPOCHS_OF_PAIRS = 5, 10
PAIRS_PER_SECOND = 488
"""Sequences: how fast one core trains, roughly. With a budget, it decides which recipe is closest in epochs."""


def recipe(
    model: str,
    *,
    seed: int = 0,
    epochs: float | None = None,
    budget_seconds: float | None = None,
    name: str | None = None,
    data: str | None = None,
    images: Images | None = None,
    pairs: int | None = None,
    size: str | None = None,
    cores: int | None = None,
) -> RunConfig:
    """The RunConfig of the recipe `name`. By default, choose the recipe of the model's family that is closest in epochs.

    A budget in seconds chooses size and recipe of `vit`, `cnn` and `hybrid` by what this machine can do in it
    (recipes/budget.py); `size` pins the size, and `name` the recipe with its own size. `images` describes the training images
    (default: Fashion-MNIST), `pairs` is the number of training pairs (default: cmudict's), `cores` the number of cores of the
    run (default: all). With neither `epochs` nor `budget_seconds`, the run has the length of the recipe `name`, or a length
    that suits the number of training items (recipes/length.py). A model with `+finetune` or `+probe` has a recipe for that way to
    train, whatever its family. `data` decides the task if several tasks train this model.
    Raises FittingRoomError for an unknown model, recipe or size, and for a recipe of another family.
    """
    task = task_of_model(model, data)
    models = task.config_class.registry
    model, mode = split_mode(model)
    if mode != "scratch":
        if models is not MODELS:
            raise FittingRoomError(f"{model}+{mode}: only networks for images can be pretrained: write {model}")
        return _transfer(model, mode, seed, epochs, budget_seconds, name, size)
    recipes = RECIPES if models is MODELS else SEQUENCE_RECIPES
    family, images, pairs = models.get(model).family, images or Images(), pairs or NUM_PAIRS
    fitting = [each for each in recipes if each.startswith(f"{family}_")]
    compute = None if budget_seconds is None or models is not MODELS else compute_of(budget_seconds, family, cores)
    if compute is not None and model in SIZED and name is None:
        size = size or best_size(family, compute, images)
    sized = {} if size is None else size_settings(model, size, (images.height, images.width))
    if compute is not None:
        planned = epochs_of(family, size or "base", compute, images)
    elif budget_seconds is not None:
        planned = budget_seconds * PAIRS_PER_SECOND / pairs
    else:
        if epochs is None and name is None:
            epochs = _default_epochs(images if models is MODELS else pairs)
        planned = epochs or DEFAULT_EPOCHS
    lengths = [int(each.removeprefix(f"{family}_")) for each in fitting]
    if models is not MODELS and pairs >= FEW_PAIRS:
        lengths.remove(FOR_FEW)
    length = _closest(lengths, planned)
    chosen = name or f"{family}_{length}"
    if chosen not in fitting:
        raise _no_recipe(chosen, model, family, fitting)
    config = as_config(recipes.get(chosen)(), task.config_class)
    config = replace(config, model_config={**config.model_config, **sized})
    if models is MODELS and models.get(model).build is not VisionTransformer:
        config = replace(config, whiten_patches=False)  # a network of the family by others, or of the user
    if epochs is None and budget_seconds is None:
        epochs = config.epochs
    return replace(config, model=model, seed=seed, epochs=epochs, budget_seconds=budget_seconds)


def _no_recipe(name: object, model: str, family: str, fitting: list[str]) -> FittingRoomError:
    """The error for a name that is no recipe of this family."""
    if not isinstance(name, str):
        return FittingRoomError(f"recipe {name!r}: give its name, such as '{fitting[0]}'")
    if name not in {*RECIPES, *SEQUENCE_RECIPES, *TRANSFER_RECIPES}:
        return FittingRoomError(f"unknown recipe '{name}': {did_you_mean(name, fitting)}")
    return FittingRoomError(f"recipe '{name}' is not for {family} models: for {model} choose {', '.join(fitting)}")


def _default_epochs(items: Images | int) -> float:
    if isinstance(items, Images):
        return epochs_for(DEFAULT_EPOCHS, items.num_train, NUM_IMAGES)
    return epochs_for(DEFAULT_EPOCHS_OF_PAIRS, items, NUM_PAIRS)


def _closest(lengths: list[int], epochs: float) -> int:
    """The recipe length for a run. Lengths are compared by ratio: 10 is as close to 5 as to 20, and ties take the shorter."""
    return min(lengths, key=lambda length: abs(math.log(length / epochs))) if epochs > 0 else lengths[0]


def _transfer(
    model: str,
    mode: Mode,
    seed: int,
    epochs: float | None,
    budget_seconds: float | None,
    name: str | None,
    size: str | None,
) -> RunConfig:
    """The recipe of a pretrained network. Its weights decide its size."""
    fitting = [each for each in TRANSFER_RECIPES if each.startswith(f"{mode}_")]
    if name is not None and name not in fitting:
        raise FittingRoomError(f"recipe '{name}' is not for {model}+{mode}: choose {', '.join(fitting)}, or omit it")
    if size is not None:
        raise FittingRoomError(f"size={size}: the weights of {model}+{mode} determine its size: omit it")
    config = TRANSFER_RECIPES.get(name or fitting[0])()
    if mode == "probe" and budget_seconds is not None:
        budget_seconds = None  # a head takes seconds: the budget is the most that it may take, not what it must
    if epochs is None and budget_seconds is None:
        epochs = config.epochs
    return replace(config, model=model, seed=seed, epochs=epochs, budget_seconds=budget_seconds)
