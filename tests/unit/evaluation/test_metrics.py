"""Each score against numbers worked by hand, or against a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.evaluation.metrics import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    negative_log_likelihood,
    per_class_accuracy,
)

PROBS = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.4, 0.1], [0.2, 0.3, 0.5]], dtype=np.float16)
LABELS = np.array([0, 1, 1, 2], dtype=np.uint8)


def test_accuracy_is_the_share_of_right_images() -> None:
    assert accuracy(PROBS, LABELS) == 0.75


def test_negative_log_likelihood_is_the_mean_over_images() -> None:
    expected = -np.mean(np.log([0.7, 0.6, 0.4, 0.5]))
    assert negative_log_likelihood(PROBS, LABELS) == pytest.approx(expected, abs=1e-3)


def test_a_probability_of_zero_costs_a_finite_amount() -> None:
    assert negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(16.118, abs=1e-3)


def test_calibration_error_of_one_bin_is_its_gap() -> None:
    probs = np.tile([0.9, 0.1], (10, 1))
    labels = np.array([0] * 7 + [1] * 3)
    assert expected_calibration_error(probs, labels) == pytest.approx(0.2)


def test_calibration_error_weighs_bins_by_their_images() -> None:
    probs = np.array([[0.9, 0.1]] * 3 + [[0.6, 0.4]])
    labels = np.array([0, 0, 1, 0])
    assert expected_calibration_error(probs, labels) == pytest.approx(0.75 * (0.9 - 2 / 3) + 0.25 * 0.4)


def test_certainty_shares_the_last_bin() -> None:
    probs = np.array([[1.0, 0.0], [0.95, 0.05]])
    assert expected_calibration_error(probs, np.array([1, 0])) == pytest.approx((1.0 - 0.05) / 2)


def test_a_sure_and_right_model_is_calibrated() -> None:
    assert expected_calibration_error(np.eye(3), np.arange(3)) == 0


@given(st.integers(0, 10_000))
def test_calibration_error_equals_a_loop_over_bins(seed: int) -> None:
    random = np.random.default_rng(seed)
    probs, labels = random.dirichlet([1, 1, 1], size=40), random.integers(0, 3, size=40)
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    total = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert expected_calibration_error(probs, labels) == pytest.approx(total)


def test_rows_of_the_confusion_matrix_are_the_true_classes() -> None:
    found = confusion_matrix(LABELS, PROBS.argmax(axis=1), 4)
    assert found.tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_many_classes_of_one_byte_do_not_overflow() -> None:
    labels = np.array([200, 255], dtype=np.uint8)
    found = confusion_matrix(labels, labels, 256)
    assert found[200, 200] == 1 and found[255, 255] == 1 and found.sum() == 2


def test_accuracy_of_a_class_without_images_is_not_a_number() -> None:
    found = per_class_accuracy(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]]))
    assert found[:2].tolist() == [1.0, 0.5] and np.isnan(found[2])


def test_scores_of_unbalanced_classes_by_hand() -> None:
    # Nine of ten of the first class are right; of the two of the second, one.
    confusion = np.array([[9, 1], [1, 1]])
    assert balanced_accuracy(confusion) == pytest.approx((0.9 + 0.5) / 2)
    assert macro_f1(confusion) == pytest.approx((0.9 + 0.5) / 2)
    assert macro_f1(np.array([[10, 0], [2, 0]])) == pytest.approx((2 * 10 / 22 + 0) / 2)


@pytest.mark.thorough
@given(st.integers(0, 2**31), st.integers(2, 6))
def test_they_equal_those_of_scikit_learn(seed: int, num_classes: int) -> None:
    from sklearn.metrics import balanced_accuracy_score, f1_score

    draw = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(num_classes), draw.integers(0, num_classes, 30)])
    guesses = draw.integers(0, num_classes, len(labels))
    confusion = confusion_matrix(labels, guesses, num_classes)
    assert balanced_accuracy(confusion) == pytest.approx(balanced_accuracy_score(labels, guesses))
    assert macro_f1(confusion) == pytest.approx(f1_score(labels, guesses, average="macro", zero_division=0.0))  # type: ignore[arg-type]


def test_a_class_that_is_neither_there_nor_predicted_does_not_count() -> None:
    confusion = np.array([[3, 0, 0], [0, 2, 0], [0, 0, 0]])
    assert balanced_accuracy(confusion) == macro_f1(confusion) == 1.0
