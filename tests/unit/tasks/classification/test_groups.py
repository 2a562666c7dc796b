"""Images in groups: a group is what a test sees once."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.evaluation.statistics import accuracy_interval, paired_difference
from fittingroom.tasks.classification.scoring import ACCURACY, ClassPredictions


def predictions(correct: np.ndarray, group: np.ndarray | None) -> ClassPredictions:
    labels = np.zeros(len(correct), dtype=np.int64)
    probs = np.where(correct[:, None], [[0.9, 0.1]], [[0.1, 0.9]])
    return ClassPredictions(probs=probs, labels=labels, index=np.arange(len(correct)), group=group)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_the_mean_over_groups_is_the_accuracy(items: list[tuple[bool, int]]) -> None:
    correct, group = np.array([each[0] for each in items]), np.array([each[1] for each in items])
    units = ACCURACY.values(predictions(correct, group))
    assert len(units) == len(set(group.tolist()))
    np.testing.assert_allclose(units.mean(), correct.mean())


def test_groups_of_one_image_are_the_images() -> None:
    correct = np.random.default_rng(0).random(50) < 0.8
    np.testing.assert_allclose(ACCURACY.values(predictions(correct, np.arange(50))), correct)


def test_pictures_that_are_all_alike_within_groups_count_as_one_each() -> None:
    """Ten copies of every image widen the interval to that of the images alone."""
    once = np.random.default_rng(1).random((2, 60)) < 0.8
    group = np.repeat(np.arange(60), 10)
    copies = np.stack([ACCURACY.values(predictions(each, group)) for each in np.repeat(once, 10, axis=1)])
    a, b = accuracy_interval(copies), accuracy_interval(once.astype(float))
    np.testing.assert_allclose([a.low, a.high], [b.low, b.high])
    assert a.high - a.low > 0.9 * (accuracy_interval(once).high - accuracy_interval(once).low)
    other = np.random.default_rng(2).random((2, 60)) < 0.5
    many = np.stack([ACCURACY.values(predictions(each, group)) for each in np.repeat(other, 10, axis=1)])
    np.testing.assert_allclose(
        paired_difference(copies, many).p, paired_difference(once.astype(float), other.astype(float)).p
    )
