"""Split files: a table of path, label, split and group that a run writes and that `--split-file` reads."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_text
from fittingroom.data.images.listing import LEFT_OUT, Listing, Picture, counted, listed, printable
from fittingroom.data.images.table import PATH, SPLIT, column, part_of, read_rows

FILE = "split.csv"


def write_split(
    folder: Path, pictures: Sequence[Picture], parts: Mapping[str, Tensor], skipped: Sequence[str] = ()
) -> None:
    """Write split.csv. `parts` maps train, val and test to the positions of their pictures; the others are in no part.

    Neither are `skipped` files, which cannot be read.
    """
    part_of_place = {place: part for part, index in parts.items() for place in index.tolist()}
    grouped = any(each.group for each in pictures)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "split", *["group"] * grouped])
    for place, each in enumerate(pictures):
        row = [each.name, each.label, part_of_place.get(place, LEFT_OUT)]
        writer.writerow([*row, *[each.group] * grouped])
    writer.writerows([name, "", LEFT_OUT, *[""] * grouped] for name in skipped)
    write_text(folder / FILE, text.getvalue())


def with_parts(listing: Listing, path: Path) -> Listing:
    """The listing with the parts of a split file. Raises FittingRoomError if the file does not name every picture."""
    where, rows = printable(str(path)), read_rows(path)
    parts: dict[str, str] = {}
    for line, row in rows:
        name = row[column(row, PATH, "path of the picture", path, line)].strip()
        part = part_of(row[column(row, SPLIT, "split", path, line)], path, line) or LEFT_OUT
        if parts.setdefault(name, part) != part:
            raise FittingRoomError(f"{where}, line {line}: {name} is there twice, in different parts: keep one row")
    unknown = [each.name for each in listing.pictures if each.name not in parts]
    if unknown:
        raise FittingRoomError(
            f"{where} does not say in which part {len(unknown):,} of {len(listing.pictures):,} pictures are: {listed(unknown)}: "
            f"add rows for them ('{LEFT_OUT}' leaves them out)"
        )
    kept = [each._replace(part=parts[each.name]) for each in listing.pictures if parts[each.name] != LEFT_OUT]
    if not kept:
        raise FittingRoomError(f"{where} leaves out all pictures: write train, val or test in its split column")
    gone = len(parts) - len({each.name for each in listing.pictures} & parts.keys())
    notes = [f"{where} names {counted(gone, 'picture')} that the data lacks"] if gone else []
    left_out = len(listing.pictures) - len(kept)
    notes += [f"left out, as {where} says: {counted(left_out, 'picture')}"] if left_out else []
    kept.sort(key=lambda each: (each.part, each.label, each.name))
    return replace(listing, pictures=tuple(kept), notes=(*listing.notes, *notes))
