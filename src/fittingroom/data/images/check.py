"""The report of `fittingroom data check` on a user's images: counts, sizes, unreadable files, copies, and what training refuses.

Every picture is decoded at its own size. Nothing is written, so the report comes before any cache or run.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import cache
from fittingroom.data.images.decode import decode
from fittingroom.data.images.listing import (
    FEW,
    PARTS,
    Listing,
    Picture,
    check_classes,
    check_counts,
    in_order,
    part_notes,
)
from fittingroom.data.images.load import is_pictures, open_images
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.pictures import list_pictures
from fittingroom.data.spec import Source

WHY = "data check: class counts and copies"
ALL = "all"
"""The name of the only part of a data set without parts."""
BLOCK = 512


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


def check_images(source: str, data_dir: Path | None = None) -> dict[str, Any]:
    """A report on images by path or name, ready for JSON. `ok` tells whether every file can be read and training would start.

    Raises FittingRoomError if there is nothing to check: no such file, no pictures, a broken table.
    """
    if not is_pictures(source):
        return _check_arrays(source, data_dir)
    listing = list_pictures(Path(source), PictureOptions())
    found = list(_of_pictures(listing.pictures, listing.title))
    good = {each.name for each in found if not each.fault}
    readable = replace(listing, pictures=tuple(each for each in listing.pictures if each.name in good))
    return _report(listing.title, source, found, [*listing.notes, *part_notes(readable)], _problems(readable))


def _check_arrays(source: str, data_dir: Path | None) -> dict[str, Any]:
    data = open_images(source, data_dir)
    names = data.spec.class_names
    parts = {"train": data.load_train(), "val": data.load_val and data.load_val(), "test": data.load_test()}
    found = [
        one for part, images in parts.items() if images is not None for one in _of_array(part, images, names)
    ]  # fmt: skip
    return _report(data.spec.title, source, found, list(data.spec.notes), [])


def _of_pictures(pictures: Sequence[Picture], title: str) -> Iterator[Checked]:
    with (
        ThreadPoolExecutor(cache.num_threads()) as pool,
        cache.progress(f"checking {title}", len(pictures)) as advance,
    ):
        for start in range(0, len(pictures), BLOCK):
            block = pictures[start : start + BLOCK]
            yield from pool.map(_one, block)
            advance(len(block))


def _one(picture: Picture) -> Checked:
    found = Checked(picture.name, picture.label, picture.part or ALL)
    try:
        with open(picture.path, "rb") as file:
            opened = decode(file.read(), picture.name).picture
    except FittingRoomError as error:
        return found._replace(fault=str(error).removeprefix(picture.name).strip())
    except (OSError, ValueError) as error:
        return found._replace(fault=getattr(error, "strerror", None) or str(error))
    whole = opened.convert("RGBA")
    digest = hashlib.sha256(f"{whole.size}".encode())
    digest.update(whole.tobytes())
    constant = all(low == high for low, high in whole.getextrema())  # type: ignore[misc]
    return found._replace(size=(whole.height, whole.width), digest=digest.digest()[:16], constant=constant)


def _of_array(part: str, images: Source, names: tuple[str, ...]) -> Iterator[Checked]:
    prints, labels, index = images.digests(), images.labels.tolist(), images.index.tolist()
    for places in torch.arange(len(images)).split(BLOCK):
        block = images.read(places)
        flat = block.flatten(2)
        constant = (flat.amax(2) == flat.amin(2)).all(1).tolist()
        size = (int(block.shape[2]), int(block.shape[3]))
        for place, one in zip(places.tolist(), constant, strict=True):
            yield Checked(f"{part} {index[place]}", names[labels[place]], part, size, prints[place], one)


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


def _report(
    name: str, source: str, found: Sequence[Checked], notes: Sequence[str], problems: Sequence[str]
) -> dict[str, Any]:
    good = [each for each in found if not each.fault]
    names = in_order({each.label for each in found})
    parts = [part for part in (ALL, *PARTS) if any(each.part == part for each in found)]
    counts = {part: Counter(each.label for each in good if each.part == part) for part in parts}
    train = counts.get("train", counts.get(ALL, Counter()))
    sizes = Counter(each.size for each in good)
    unreadable = {each.name: each.fault for each in found if each.fault}
    return {
        "name": name,
        "source": source,
        "ok": not unreadable and not problems,
        "num_images": len(found),
        "num_classes": len(names),
        "class_counts": {part: {label: counts[part][label] for label in names} for part in parts},
        "tiny_classes": {label: train[label] for label in names if train[label] < FEW},
        "sizes": {f"{height}x{width}": number for (height, width), number in sizes.most_common()},
        "unreadable": unreadable,
        "constant": [each.name for each in good if each.constant],
        "duplicates": _copies(good, parts),
        "problems": list(problems),
        "notes": list(notes),
        "test_reads": [WHY] if "test" in parts else [],
    }


def _copies(good: Sequence[Checked], parts: Sequence[str]) -> dict[str, Any]:
    """Exact copies. `within` counts all but the first of each group; `across` counts the images of the first part."""
    by_digest: dict[bytes, list[Checked]] = defaultdict(list)
    for each in good:
        by_digest[each.digest].append(each)
    groups = [group for group in by_digest.values() if len(group) > 1]
    in_part = [Counter(each.part for each in group) for group in groups]
    return {
        "within": {part: sum(max(0, number[part] - 1) for number in in_part) for part in parts},
        "across": {
            f"{one}_{other}": sum(number[one] for number in in_part if number[other])
            for one, other in combinations(parts, 2)
        },
        "num_groups": len(groups),
        "num_groups_with_different_labels": sum(len({each.label for each in group}) > 1 for group in groups),
        "groups": [[{"name": each.name, "label": each.label} for each in group] for group in groups],
    }
