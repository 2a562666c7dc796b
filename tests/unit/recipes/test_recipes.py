"""Which recipe a run gets, and that each docstring says what it must."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import MODELS, SEQUENCE_MODELS
from fittingroom.recipes import RECIPES, recipe
from fittingroom.recipes.ladder import RUNGS
from fittingroom.recipes.sequences import SEQUENCE_RECIPES
from fittingroom.tasks.classification.config import ClassificationConfig


def test_there_is_one_recipe_a_family_and_rung() -> None:
    assert set(RECIPES) == {f"{family}_{rung}" for family in ("cnn", "hybrid", "vit") for rung in RUNGS}


@pytest.mark.parametrize("name", RECIPES.names())
def test_a_recipe_is_what_its_name_and_its_docstring_say(name: str) -> None:
    config, docs = RECIPES.get(name)(), RECIPES.get(name).__doc__ or ""
    assert name == f"{config.model}_{config.epochs:g}"
    assert f"`fittingroom train {config.model} --recipe {name}`" in docs
    assert ("Recorded: " if config.epochs != 1 else "Result: ") in docs


@pytest.mark.parametrize(
    ("epochs", "rung"),
    [(None, 5), (0.1, 1), (2.2, 1), (2.3, 5), (5, 5), (10, 5), (10.1, 20), (20, 20), (31, 20), (32, 50), (300, 50)],
)
def test_a_length_takes_the_nearest_rung(epochs: float | None, rung: int) -> None:
    wanted = RECIPES.get(f"vit_{rung}")()
    found = recipe("vit", epochs=epochs)
    assert isinstance(found, ClassificationConfig)
    assert (found.augment, found.model_config, found.optim) == (wanted.augment, wanted.model_config, wanted.optim)
    assert found.epochs == (5 if epochs is None else epochs)


@given(st.floats(0.01, 1000), st.integers(0, 9))
def test_the_length_that_was_asked_for_is_the_one_that_is_run(epochs: float, seed: int) -> None:
    config = recipe("cnn", seed=seed, epochs=epochs)
    assert (config.epochs, config.budget_seconds, config.seed) == (epochs, None, seed)


def test_a_recipe_by_name_keeps_its_network_and_augmentation_in_a_time_budget() -> None:
    config = recipe("hybrid", budget_seconds=58, name="hybrid_20")
    assert config == replace(RECIPES.get("hybrid_20")(), epochs=None, budget_seconds=58)


@pytest.mark.parametrize("model", MODELS.names())
def test_every_model_takes_the_recipes_of_its_family_by_name(model: str) -> None:
    family = MODELS.get(model).family
    for rung in RUNGS:
        config = recipe(model, name=f"{family}_{rung}")
        assert (config.model, config.epochs) == (model, rung)


@pytest.mark.parametrize(
    ("model", "name", "message"),
    [
        ("cnn", "vit_20", "recipe 'vit_20' is not for cnn models: for cnn choose cnn_1, cnn_5, cnn_20, cnn_50"),
        ("vit_cls", "cnn_5", "recipe 'cnn_5' is not for vit models: for vit_cls choose vit_1, vit_5"),
        ("transformer", "cnn_5", "recipe 'cnn_5' is not for transformer models: for transformer choose transformer_10"),
        ("recurrent", "recurent_10", "unknown recipe 'recurent_10': did you mean 'recurrent_10'"),
    ],
)  # fmt: skip
def test_a_recipe_of_another_family_is_refused_with_those_that_fit(model: str, name: str, message: str) -> None:
    with pytest.raises(FittingRoomError, match=message):
        recipe(model, name=name)


@pytest.mark.parametrize("model", SEQUENCE_MODELS.names())
@pytest.mark.parametrize(
    ("length", "rung"), [({"budget_seconds": 60.0}, 10), ({"epochs": 15.0}, 10), ({"epochs": 16.0}, 24)]
)
def test_a_sequence_model_takes_its_familys_recipe_at_the_length_asked_for(
    model: str, length: dict[str, float], rung: int
) -> None:
    wanted = SEQUENCE_RECIPES.get(f"{SEQUENCE_MODELS.get(model).family}_{rung}")()
    whole = {"epochs": None, "budget_seconds": None, **length}
    assert recipe(model, seed=2, epochs=length.get("epochs"), budget_seconds=length.get("budget_seconds")) == replace(
        wanted, model=model, seed=2, **whole
    )


@pytest.mark.parametrize("model", ["transformer", "recurrent"])
def test_only_few_pairs_take_the_recipe_for_few(model: str) -> None:
    few = SEQUENCE_RECIPES.get(f"{model}_100")().augment

    def is_for_few(pairs: int | None, epochs: float | None = None) -> bool:
        config: Any = recipe(model, pairs=pairs, epochs=epochs)
        return config.augment == few

    assert few.join_rate > 0 and few.hide_rate > 0
    assert [is_for_few(number) for number in (800, 8000, 30_000)] == [True, True, False]
    assert [is_for_few(number, epochs=100.0) for number in (19_999, 20_000, None)] == [True, False, False]
    assert not is_for_few(8000, epochs=10.0)


@pytest.mark.parametrize(("seconds", "place"), [(60.0, 0), (3590.0, 0), (3600.0, 1), (30_000.0, 1)])
@pytest.mark.parametrize("model", ["transformer", "recurrent"])
def test_an_hour_is_long_enough_for_the_second_recipe(model: str, seconds: float, place: int) -> None:
    name = [each for each in SEQUENCE_RECIPES if each.startswith(f"{model}_")][place]
    assert recipe(model, budget_seconds=seconds) == replace(
        SEQUENCE_RECIPES.get(name)(), epochs=None, budget_seconds=seconds
    )
