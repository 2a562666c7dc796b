"""Class predictions are saved and read without loss that matters, whatever the number of classes, and scored."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import BudgetRecord, DataRecord
from fittingroom.tasks.classification.scoring import ClassPredictions, to_half, unbalanced_scores
from fittingroom.tasks.scoring import SCORINGS, ProtocolFacts

SCORING = SCORINGS.get("classification")


def predictions(num_classes: int, num_images: int = 900, seed: int = 0) -> ClassPredictions:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(num_images, num_classes))
    labels = random.integers(0, num_classes, num_images)
    logits[np.arange(num_images), labels] += 2
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return ClassPredictions(probs=probs.astype(np.float32), labels=labels, index=np.arange(num_images) * 3)


@pytest.mark.parametrize("num_classes", [2, 7, 300])
def test_what_is_saved_is_read_again(tmp_path: Path, num_classes: int) -> None:
    given = predictions(num_classes)
    SCORING.save(tmp_path, {"val": given, "test": given})
    for names in ((), tuple(map(str, range(num_classes)))):
        found = SCORING.load(tmp_path, DataRecord(name="", class_names=names))["test"]
        np.testing.assert_array_equal(found.labels, given.labels)
        np.testing.assert_array_equal(found.index, given.index)
        np.testing.assert_array_equal(found.classes, given.classes)
        np.testing.assert_allclose(found.probs, given.probs, rtol=1e-3, atol=1e-7)
        assert SCORING.scores(found) == SCORING.scores(given) == {"accuracy": float(np.mean(given.correct))}
        assert np.sum(SCORING.details([found], DataRecord(name="", class_names=names))["confusion"]) == 900


def test_the_number_of_classes_is_that_of_their_names(tmp_path: Path) -> None:
    SCORING.save(tmp_path, {"val": predictions(7)})
    with pytest.raises(FittingRoomError, match=r"val_probs have shape \(900, 7\), expected 900 images and 10 classes"):
        SCORING.load(tmp_path, DataRecord(name="", class_names=tuple("abcdefghij")))


def test_a_sealed_run_has_validation_only_and_an_empty_file_is_named(tmp_path: Path) -> None:
    SCORING.save(tmp_path / "sealed", {"val": predictions(3)})
    assert list(SCORING.load(tmp_path / "sealed", DataRecord(name=""))) == ["val"]
    SCORING.save(tmp_path / "empty", {})
    with pytest.raises(FittingRoomError, match=r"predictions\.npz is damaged \(it holds no predictions\)"):
        SCORING.load(tmp_path / "empty", DataRecord(name=""))


def test_validation_parts_may_differ_by_seed_and_test_parts_may_not() -> None:
    one, other = predictions(3, seed=0), predictions(3, seed=1)
    assert SCORING.same_items(one, other, "val") and not SCORING.same_items(one, other, "test")
    fewer = predictions(3, num_images=800)  # as where each seed draws whole groups
    assert SCORING.same_items(one, fewer, "val") and not SCORING.same_items(one, fewer, "test")


@given(
    logits=st.lists(st.lists(st.floats(-8, 8), min_size=4, max_size=4), min_size=1, max_size=20),
    nearly=st.sampled_from([0.0, 1e-5, 1e-4, 1e-3]),
)
def test_half_precision_keeps_the_class(logits: list[list[float]], nearly: float) -> None:
    scores = np.array(logits, dtype=np.float32)
    scores[:, 1] = scores[:, 0] + nearly  # two that rounding may make equal, the later one ahead
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    half = to_half(probs)
    assert half.dtype == np.float16
    assert (half.argmax(axis=1) == probs.argmax(axis=1)).all()
    assert np.abs(half - probs).max() < 1e-3


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.floats(0, 1e-4))
def test_half_precision_keeps_the_class_of_three_that_are_nearly_equal(logits: list[float], nearly: float) -> None:
    probs = np.exp([logits, [logits[0], logits[0] - nearly, logits[0] - 2 * nearly]])
    probs = probs / probs.sum(axis=1, keepdims=True)
    half = to_half(probs)
    assert half.dtype == np.float16
    np.testing.assert_array_equal(half.argmax(axis=1), probs.argmax(axis=1))


def test_only_unbalanced_classes_have_balanced_scores() -> None:
    even = ClassPredictions(probs=np.eye(2)[[0, 1, 0, 1]], labels=np.array([0, 1, 1, 0]), index=np.arange(4))
    assert unbalanced_scores(even) == {}
    odd = ClassPredictions(probs=np.eye(2)[[0, 0, 0, 0]], labels=np.array([0, 0, 0, 1]), index=np.arange(4))
    assert unbalanced_scores(odd) == {"balanced_accuracy": 0.5, "macro_f1": pytest.approx(6 / 7 / 2)}


def test_a_comparison_of_balanced_classes_has_no_such_columns() -> None:
    def answers(*classes: int, labels: tuple[int, ...]) -> ClassPredictions:
        return ClassPredictions(probs=np.eye(2)[list(classes)], labels=np.array(labels), index=np.arange(len(labels)))

    assert SCORING.summarise_extras([], []) == {}
    even = answers(0, 1, 0, 1, labels=(0, 1, 1, 0))
    assert SCORING.summarise_extras([], [even]) == {} and not SCORING.is_unbalanced(even)
    odd = [answers(0, 0, 0, 0, labels=(0, 0, 0, 1)), answers(0, 0, 0, 1, labels=(0, 0, 0, 1))]
    assert SCORING.is_unbalanced(odd[0])
    assert SCORING.summarise_extras([], odd) == {
        "balanced_accuracy": pytest.approx(0.75),
        "macro_f1": pytest.approx((6 / 7 / 2 + 1) / 2),
    }


def test_balanced_scores_of_a_cross_validation_are_those_of_all_its_images() -> None:
    """The rare class is in one fold only: the mean over the folds would be another number, and of one fold."""
    folds = [
        {"test": ClassPredictions(probs=np.eye(2)[[0, 0]], labels=np.array([0, 0]), index=np.array([0, 1]))},
        {"test": ClassPredictions(probs=np.eye(2)[[0, 0, 0]], labels=np.array([0, 0, 1]), index=np.array([2, 3, 4]))},
    ]
    merged = SCORING.merge(dict(enumerate(folds)), DataRecord(name="x", class_names=("a", "b"), facts={"folds": 2}))
    assert SCORING.summarise_extras([], [merged[0]["test"]]) == {
        "balanced_accuracy": 0.5,
        "macro_f1": pytest.approx(8 / 9 / 2),
    }


def test_the_protocol_says_how_parts_were_made_and_what_a_seed_decides() -> None:
    budget = BudgetRecord(kind="epochs", value=1, text="1 epoch")
    facts = ProtocolFacts(
        budget=budget, num_seeds=2, num_train=8, num_val=4, num_test=4, split="The test images are the data set's own.",
        task={"same_split": True, "notes": ["pictures of 40x40 pixels become 32x32 RGB, crop"]},
    )  # fmt: skip
    lines = SCORING.protocol(facts)
    assert any("A seed decides initial weights, order" in line for line in lines)
    assert any(line.endswith("The test images are the data set's own.") for line in lines)
    assert "Pictures of 40x40 pixels become 32x32 RGB, crop." in lines
