"""Split images into training and validation parts. The split is stratified, depends only on the seed, and has no copies.

A training image that equals a validation or test image byte for byte would reveal its answer. Such images are left out of
training; validation and test do not change.
"""

import hashlib
from collections.abc import Collection

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import check_seed, generator
from fittingroom.data.spec import ImageSet


def digests(images: UInt8[Tensor, "num ..."] | UInt8[np.ndarray, "num ..."]) -> list[bytes]:
    """A 16-byte fingerprint (BLAKE2b) of each image. Fingerprints are equal exactly when all pixels are equal."""
    return [hashlib.blake2b(row, digest_size=16).digest() for row in np.ascontiguousarray(images)]


def split(
    train: ImageSet, seed: int, num_val: int, avoid: Collection[bytes] = frozenset(), purpose: str = "split"
) -> tuple[ImageSet, ImageSet]:
    """Divide `train` into (training part, validation part), both in the order of the file.

    Validation gets `num_val` images, divided between the classes in proportion to their size. The training part then loses
    every image whose digest is in `avoid` (the test images) or in the validation part. Raises FittingRoomError if a class has
    too few images.
    """
    shares = quotas(train.labels, num_val)
    shuffled = torch.randperm(len(train), generator=generator(check_seed(seed), purpose))
    labels = train.labels[shuffled]
    val = torch.cat([shuffled[labels == label][:quota] for label, quota in shares.items()]).sort().values
    in_val = torch.zeros(len(train), dtype=torch.bool)
    in_val[val] = True
    prints = digests(train.images)
    barred = set(avoid) | {prints[position] for position in val.tolist()}
    copies = torch.tensor([fingerprint in barred for fingerprint in prints], dtype=torch.bool)
    kept = (~(in_val | copies)).nonzero().flatten()
    _demand_classes(train.labels[kept], list(shares))
    return train.subset(kept), train.subset(val)


def quotas(labels: Int64[Tensor, " num"], num_val: int) -> dict[int, int]:
    """Number of validation images for each label: proportional, with total `num_val` (largest remainder method)."""
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
    for label, quota, count in zip(present, whole, counts, strict=True):
        if not 0 < quota < count:
            raise FittingRoomError(
                f"class {label} has {count} of {len(labels)} images, too few to give {num_val} validation images their "
                "share and keep one for training: add images of that class or change num_val"
            )
    return dict(zip(present, whole, strict=True))


def _demand_classes(labels: Int64[Tensor, " kept"], wanted: list[int]) -> None:
    missing = sorted(set(wanted) - set(labels.unique().tolist()))
    if missing:
        raise FittingRoomError(
            f"class {missing[0]} has no training image left: all are copies of validation or test images; "
            "add images of that class"
        )
