"""`data check --write-clean`: a table of the pictures that `--data` reads, in which no copy can reveal an answer.

- Copies and near-duplicates have one group, so that no split can divide them.
- A training picture with a copy or near-duplicate in validation or test gets the split `none`; so does a validation picture
  with one in test. Test pictures stay as they are.
- Copies with different labels are left out, unless they are test pictures: nobody knows which label is right.
- Files that cannot be read are left out.
"""

import csv
import io
import os
from collections import defaultdict
from pathlib import Path

import numpy as np

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_writable
from fittingroom.core.rundir import write_text
from fittingroom.data.images.guard.findings import copies_of
from fittingroom.data.images.listing import LEFT_OUT, printable
from fittingroom.data.images.scan import ALL, Checked, Scan

RANK = {"train": 0, "val": 1, "test": 2}


def check_target(path: Path, source: str, in_files: bool) -> None:
    """Raise FittingRoomError if a clean table cannot be written to `path`."""
    if not in_files:
        raise FittingRoomError(
            f"--write-clean writes a table of files, and {printable(source)} holds arrays: training leaves out copies of "
            "its test images by itself, so omit it"
        )
    if path.suffix.lower() != ".csv":
        raise FittingRoomError(f"--write-clean {path}: give a .csv file, such as clean.csv")
    if os.path.lexists(path):
        raise FittingRoomError(f"--write-clean {path} exists: give another file, or delete it")
    check_writable(path, "--write-clean")


def write_clean(scan: Scan, group: np.ndarray, path: Path) -> int:
    """Write the table; return how many pictures are left out. `group` has a number for each readable picture.

    Raises FittingRoomError if the file cannot be written, or cannot name a picture.
    """
    splits, names = clean_splits(scan, group), group_names(scan, group)
    folder = os.path.abspath(path.parent)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["path", "label", "split", "group"])
    place = 0
    for each in scan.found:
        row = [_relative(each, folder), _label(each)]
        if each.fault:
            writer.writerow([*row, LEFT_OUT, ""])
            continue
        writer.writerow([*row, splits[place], names[place]])
        place += 1
    write_text(path, text.getvalue())
    return sum(split == LEFT_OUT for split in splits) + len(scan.found) - len(scan.good)


def clean_splits(scan: Scan, group: np.ndarray) -> list[str]:
    """The split of each readable picture: its own part, nothing if there are no parts, or none."""
    members: dict[int, list[int]] = defaultdict(list)
    for place, number in enumerate(group.tolist()):
        members[number].append(place)
    highest = {
        number: max(RANK.get(scan.good[place].part, 0) for place in places) for number, places in members.items()
    }
    unclear = {
        place
        for places in copies_of(scan.good)
        if len({scan.good[place].label for place in places}) > 1
        for place in places
    }
    found = []
    for place, each in enumerate(scan.good):
        below = RANK.get(each.part, 0) < highest[int(group[place])]
        out = below or (place in unclear and each.part != "test")
        found.append(LEFT_OUT if out else "" if each.part == ALL else each.part)
    return found


def group_names(scan: Scan, group: np.ndarray) -> list[str]:
    """The group of each readable picture: the user's own, or one for near-duplicates. Near-duplicates join two groups."""
    joined = _joined([each.group for each in scan.good], group)
    own: dict[int, str] = {}
    for place, number in enumerate(joined.tolist()):
        if scan.good[place].group:
            own[number] = min(own.get(number, scan.good[place].group), scan.good[place].group)
    counts = np.bincount(joined, minlength=1)
    taken = set(own.values())
    found = []
    for number in joined.tolist():
        if number in own or counts[number] > 1:
            name = own.get(number, f"near-duplicates-{number}")
            while number not in own and name in taken:
                name += "-"
            found.append(name)
        else:
            found.append("")
    return found


def _joined(names: list[str], group: np.ndarray) -> np.ndarray:
    """Numbers of groups in which equal names are one group as well."""
    from fittingroom.data.images.guard.near import groups

    seen: dict[tuple[str, str | int], int] = {}
    links = []
    for place, (name, number) in enumerate(zip(names, group.tolist(), strict=True)):
        for key in [("number", number), *([("name", name)] if name else [])]:
            links.append((seen.setdefault(key, place), place))
    first, second = (np.array([link[side] for link in links], np.int64) for side in (0, 1))
    return groups(len(names), first, second)


def _relative(each: Checked, folder: str) -> str:
    """The path as the table holds it. Raises FittingRoomError for a name that is no text."""
    path = os.path.relpath(each.path, folder)
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise FittingRoomError(
            f"{each.name} has a name that is not text, so a table cannot hold it: rename it"
        ) from error
    return path if path == path.strip() else os.path.join(".", path)


def _label(each: Checked) -> str:
    if each.label != each.label.strip() or not each.label:
        raise FittingRoomError(
            f"class {each.label!r} begins or ends with a space, so a table cannot hold it: rename its folder"
        )
    return each.label
