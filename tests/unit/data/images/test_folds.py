"""Folds of a cross-validation: every image is tested once per round, classes are shared out, groups stay whole."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.folds import check_folds
from fittingroom.data.images.folds import test_positions as positions_of


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.integers(2, 6), st.integers(0, 3))
def test_every_image_is_in_one_fold_of_a_round_and_classes_are_shared_out(
    labels: list[int], folds: int, turn: int
) -> None:
    of_images = torch.tensor(labels)
    parts = [positions_of(of_images, None, folds * turn + fold, folds) for fold in range(folds)]
    assert torch.cat(parts).sort().values.tolist() == list(range(len(labels)))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for label in set(labels):
        counts = [int((of_images[part] == label).sum()) for part in parts]
        assert max(counts) - min(counts) <= 1


@given(st.integers(0, 1000), st.integers(2, 5))
def test_groups_stay_whole_and_folds_are_about_equal(seed: int, folds: int) -> None:
    draw = np.random.default_rng(seed)
    groups = torch.from_numpy(np.repeat(np.arange(40), draw.integers(1, 5, 40)))
    labels = torch.from_numpy(draw.integers(0, 2, 40))[groups]
    parts = [positions_of(labels, groups, fold, folds) for fold in range(folds)]
    assert torch.cat(parts).sort().values.tolist() == list(range(len(labels)))
    homes = [set(groups[part].tolist()) for part in parts]
    assert sum(map(len, homes)) == 40
    assert max(map(len, parts)) <= 2 * len(labels) / folds + 8


def test_rounds_differ_and_the_same_seed_gives_the_same_fold() -> None:
    labels = torch.arange(100) % 2
    assert torch.equal(positions_of(labels, None, 3, 5), positions_of(labels, None, 3, 5))
    assert not torch.equal(positions_of(labels, None, 3, 5), positions_of(labels, None, 8, 5))


def test_bad_numbers_of_folds_are_refused() -> None:
    for folds in (-1, 0, 1, 21):
        with pytest.raises(FittingRoomError, match="choose 2 to 20"):
            check_folds(folds)
    with pytest.raises(FittingRoomError, match="3 groups cannot be divided into 5 folds"):
        positions_of(torch.arange(6) % 2, torch.arange(6) // 2, 0, 5)
