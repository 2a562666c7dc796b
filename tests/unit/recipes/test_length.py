"""The default length of a run follows the number of training items."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.recipes import RECIPES, recipe
from fittingroom.recipes.budget import Images
from fittingroom.recipes.length import MOST_EPOCHS, NUM_IMAGES, NUM_PAIRS, epochs_for
from fittingroom.tasks.classification.config import ClassificationConfig

ITEMS = st.integers(1, 200_000)


@given(few=ITEMS, many=ITEMS, epochs=st.sampled_from([1, 5, 20, 500]))
def test_fewer_items_are_seen_as_often_or_oftener_and_never_make_a_longer_run(few: int, many: int, epochs: int) -> None:
    few, many = sorted((few, many))
    assert epochs_for(epochs, few, NUM_IMAGES) >= epochs_for(epochs, many, NUM_IMAGES) >= epochs
    assert epochs_for(epochs, few, NUM_IMAGES) <= max(epochs, MOST_EPOCHS)
    assert few * epochs_for(epochs, few, NUM_IMAGES) <= 1.1 * max(NUM_IMAGES, few) * epochs  # rounded


def test_an_eighth_of_the_items_is_seen_four_times_as_often() -> None:
    assert epochs_for(5, NUM_IMAGES // 8, NUM_IMAGES) == 20
    assert epochs_for(5, NUM_IMAGES, NUM_IMAGES) == epochs_for(5, 10 * NUM_IMAGES, NUM_IMAGES) == 5


@pytest.mark.parametrize("family", ["cnn", "vit", "hybrid"])
@pytest.mark.parametrize(("num_train", "rung"), [(55_000, 5), (5_000, 20), (300, 50)])
def test_a_smaller_data_set_takes_more_epochs_and_the_recipe_for_them(family: str, num_train: int, rung: int) -> None:
    found, wanted = recipe(family, images=Images(num_train=num_train)), RECIPES.get(f"{family}_{rung}")()
    assert isinstance(found, ClassificationConfig)
    assert found.epochs == epochs_for(5, num_train, NUM_IMAGES)
    assert (found.augment, found.model_config) == (wanted.augment, wanted.model_config)


@pytest.mark.parametrize("model", ["transformer", "recurrent"])
def test_fewer_pairs_take_more_epochs_too(model: str) -> None:
    assert recipe(model).epochs == recipe(model, pairs=NUM_PAIRS).epochs == 10
    assert recipe(model, pairs=8000).epochs == epochs_for(10, 8000, NUM_PAIRS) > 50


def test_a_length_or_a_recipe_of_ones_choice_stays() -> None:
    few = Images(num_train=300)
    assert recipe("cnn", images=few, epochs=3).epochs == 3
    assert recipe("cnn", images=few, name="cnn_20").epochs == 20
