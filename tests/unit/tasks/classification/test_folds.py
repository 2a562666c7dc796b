"""Folds keep groups whole and share out each class."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from fittingroom.tasks.classification.folds import NEVER, draw_folds


def test_each_class_is_shared_out_evenly() -> None:
    labels = [0] * 30 + [1] * 15
    folds = draw_folds(labels, range(45), 3).tolist()
    assert Counter(zip(labels, folds, strict=True)) == {
        (0, 0): 10,
        (0, 1): 10,
        (0, 2): 10,
        (1, 0): 5,
        (1, 1): 5,
        (1, 2): 5,
    }
    assert folds == draw_folds(labels, range(45), 3).tolist() != draw_folds(labels, range(45), 3, seed=1).tolist()


def test_a_class_with_too_few_groups_is_always_trained_on() -> None:
    folds = draw_folds([0] * 9 + [1, 1, 1], [*range(9), 9, 9, 10], 3).tolist()
    assert folds[9:] == [NEVER] * 3 and NEVER not in folds[:9]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 15)), min_size=1, max_size=60), st.integers(2, 4))
def test_no_group_is_divided_and_every_fold_leaves_each_class_something(
    pairs: list[tuple[int, int]], number: int
) -> None:
    labels, groups = [label for label, _ in pairs], [group for _, group in pairs]
    folds = draw_folds(labels, groups, number).tolist()
    assert all(len({folds[place] for place in range(len(pairs)) if groups[place] == group}) == 1 for group in groups)
