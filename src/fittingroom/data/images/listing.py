"""A list of pictures in files with their labels, parts and groups. Folders and tables give one; the cache decodes it.

Names of files may hold anything: line breaks, bytes that are no text. `printable` gives each a name for people and files.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from fittingroom.core.errors import FittingRoomError

PARTS = ("train", "val", "test")
PART_NAMES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
"""The names of parts that people use, in lower case."""
FEW = 10
"""A class with fewer training pictures is called tiny."""
TABLES = (".csv", ".tsv", ".jsonl", ".ndjson")
"""Endings of tables of pictures."""
LEFT_OUT = "none"
"""In a split file: belongs to no part."""


class Picture(NamedTuple):
    """One picture in a file."""

    path: str
    """Where it is."""
    name: str
    """Its path below the root of the data set, printable."""
    label: str
    part: str = ""
    """train, val or test; empty if the data set has no parts."""
    group: str = ""
    """Pictures of one group belong into one part. Empty: the picture is a group of its own."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """All pictures of a data set, in a fixed order."""

    title: str
    source: Path
    """What the user named."""
    pictures: tuple[Picture, ...]
    notes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """Columns of the table, if it is one."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """One list for the whole data set. Names that are all whole numbers are in the order of the numbers."""
        return in_order({each.label for each in self.pictures})


def in_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels sorted, as numbers if all are whole numbers."""
    names = set(labels)
    if all(re.fullmatch(r"[+-]?[0-9]{1,18}", name) for name in names):
        return tuple(sorted(names, key=lambda name: (int(name), name)))
    return tuple(sorted(names))


def printable(name: str) -> str:
    """A name as one line of valid text: composed accents, escapes for control characters and for bytes that are no text."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = unicodedata.normalize("NFC", text)
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in ("Cc", "Zl", "Zp") else each
        for each in text
    )


def counted(number: int, noun: str) -> str:
    """`1 picture`, `2,000 pictures`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first names, and how many there are besides."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def table_in(folder: Path) -> str:
    """The advice to use a table that lies in the folder; empty if there is none."""
    tables = sorted(path for path in folder.glob("*") if path.suffix.lower() in TABLES and path.is_file())
    return f"if {printable(tables[0].name)} lists the labels, use --data {printable(str(tables[0]))}" if tables else ""


def check_names(source: Path, pictures: Iterable[Picture]) -> None:
    """Raise FittingRoomError for two pictures of one printable name: a split file could not tell them apart."""
    seen: dict[str, str] = {}
    for each in pictures:
        if seen.setdefault(each.name, each.path) != each.path:
            raise FittingRoomError(
                f"{printable(str(source))} holds two pictures whose names look alike, '{each.name}': rename one"
            )


def check_classes(listing: Listing) -> None:
    """Raise FittingRoomError unless there are two classes, and training pictures for each of them."""
    names = list(listing.class_names)
    where = printable(str(listing.source))
    if len(names) < 2:
        raise FittingRoomError(
            f"{where} holds only one class ('{names[0]}', {counted(len(listing.pictures), 'picture')}): "
            f"{table_in(listing.source) or _deeper(listing) or 'give pictures of two classes or more, each in its own folder'}"
        )
    parts = {part: {each.label for each in listing.pictures if each.part == part} for part in PARTS}
    if not any(parts.values()):
        return
    if not parts["train"]:
        raise FittingRoomError(f"{where} has no training pictures: add a part named train")
    unknown = sorted(set(names) - parts["train"])
    if unknown:
        raise FittingRoomError(
            f"{where} has no training pictures of {listed([f'{name!r}' for name in unknown])}: add some, or correct the name"
        )


def _deeper(listing: Listing) -> str:
    """The advice to use the only folder in a folder, if it holds folders itself: unpacking often adds one."""
    names = [each.name.split("/") for each in listing.pictures]
    inner = sorted({name[1] for name in names if len(name) > 2})
    if listing.columns or len(inner) < 2 or len({name[0] for name in names}) > 1:
        return ""
    place = printable(str(listing.source / names[0][0]))
    return f"if its folders are the classes or parts ({listed(inner)}), use --data {place}"


def check_counts(listing: Listing) -> None:
    """Raise FittingRoomError for classes with too few training pictures for the parts that are drawn from them."""
    given = {each.part for each in listing.pictures}
    drawn = [name for part, name in (("val", "validation"), ("test", "test")) if part not in given]
    source = "train" if "train" in given else ""
    counts = Counter(each.label for each in listing.pictures if each.part == source)
    least, names = 1 + len(drawn), listing.class_names
    few = [f"{name!r} {counts[name]}" for name in names if counts[name] < least]
    if few:
        parts = " and a ".join(["training", *drawn])
        raise FittingRoomError(
            f"{printable(str(listing.source))}: {len(few)} of {len(names)} classes have too few pictures for a {parts} part "
            f"({listed(few)}): give each class {least} or more, or remove it"
        )


def part_notes(listing: Listing) -> list[str]:
    """Classes that validation or test lack, and groups that are in two parts."""
    notes = []
    for part in ("val", "test"):
        found = {each.label for each in listing.pictures if each.part == part}
        missing = [name for name in listing.class_names if name not in found]
        if found and missing:
            notes.append(
                f"{part} has no pictures of {len(missing)} of {len(listing.class_names)} classes: {listed(missing)}"
            )
    groups: dict[str, set[str]] = {}
    for each in listing.pictures:
        if each.group and each.part:
            groups.setdefault(each.group, set()).add(each.part)
    torn = sorted(group for group, parts in groups.items() if len(parts) > 1)
    if torn:
        notes.append(f"{len(torn):,} of {len(groups):,} groups are in more than one given part: {listed(torn)}")
    return notes


def with_groups(listing: Listing, pattern: str) -> Listing:
    """The listing with groups that a regular expression finds in the paths: its first group in brackets, or the whole match.

    A picture without a match is a group of its own. Raises FittingRoomError if the expression is wrong or tells nothing apart.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise FittingRoomError(f"--group {pattern!r} is not a regular expression ({error})") from error
    found = [expression.search(each.name) for each in listing.pictures]
    groups = ["" if match is None else next((part for part in match.groups() if part), match[0]) for match in found]
    hint = f"; the table has the columns {', '.join(listing.columns)}" if listing.columns else ""
    example, where = listing.pictures[0].name, printable(str(listing.source))
    if not any(groups):
        raise FittingRoomError(f"--group {pattern!r} matches no path of {where}, such as {example}{hint}")
    if len(set(groups)) == 1:
        raise FittingRoomError(f"--group {pattern!r} puts all pictures of {where} into one group, '{groups[0]}'{hint}")
    pictures = [each._replace(group=group) for each, group in zip(listing.pictures, groups, strict=True)]
    alone = sum(not group for group in groups)
    notes = [f"--group {pattern!r} matches {len(groups) - alone:,} of {len(groups):,} paths"] if alone else []
    return replace(listing, pictures=tuple(pictures), notes=(*listing.notes, *notes))
