"""Divide images into folds for cross-validation: stratified by class, whole groups only, by seed.

Seed `folds * round + fold` names one fold of one round. A round divides the images once; each of its folds is the test part of
one run, so every image is a test image once per round.
"""

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator

LEAST, MOST = 2, 20


def check_folds(folds: int | None) -> None:
    """Raise FittingRoomError unless `folds` is None or from 2 to 20."""
    if folds is not None and not LEAST <= folds <= MOST:
        raise FittingRoomError(f"folds {folds} is out of range: choose {LEAST} to {MOST}, such as 5, or none")


def test_positions(
    labels: Int64[Tensor, " num"], groups: Int64[Tensor, " num"] | None, seed: int, folds: int
) -> Int64[Tensor, " test"]:
    """The positions of the test images of the run with this seed, in the order of the images."""
    shuffled = torch.randperm(len(labels), generator=generator(seed // folds, "folds"))
    fold = _by_class(labels, shuffled, folds) if groups is None else _by_group(labels, groups, shuffled, folds)
    return (fold == seed % folds).nonzero().flatten()


def _by_class(labels: Tensor, shuffled: Tensor, folds: int) -> Tensor:
    """The fold of each image: the images of a class are dealt out in turn, the next class where the last one ended."""
    dealt = shuffled[torch.argsort(labels[shuffled], stable=True)]
    fold = torch.empty_like(labels)
    fold[dealt] = torch.arange(len(labels)) % folds
    return fold


def _by_group(labels: Tensor, groups: Tensor, shuffled: Tensor, folds: int) -> Tensor:
    """The fold of each image: each group, in random order, goes where the shares of its classes are furthest from full."""
    names, group = groups.unique(return_inverse=True)
    if len(names) < folds:
        raise FittingRoomError(f"{len(names)} groups cannot be divided into {folds} folds: choose fewer folds")
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (group.numpy(), labels.numpy()), 1)
    weights = 1 / np.maximum(counts.sum(axis=0), 1)
    filled, home = np.zeros((folds, counts.shape[1])), np.zeros(len(names), dtype=np.int64)
    for each in dict.fromkeys(group[shuffled].tolist()):
        cost = (((filled + counts[each]) * weights) ** 2 - (filled * weights) ** 2).sum(axis=1)
        home[each] = cost.argmin()
        filled[home[each]] += counts[each]
    return torch.from_numpy(home)[group]
