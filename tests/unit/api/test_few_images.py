"""What `compare` and `train` choose for few images: a cross-validation, more epochs, the recipe for them."""

from pathlib import Path
from typing import Any

import pytest

import fittingroom as fr
from fittingroom.api.compare import plan_comparison
from fittingroom.api.runs import configure
from fittingroom.comparison.grid import Comparison
from fittingroom.recipes import RECIPES
from fittingroom.recipes.length import NUM_IMAGES, epochs_for
from tests.own_images import write_images


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_images(tmp_path_factory.mktemp("data") / "few.npz", number=60, size=(8, 8), num_classes=2))


def plan(data: str, **options: Any) -> Comparison:
    return plan_comparison("cnn", fr.load_data(data), **options)


def folds(comparison: Comparison) -> int | None:
    return comparison.candidates[0].config.folds  # type: ignore[attr-defined]


def test_few_images_are_cross_validated_in_shorter_runs(few: str) -> None:
    planned = plan(few)
    assert folds(planned) == 5 and list(planned.seeds) == list(range(10))
    assert planned.budget.seconds == 40
    (hint,) = planned.hints
    assert "10 runs of each model" in hint and "--folds none" in hint


def test_a_length_of_ones_own_stays(few: str) -> None:
    assert plan(few, budget="5m").budget.seconds == 300
    assert plan(few, epochs=3).budget.epochs == 3


@pytest.mark.parametrize(
    ("options", "wanted", "seeds"),
    [
        ({"seeds": 2}, None, 2),
        ({"settings": {"folds": None}}, None, 3),
        ({"settings": {"folds": "null"}}, None, 3),
        ({"settings": {"folds": 4}}, 4, 12),
        ({"settings": {"num_train": 20}}, None, 3),
        ({"train_sizes": [10, 20]}, None, 3),
    ],
)
def test_a_choice_of_ones_own_stays(few: str, options: dict[str, Any], wanted: int | None, seeds: int) -> None:
    planned = plan(few, **options)
    assert (folds(planned), len(planned.seeds), planned.hints) == (wanted, seeds, ())


def test_enough_images_keep_one_test_part(tmp_path: Path) -> None:
    many = str(write_images(tmp_path / "many.npz", number=2000, size=(8, 8), num_classes=2))
    assert folds(plan(many)) is None and plan(many).budget.seconds == 70


def test_the_epochs_of_a_preset_follow_the_number_of_images(few: str) -> None:
    number = fr.load_data(few).num_train
    assert plan(few, preset="standard").budget.epochs == epochs_for(5, number, NUM_IMAGES)


def test_each_training_size_has_the_recipe_for_its_epochs(tmp_path: Path) -> None:
    many = str(write_images(tmp_path / "many.npz", number=2000, size=(28, 28), num_classes=2, channels=1))
    small, large = plan(many, train_sizes=[10, 1000], budget="12s").candidates
    assert small.config.augment == RECIPES.get("cnn_50")().augment  # type: ignore[attr-defined]
    assert large.config.augment != small.config.augment  # type: ignore[attr-defined]


def test_train_sees_few_images_oftener(few: str) -> None:
    number = fr.load_data(few).num_train
    assert configure("cnn", few).epochs == epochs_for(5, number, NUM_IMAGES)
    assert configure("cnn", few, settings={"num_train": 5}).epochs == epochs_for(5, 5, NUM_IMAGES)
    assert configure("cnn", few, epochs=2).epochs == 2
    assert configure("cnn").epochs == 5


def test_a_choice_for_one_candidate_stays(few: str) -> None:
    data = fr.load_data(few)
    with pytest.raises(fr.FittingRoomError, match="different folds"):
        plan_comparison(["cnn@folds=3", "vit"], data)
    assert len(plan_comparison(["cnn@folds=3", "vit@folds=3"], data).seeds) == 9
    planned = plan_comparison(["cnn@num_train=20", "cnn"], data)
    assert folds(planned) is None and len(planned.seeds) == 3
