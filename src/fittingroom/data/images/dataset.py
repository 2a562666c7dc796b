"""`ImageData`, an image data set with a sealed test split, and the registry of image data sets.

To add a data set, write a file with a function `(data_dir) -> ImageData`, decorate it with `image_data("name")`, and import the
file in `load.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from fittingroom.core.errors import FittingRoomError, found_in
from fittingroom.core.randomness import generator
from fittingroom.core.records import ReadLog
from fittingroom.core.registry import Registry
from fittingroom.data.images.folds import test_positions
from fittingroom.data.images.listing import Picture
from fittingroom.data.images.splits import demand_classes, split, without_copies
from fittingroom.data.spec import DataSpec, Source

RULE = "stratified by seed; training images that also occur in validation or test are left out"


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Training and validation images, and a function that opens the test images. It requires a log and a reason."""

    spec: DataSpec
    train: Source
    val: Source
    open_test: Callable[[ReadLog, str], Source]
    test_index: Tensor
    """The positions of the test images in the data set."""


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """An image data set. It loads the images on first use."""

    spec: DataSpec
    load_train: Callable[[], Source]
    load_test: Callable[[], Source]
    load_val: Callable[[], Source] | None = None
    """The data set's own validation images. Without them, validation is drawn from the training images by seed."""
    pictures: Callable[[], Sequence[Picture]] | None = None
    """For pictures in files: the file of each image, by its position in the data set (`Source.index`)."""

    skipped: Sequence[str] = ()
    """Files that cannot be read."""

    load_pool: Callable[[], Source] | None = None
    """All images but those of the data set's own validation part, if the program draws the test part."""

    def split(self, seed: int, num_train: int | None = None, folds: int | None = None) -> Splits:
        """Split into training and validation by `seed`. With `num_train`, keep a random choice of that many training images.

        With `folds`, the seed also chooses the test images: one fold of a cross-validation.
        """
        with found_in(self.spec.source):
            if folds is not None:
                return self._fold(seed, num_train, folds)
            train, val = self._given_parts() or split(
                self._train, seed, self.spec.num_val, avoid=self._test_digests, names=self.spec.class_names
            )
        return Splits(
            spec=self.spec,
            train=train if num_train is None else draw(train, num_train, seed),
            val=val,
            open_test=self.open_test,
            test_index=self.load_test().index,
        )

    def pool(self) -> Source:
        """The images of a cross-validation. Raises FittingRoomError for a data set with parts of its own."""
        if self.load_pool is None or self.load_val is not None:
            part = "test" if self.load_pool is None else "validation"
            raise FittingRoomError(f"it has a {part} part of its own, and folds divide all images: omit --folds")
        return self.load_pool()

    def _fold(self, seed: int, num_train: int | None, folds: int) -> Splits:
        pool = self.pool()
        chosen = test_positions(pool.labels, getattr(pool, "groups", None), seed, folds)
        test, rest = pool.subset(chosen), torch.ones(len(pool), dtype=torch.bool)
        rest[chosen] = False
        train, val = split(
            pool.subset(rest.nonzero().flatten()),
            seed,
            self.spec.num_val,
            avoid=frozenset(test.digests()),
            names=self.spec.class_names,
        )
        return Splits(
            spec=self.spec,
            train=train if num_train is None else draw(train, num_train, seed),
            val=val,
            open_test=lambda log, why: opened(lambda: test, log, why),
            test_index=test.index,
        )

    def _given_parts(self) -> tuple[Source, Source] | None:
        """Training and validation images where the data set has both. Copies are left out of training."""
        if self.load_val is None:
            return None
        val, prints = self.load_val(), self._train.digests()
        barred = self._test_digests | set(val.digests())
        kept = without_copies(prints, barred, torch.ones(len(prints), dtype=torch.bool))
        labels = self._train.labels
        demand_classes(labels[kept], labels.unique().tolist(), self.spec.class_names)
        return self._train.subset(kept), val

    def open_test(self, log: ReadLog, why: str) -> Source:
        """Open the sealed test images of the data set."""
        return opened(self.load_test, log, why)

    @cached_property
    def _train(self) -> Source:
        return self.load_train()

    @cached_property
    def _test_digests(self) -> frozenset[bytes]:
        """Fingerprints of the test images, used to keep copies out of training. Labels are not used."""
        return frozenset(self.load_test().digests())


Opener = Callable[[Path | None], ImageData]
IMAGE_DATA: Registry[Opener] = Registry("data set")
"""Maps a name to the function that opens the data set. The function's argument is `--data-dir`."""


def image_data(name: str) -> Callable[[Opener], Opener]:
    """Decorator that registers a function that opens a data set under `name`."""
    return IMAGE_DATA.register(name)


def opened(load_test: Callable[[], Source], log: ReadLog, why: str) -> Source:
    """The sealed test images. `log(why)` is called first; if it raises, the images stay sealed."""
    assert why.strip(), "say why the test split is opened"
    log(why)
    return load_test()


def draw(train: Source, number: int, seed: int) -> Source:
    """Choose `number` images of `train` at random by seed. They keep the order of the file."""
    if number > len(train):
        raise FittingRoomError(f"num_train {number} is more than there are: choose at most {len(train)}")
    drawn = torch.randperm(len(train), generator=generator(seed, "train images"))
    return train.subset(drawn[:number].sort().values)
