"""Look at every picture of a data set once: what it is called, whether it can be read, and the numbers that checks need.

Pictures in files are decoded at their own size. Nothing is written.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.data.images import cache
from fittingroom.data.images.decode import decode
from fittingroom.data.images.depth import BAND
from fittingroom.data.images.guard.near import Small, grey_of, shrink
from fittingroom.data.images.guard.quality import MOST_SIDE, Looks, looks
from fittingroom.data.images.listing import PARTS, Listing, Picture, check_classes, check_counts, in_order, part_notes
from fittingroom.data.images.load import is_pictures, open_images
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.pictures import list_pictures
from fittingroom.data.images.resize import opaque
from fittingroom.data.spec import Source

ALL = "all"
"""The name of the only part of a data set without parts."""
BLOCK = 512
SHOWN_SIDE = 96
"""Pixels along the longer side of a picture on a page."""


class Checked(NamedTuple):
    """What one image is like."""

    name: str
    label: str
    part: str
    size: tuple[int, int] = (0, 0)
    """Height and width."""
    digest: bytes = b""
    """Of its pixels; pictures of other formats or modes that look the same have the same."""
    constant: bool = False
    """Whether all its pixels are equal."""
    fault: str = ""
    """Why it cannot be read."""
    path: str = ""
    """Of its file."""
    group: str = ""
    """What the user calls its group."""


@dataclass(frozen=True, kw_only=True)
class Scan:
    """All pictures of a data set."""

    title: str
    source: str
    found: tuple[Checked, ...]
    """Every picture, readable or not."""
    small: Small
    """Of the readable pictures."""
    looks: Looks
    show: Callable[[int], np.ndarray]
    """A readable picture by position, for people: uint8, [height, width] or [height, width, 3]."""
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Why training would refuse the pictures, apart from unreadable files."""
    in_files: bool = True

    @cached_property
    def good(self) -> tuple[Checked, ...]:
        """The readable pictures."""
        return tuple(each for each in self.found if not each.fault)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """Of all pictures."""
        return in_order({each.label for each in self.found})

    @cached_property
    def parts(self) -> list[str]:
        """The parts that there are, in their order."""
        given = {each.part for each in self.found}
        return [part for part in (ALL, *PARTS) if part in given]


def scan_images(source: str, data_dir: Path | None = None, options: PictureOptions | None = None) -> Scan:
    """Look at images by path or name.

    Raises FittingRoomError if there is nothing to look at: no such file, no pictures, a broken table.
    """
    if not is_pictures(source):
        return _scan_arrays(source, data_dir)
    listing = list_pictures(Path(source), options or PictureOptions())
    numbers = _Numbers()
    found = tuple(_of_pictures(listing.pictures, listing.title, numbers))
    good = {place for place, each in enumerate(found) if not each.fault}
    readable = replace(listing, pictures=tuple(each for place, each in enumerate(listing.pictures) if place in good))
    paths = [each.path for each in readable.pictures]
    return Scan(
        title=listing.title,
        source=source,
        found=found,
        small=numbers.small,
        looks=numbers.looks,
        show=lambda place: _shown(Path(paths[place])),
        notes=(*listing.notes, *part_notes(readable)),
        problems=tuple(_problems(readable)),
    )


def _scan_arrays(source: str, data_dir: Path | None) -> Scan:
    data = open_images(source, data_dir)
    parts = {"train": data.load_train(), "val": data.load_val and data.load_val(), "test": data.load_test()}
    given = [(part, images) for part, images in parts.items() if images is not None]
    numbers = _Numbers()
    found = tuple(
        one
        for part, images in given
        for one in _of_array(part, images, data.spec.class_names, data.spec.title, numbers)
    )
    starts = np.cumsum([0, *(len(images) for _, images in given)])

    def show(place: int) -> np.ndarray:
        which = int(np.searchsorted(starts, place, side="right")) - 1
        return _channels_last(given[which][1].read(torch.tensor([place - int(starts[which])]))[0].numpy())

    return Scan(
        title=data.spec.title,
        source=source,
        found=found,
        small=numbers.small,
        looks=numbers.looks,
        show=show,
        notes=data.spec.notes,
        in_files=False,
    )


