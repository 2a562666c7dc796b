"""A data set by name, split by seed, its test part sealed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator
from fittingroom.data.images import fashion_mnist
from fittingroom.data.images.splits import split
from fittingroom.data.spec import DataSpec, ImageSet


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Training and validation images, and the only way to the test images: it demands a log and a reason."""

    spec: DataSpec
    train: ImageSet
    val: ImageSet
    open_test: Callable[[Callable[[str], None], str], ImageSet]


def load_splits(seed: int, *, train_images: int | None = None, data_dir: Path | None = None) -> Splits:
    """Fashion-MNIST, found, verified and split by `seed`; `train_images` keeps that many of the training part, drawn by seed."""
    folder = fashion_mnist.find(data_dir)
    train, val = split(fashion_mnist.load_train(folder), seed, avoid=fashion_mnist.test_image_digests(folder))
    return Splits(
        spec=fashion_mnist.SPEC,
        train=train if train_images is None else _draw(train, train_images, seed),
        val=val,
        open_test=lambda log, why: fashion_mnist.load_test(folder, reads=log, why=why),
    )


def _draw(train: ImageSet, number: int, seed: int) -> ImageSet:
    if number > len(train):
        raise FittingRoomError(f"train_images {number} is more than there are: choose at most {len(train)}")
    drawn = torch.randperm(len(train), generator=generator(seed, "train images"))
    return train.subset(drawn[:number].sort().values)
