"""A data set of images, found and verified, its test part sealed; and the registry of the ways to open one.

To add one, write a file with a function `(data_dir) -> ImageData`, decorate it with `image_data("name")`, and import the file
in `load.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator
from fittingroom.core.records import ReadLog
from fittingroom.core.registry import Registry
from fittingroom.data.images.splits import digests, split
from fittingroom.data.spec import DataSpec, ImageSet

RULE = "stratified by seed; training images that also occur in validation or test are left out"


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Training and validation images, and the only way to the test images: it demands a log and a reason."""

    spec: DataSpec
    train: ImageSet
    val: ImageSet
    open_test: Callable[[ReadLog, str], ImageSet]


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """A data set. Images are loaded when they are first needed."""

    spec: DataSpec
    load_train: Callable[[], ImageSet]
    load_test: Callable[[], ImageSet]

    def split(self, seed: int, num_train: int | None = None) -> Splits:
        """Training and validation parts by `seed`; `num_train` keeps that many training images, drawn by seed."""
        train, val = split(self._train, seed, self.spec.num_val, avoid=self._test_digests)
        return Splits(
            spec=self.spec,
            train=train if num_train is None else draw(train, num_train, seed),
            val=val,
            open_test=self.open_test,
        )

    def open_test(self, log: ReadLog, why: str) -> ImageSet:
        """The sealed test images. `log(why)` is called first: what it refuses stays shut."""
        assert why.strip(), "say why the test split is opened"
        log(why)
        return self.load_test()

    @cached_property
    def _train(self) -> ImageSet:
        return self.load_train()

    @cached_property
    def _test_digests(self) -> frozenset[bytes]:
        """Fingerprints of the test images, to keep copies out of training. Nobody looks at the labels."""
        return frozenset(digests(self.load_test().images))


Opener = Callable[[Path | None], ImageData]
IMAGE_DATA: Registry[Opener] = Registry("data set")
"""Name -> function that opens the data set; its argument is `--data-dir`."""


def image_data(name: str) -> Callable[[Opener], Opener]:
    """Decorator: file a function that opens a data set under `name`."""
    return IMAGE_DATA.register(name)


def draw(train: ImageSet, number: int, seed: int) -> ImageSet:
    """That many images of `train`, drawn by seed, in the order of the file."""
    if number > len(train):
        raise FittingRoomError(f"num_train {number} is more than there are: choose at most {len(train)}")
    drawn = torch.randperm(len(train), generator=generator(seed, "train images"))
    return train.subset(drawn[:number].sort().values)