class _Numbers:
    """Collects the numbers of blocks of pictures."""

    def __init__(self) -> None:
        self._small: list[Small] = []
        self._looks: list[Looks] = []

    def add(self, small: Small, seen: Looks) -> None:
        self._small.append(small)
        self._looks.append(seen)

    @property
    def small(self) -> Small:
        return Small(*_joined(self._small)) if self._small else shrink(np.zeros((0, 1, 1, 1), np.uint8))

    @property
    def looks(self) -> Looks:
        return Looks(*_joined(self._looks)) if self._looks else Looks(*np.zeros((3, 0)))


def _joined(rows: Sequence[Iterable[np.ndarray]]) -> list[np.ndarray]:
    return [np.concatenate(columns) for columns in zip(*rows, strict=True)]


def _of_pictures(pictures: Sequence[Picture], title: str, numbers: _Numbers) -> Iterator[Checked]:
    with (
        ThreadPoolExecutor(cache.num_threads()) as pool,
        cache.progress(f"checking {title}", len(pictures)) as advance,
    ):
        for start in range(0, len(pictures), BLOCK):
            block = pictures[start : start + BLOCK]
            for one, small, seen in pool.map(_one, block):
                if not one.fault:
                    assert small is not None and seen is not None
                    numbers.add(small, seen)
                yield one
            advance(len(block))


def _one(picture: Picture) -> tuple[Checked, Small | None, Looks | None]:
    found = Checked(picture.name, picture.label, picture.part or ALL, path=picture.path, group=picture.group)
    try:
        check_file(picture.path, "give a picture in a file")
        opened = decode(Path(picture.path), picture.name).picture
    except FittingRoomError as error:
        return found._replace(fault=str(error).removeprefix(picture.name).strip()), None, None
    except (OSError, ValueError) as error:
        return found._replace(fault=getattr(error, "strerror", None) or str(error)), None, None
    digest, constant = _fingerprint(opened)
    pixels = _reduced(opened, MOST_SIDE)
    channels = pixels[None, None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)[None]
    one = found._replace(size=(opened.height, opened.width), digest=digest, constant=constant)
    return one, shrink(channels), looks(grey_of(channels))


def _fingerprint(picture: Image.Image) -> tuple[bytes, bool]:
    """A digest of the pixels, and whether all are equal. Some rows at a time: a picture may have 100 million pixels."""
    digest, ends = hashlib.sha256(f"{picture.size}".encode()), set()
    rows = max(1, BAND // picture.width)
    for top in range(0, picture.height, rows):
        band = picture.crop((0, top, picture.width, min(top + rows, picture.height))).convert("RGBA")
        digest.update(band.tobytes())
        ends.add(band.getextrema())
    constant = len(ends) == 1 and all(low == high for low, high in ends.pop())  # type: ignore[misc]
    return digest.digest()[:16], constant


def _reduced(picture: Image.Image, side: int) -> np.ndarray:
    """uint8 [height, width] or [height, width, 3] of at most `side` pixels a side, on black or white where it is clear."""
    factor = max(1, -(-max(picture.size) // side))
    small = picture.reduce(factor) if factor > 1 else picture
    return np.asarray(opaque(small))


def _shown(path: Path) -> np.ndarray:
    return _reduced(decode(path).picture, SHOWN_SIDE)


def _channels_last(image: np.ndarray) -> np.ndarray:
    return image[0] if len(image) == 1 else image.transpose(1, 2, 0)


def _of_array(part: str, images: Source, names: tuple[str, ...], title: str, numbers: _Numbers) -> Iterator[Checked]:
    prints, labels, index = images.digests(), images.labels.tolist(), images.index.tolist()
    with cache.progress(f"checking {title}, {part}", len(images)) as advance:
        for places in torch.arange(len(images)).split(BLOCK):
            block = images.read(places).numpy()
            numbers.add(shrink(block), looks(grey_of(block)))
            flat = block.reshape(len(block), block.shape[1], -1)
            constant = (flat.max(axis=2) == flat.min(axis=2)).all(axis=1).tolist()
            size = (int(block.shape[2]), int(block.shape[3]))
            for place, one in zip(places.tolist(), constant, strict=True):
                yield Checked(f"{part} {index[place]}", names[labels[place]], part, size, prints[place], one)
            advance(len(places))


def _problems(readable: Listing) -> list[str]:
    """What training refuses, apart from unreadable files."""
    if not readable.pictures:
        return ["no picture can be read"]
    try:
        check_classes(readable)
        check_counts(readable)
    except FittingRoomError as error:
        return [str(error)]
    return []
