"""Split images into training and validation parts. The split is stratified, depends only on the seed, and has no copies.

A training image that equals a validation or test image byte for byte would reveal its answer. Such images are left out of
training; validation and test do not change.
"""

from collections.abc import Collection, Sequence
from typing import TypeVar, cast

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import check_seed, generator
from fittingroom.data.spec import Source

S = TypeVar("S", bound=Source)


def split(
    train: S,
    seed: int,
    num_val: int,
    avoid: Collection[bytes] = frozenset(),
    purpose: str = "split",
    names: Sequence[str] | None = None,
) -> tuple[S, S]:
    """Divide `train` into (training part, validation part), both in the order of the file.

    Validation gets `num_val` images, divided between the classes in proportion to their size. The training part then loses
    every image whose digest is in `avoid` (the test images) or in the validation part. If `train` has groups, each group stays
    in one part. Raises FittingRoomError if a class has too few images; `names` are those of the classes.
    """
    shuffled = torch.randperm(len(train), generator=generator(check_seed(seed), purpose))
    groups = getattr(train, "groups", None)
    if groups is None:
        shares = quotas(train.labels, num_val)
        labels = train.labels[shuffled]
        val = torch.cat([shuffled[labels == label][:quota] for label, quota in shares.items()]).sort().values
    else:
        val = whole_groups(train.labels, groups, shuffled, num_val)
    in_val = torch.zeros(len(train), dtype=torch.bool)
    in_val[val] = True
    prints = train.digests()
    kept = without_copies(prints, {prints[position] for position in val.tolist()} | set(avoid), ~in_val)
    demand_classes(train.labels[kept], train.labels.unique().tolist(), names)
    return cast("S", train.subset(kept)), cast("S", train.subset(val))


def without_copies(prints: Sequence[bytes], barred: Collection[bytes], wanted: Tensor) -> Int64[Tensor, " kept"]:
    """The positions that are `wanted` and whose fingerprint is not in `barred`."""
    copies = torch.tensor([fingerprint in barred for fingerprint in prints], dtype=torch.bool)
    return (wanted & ~copies).nonzero().flatten()


def whole_groups(
    labels: Int64[Tensor, " num"], groups: Int64[Tensor, " num"], shuffled: Int64[Tensor, " num"], number: int
) -> Int64[Tensor, " chosen"]:
    """About `number` positions, whole groups only, with every class in proportion as far as the groups allow.

    Groups come in random order, by their first image in `shuffled`. A group is taken if that brings the classes closer to their
    shares. Raises FittingRoomError if that divides nothing.
    """
    names, group = groups.unique(return_inverse=True)
    num_classes = int(labels.max()) + 1
    counts = np.zeros((len(names), num_classes))
    np.add.at(counts, (group.numpy(), labels.numpy()), 1)
    totals = counts.sum(axis=0)
    weights = 1 / np.maximum(totals, 1)
    wanted = totals * number / len(labels)
    taken, in_val = np.zeros(num_classes), np.zeros(len(names), dtype=bool)
    order = dict.fromkeys(group[shuffled].tolist())
    for each in order:
        now = (((taken - wanted) * weights) ** 2).sum()
        with_it = (((taken + counts[each] - wanted) * weights) ** 2).sum()
        if with_it < now and not (taken + counts[each] >= totals).all():
            in_val[each] = True
            taken += counts[each]
    if not in_val.any():
        raise FittingRoomError(
            f"{len(names)} groups are too large to draw {number:,} of {len(labels):,} images from them: use smaller groups, or "
            "give the parts yourself with --split-file"
        )
    return torch.from_numpy(in_val)[group].nonzero().flatten()


def quotas(labels: Int64[Tensor, " num"], num_val: int) -> dict[int, int]:
    """Number of validation images for each label: proportional, with total `num_val` (largest remainder method).

    A class with two images or more gets at least one.
    """
    if not 0 < num_val < len(labels):
        raise FittingRoomError(
            f"num_val {num_val} does not suit {len(labels)} images: choose a number from 1 to {len(labels) - 1}"
        )
    present, counts = (column.tolist() for column in labels.unique(return_counts=True))
    whole = [num_val * count // len(labels) for count in counts]
    remainder = [num_val * count % len(labels) for count in counts]
    largest_first = sorted(range(len(present)), key=lambda place: -remainder[place])
    for place in largest_first[: num_val - sum(whole)]:
        whole[place] += 1
    _share_with_rare(whole, counts)
    for label, quota, count in zip(present, whole, counts, strict=True):
        if not 0 < quota < count:
            raise FittingRoomError(
                f"class {label} has {count} of {len(labels)} images, too few to give {num_val} validation images their "
                "share and keep one for training: add images of that class or change num_val"
            )
    return dict(zip(present, whole, strict=True))


def _share_with_rare(quotas: list[int], counts: list[int]) -> None:
    """Give one image to each class that has two or more but would get none. The class with most gives it up."""
    for place, count in enumerate(counts):
        most = max(range(len(quotas)), key=lambda each: quotas[each])
        if quotas[place] == 0 and count > 1 and quotas[most] > 1:
            quotas[place] += 1
            quotas[most] -= 1


def demand_classes(labels: Int64[Tensor, " kept"], wanted: list[int], names: Sequence[str] | None) -> None:
    """Raise FittingRoomError if no image of a `wanted` label is left; `names` are those of the classes."""
    missing = sorted(set(wanted) - set(labels.unique().tolist()))
    if missing:
        name = missing[0] if names is None else repr(names[missing[0]])
        raise FittingRoomError(
            f"class {name} has no training image left: all are copies of validation or test images; add images of that class"
        )
