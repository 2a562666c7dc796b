"""Open a data set of pictures in files: list them, decode them, divide them into parts."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fittingroom.core.errors import found_in
from fittingroom.data.images import cache
from fittingroom.data.images.arrays import MOST_VAL, TEST_SHARE, VAL_SHARE
from fittingroom.data.images.cache import DecodedPictures
from fittingroom.data.images.dataset import ImageData
from fittingroom.data.images.folder import list_folder
from fittingroom.data.images.listing import (
    Listing,
    check_classes,
    check_counts,
    counted,
    listed,
    part_notes,
    printable,
    with_groups,
)
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.split_file import with_parts
from fittingroom.data.images.splits import split
from fittingroom.data.images.stored import PixelFile, StoredImages
from fittingroom.data.images.table import list_table, list_tables, metadata_of
from fittingroom.data.spec import DataSpec, Preprocessing

TEST_SEED = 0
"""A test part that is drawn is the same for every seed of a run."""


def open_pictures(source: Path, options: PictureOptions) -> ImageData:
    """Open a folder or a table of pictures. They are decoded unless the cache has them.

    Raises FittingRoomError that names what is wrong: the layout, a row, pictures that cannot be read, a class with too few.
    """
    listing = list_pictures(source, options)
    check_classes(listing)
    found = cache.decode(listing, options)
    where = printable(str(source))
    if found.bad and not options.skip_bad:
        cache.refuse_bad(found, where)
    return _open(found, where, source, listing.notes)


def typical_side(source: Path, options: PictureOptions) -> int:
    """The median shorter side of the pictures, pixels."""
    sizes = cache.sample_sizes(list_pictures(source, options).pictures)
    return round(float(np.median([min(size) for size in sizes])))


def open_cached(digest: str) -> ImageData | None:
    """The data set with this digest, if its pictures are in the cache: the originals may have gone."""
    found = cache.find(digest)
    return None if found is None else _open(found, found.source, Path(found.source), ())


def list_pictures(source: Path, options: PictureOptions) -> Listing:
    """The pictures with their groups and parts."""
    if os.path.isdir(source):  # False for names that no file can have
        tables = metadata_of(source)
        listing = list_tables(source, tables, options.group) if tables else list_folder(source)
    else:
        listing = list_table(source, options.group)
    if options.group is not None and options.group.lower() not in listing.columns:
        listing = with_groups(listing, options.group)
    return listing if options.split_file is None else with_parts(listing, Path(options.split_file))


def _open(found: DecodedPictures, where: str, source: Path, notes: Sequence[str]) -> ImageData:
    listing = Listing(title=found.title, source=source, pictures=found.pictures, notes=tuple(notes))
    check_classes(listing)  # again: a class may consist of pictures that cannot be read
    check_counts(listing)
    names, given = listing.class_names, Counter(each.part for each in found.pictures)
    whole = _images(found, listing)
    train, val, test, drawn = _parts(whole, found, names, where)
    pool = whole.subset(torch.cat([train.index, test.index]).sort().values) if drawn else None
    num_val = len(val) if val is not None else max(len(names), min(MOST_VAL, round(VAL_SHARE * len(train))))
    mean, std = statistics(found.pixels(), train.index)
    spec = DataSpec(
        name=printable(source.stem if os.path.isfile(source) else found.title) or "pictures",
        title=found.title,
        source=found.source,
        digest=found.digest,
        class_names=names,
        channels=found.channels,
        height=found.height,
        width=found.width,
        mean=mean,
        std=std,
        num_val=num_val,
        num_test=len(test),
        preprocessing=Preprocessing(resize=found.resize, white=found.white),
        split_rule=_rule(given, whole.groups is not None),
        skipped=tuple(f"{name}: {fault}" for name, fault in found.bad),
        notes=_notes(found, listing, given, drawn, test),
    )
    return ImageData(
        spec=spec,
        load_train=lambda: train,
        load_test=lambda: test,
        load_val=None if val is None else lambda: val,
        pictures=lambda: found.pictures,
        skipped=tuple(name for name, _ in found.bad),
        load_pool=None if pool is None else lambda: pool,
    )


def _images(found: DecodedPictures, listing: Listing) -> StoredImages:
    """All images, in the order of the listing."""
    number = {name: place for place, name in enumerate(listing.class_names)}
    labels = torch.tensor([number[each.label] for each in found.pictures])
    groups = None
    if any(each.group for each in found.pictures):
        ids: dict[str | int, int] = {}
        keys = [f"group {each.group}" if each.group else place for place, each in enumerate(found.pictures)]
        groups = torch.tensor([ids.setdefault(key, len(ids)) for key in keys])
    return StoredImages(found.pixels(), found.prints(), labels, torch.arange(found.num), groups)


def _parts(
    whole: StoredImages, found: DecodedPictures, names: tuple[str, ...], where: str
) -> tuple[StoredImages, StoredImages | None, StoredImages, bool]:
    """Training, validation (None: drawn by seed), test, and whether test was drawn."""
    places = {
        part: torch.tensor([place for place, each in enumerate(found.pictures) if each.part == part], dtype=torch.int64)
        for part in ("", "train", "val", "test")
    }
    train = whole.subset(places["train"] if len(places["train"]) else places[""])
    val = whole.subset(places["val"]) if len(places["val"]) else None
    drawn = not len(places["test"])
    if not drawn:
        return train, val, whole.subset(places["test"]), False
    num_test = max(len(names), round(TEST_SHARE * len(train)))
    with found_in(where):
        train, test = split(train, TEST_SEED, num_test, purpose="test part", names=names)
    return train, val, test, True


def _rule(given: Counter[str], grouped: bool) -> str:
    """How the parts were made, as sentences for the report."""
    how = "stratified by class" + (" and without dividing a group" if grouped else "")
    sentences = []
    if given["test"]:
        sentences.append("The test images are the data set's own.")
    else:
        sentences.append(f"The test images were drawn once, {how}.")
    if given["val"]:
        sentences.append("The validation images are the data set's own, the same for every seed.")
    else:
        sentences.append(f"Validation images are drawn from the training images by seed, {how}.")
    return " ".join([*sentences, "Training images that also occur in the validation or test part are left out."])


def _notes(
    found: DecodedPictures, listing: Listing, given: Counter[str], drawn: bool, test: StoredImages
) -> tuple[str, ...]:
    num_classes = len(listing.class_names)
    parts = ", ".join(f"{part} {given[part]:,}" for part in ("train", "val", "test") if given[part])
    notes = [f"{found.title}: {found.num:,} pictures of {num_classes} classes{f' ({parts})' if parts else ''}"]
    notes += found.choices
    if drawn:
        without = "no test part" if parts else "no parts"
        notes.append(f"{without}: {counted(len(test), 'picture')} drawn for the test part")
        missing = [name for place, name in enumerate(listing.class_names) if not bool((test.labels == place).any())]
        if missing:
            notes.append(
                f"the test part has no pictures of {listed(missing)}: all of them are in groups that stayed in training"
            )
    if found.bad:
        names = listed([f"{name} ({fault})" for name, fault in found.bad], 20)
        notes.append(f"left out, because unreadable: {counted(len(found.bad), 'picture')}: {names}")
    return (*notes, *listing.notes, *part_notes(listing))


def statistics(pixels: PixelFile, rows: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel, with pixels scaled to 0..1. A constant channel gets deviation 1."""
    counts = np.zeros((pixels.shape[1], 256), dtype=np.int64)
    for some in rows.split(1000):
        images = pixels.read(some.numpy())
        for channel in range(len(counts)):
            counts[channel] += np.bincount(images[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    means = counts @ values / counts.sum(axis=1)
    variances = (counts * (values - means[:, None]) ** 2).sum(axis=1) / counts.sum(axis=1)
    return tuple(round(float(mean), 6) for mean in means), tuple(
        round(float(sd), 6) or 1.0 for sd in np.sqrt(variances)
    )
