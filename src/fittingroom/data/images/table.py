"""List the pictures that a table names: CSV, TSV or JSON lines with a path and a label in each row.

A split and a group are read where the table has them. `metadata.csv` and `metadata.jsonl`, as Hugging Face's imagefolder has
them, are such tables.
"""

import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.json_text import parse_json
from fittingroom.data.images.listing import (
    LEFT_OUT,
    PART_NAMES,
    TABLES,
    Listing,
    Picture,
    check_names,
    counted,
    listed,
    printable,
)

PATH = ("path", "file_name", "filename", "file", "image", "image_path", "filepath", "file_path", "img")
LABEL = ("label", "class", "category", "target", "class_name", "label_name", "labels", "y")
SPLIT = ("split", "part", "subset", "partition", "set")
GROUP = ("group", "group_id")
METADATA = ("metadata.csv", "metadata.jsonl")
csv.field_size_limit(1 << 24)

Row = Mapping[str, str]


def is_table(path: Path) -> bool:
    """Whether a file is a table of pictures. TSV files of pairs have no column of paths."""
    if path.suffix.lower() not in TABLES:
        return False
    if path.suffix.lower() != ".tsv":
        return True
    if not os.path.isfile(path):  # A pipe would block until somebody writes to it.
        return False
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            columns = [name.strip().lower() for name in file.readline(1 << 16).rstrip("\r\n").split("\t")]
    except OSError:
        return False
    return any(name in PATH for name in columns) and any(name in LABEL for name in columns)


def metadata_of(folder: Path) -> dict[str, Path]:
    """The metadata tables in a folder: '' -> its own, or part -> the table of each part. Empty if there are none."""
    own = [folder / name for name in METADATA if os.path.isfile(folder / name)]
    if own:
        return {"": own[0]}
    found: dict[str, Path] = {}
    for name in sorted(PART_NAMES):
        for place in (folder / name / each for each in METADATA):
            if os.path.isfile(place):
                found.setdefault(PART_NAMES[name], place)
    return found


def list_table(path: Path, group: str | None = None) -> Listing:
    """The pictures of one table. Raises FittingRoomError naming the file, the line and the fix."""
    return list_tables(path, {"": path}, group)


def list_tables(source: Path, tables: Mapping[str, Path], group: str | None = None) -> Listing:
    """The pictures of several tables, one for each part. `group` may name a column."""
    pictures: dict[str, Picture] = {}
    columns: tuple[str, ...] = ()
    repeated = 0
    for part, table in tables.items():
        rows = read_rows(table)
        columns = tuple(rows[0][1])
        for line, row in rows:
            found = _picture(row, table, line, part, group, source if source.is_dir() else source.parent)
            before = pictures.setdefault(found.path, found)
            if before is not found:
                repeated += 1
                if before != found:
                    raise FittingRoomError(
                        f"{printable(str(table))}, line {line}: {found.name} is there twice with different values: keep one row"
                    )
    given = [each for each in pictures.values() if each.part != LEFT_OUT]
    blank = sum(not each.part for each in given)
    if 0 < blank < len(given):
        raise FittingRoomError(
            f"{printable(str(source))}: {blank:,} rows have no split: write train, val or test in all or none"
        )
    notes = [f"{counted(repeated, 'row')} of the table repeated"] if repeated else []
    if len(given) < len(pictures):
        notes.append(f"in no part ('{LEFT_OUT}'), so not used: {counted(len(pictures) - len(given), 'picture')}")
    if not given:
        raise FittingRoomError(f"{printable(str(source))} names no pictures: give a row for each")
    check_names(source, given)
    given.sort(key=lambda each: (each.part, each.label, each.name))
    title = source.name if source.is_dir() else source.stem
    return Listing(title=printable(title), source=source, pictures=tuple(given), notes=tuple(notes), columns=columns)


def read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows of a table, with column names in lower case, and the line in which each begins.

    Raises FittingRoomError naming the file and its fault.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise FittingRoomError(
            f"{printable(str(path))} cannot be read ({error.strerror}): give a table of pictures"
        ) from error
    except UnicodeDecodeError as error:
        raise FittingRoomError(
            f"{printable(str(path))} is not UTF-8 text ({error.reason}): save it as UTF-8"
        ) from error
    rows = _json_rows(text, path) if path.suffix.lower() in (".jsonl", ".ndjson") else _csv_rows(text, path)
    if not rows:
        raise FittingRoomError(
            f"{printable(str(path))} has no rows: give a row for each picture below a line of column names"
        )
    return rows


def _csv_rows(text: str, path: Path) -> list[tuple[int, dict[str, str]]]:
    first = text.partition("\n")[0]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    lines, end = [], 0
    try:
        for values in reader:
            lines.append((end + 1, values))  # quotes may hold line breaks
            end = reader.line_num
    except csv.Error as error:
        raise FittingRoomError(f"{printable(str(path))} is not a table ({error}): check its quotes") from error
    if not lines:
        return []
    names = [name.strip().lower() for name in lines[0][1]]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice:
        raise FittingRoomError(f"{printable(str(path))} has two columns '{twice}': rename or delete one")
    rows = []
    for number, values in lines[1:]:
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(names):
            raise FittingRoomError(
                f"{printable(str(path))}, row {number} has {len(values)} values for {len(names)} columns: correct it"
            )
        rows.append((number, dict(zip(names, values, strict=True))))
    return rows


def _json_rows(text: str, path: Path) -> list[tuple[int, dict[str, str]]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):  # a value may hold other ends of lines, such as U+2028
        if not line.strip():
            continue
        try:
            values = parse_json(line)
        except ValueError as error:
            raise FittingRoomError(
                f"{printable(str(path))}, line {number} is not JSON ({error}): correct it"
            ) from error
        if not isinstance(values, dict):
            raise FittingRoomError(
                f"{printable(str(path))}, line {number} is not a JSON object: write {{...}} on each line"
            )
        rows.append((number, {str(key).lower(): _text(value) for key, value in values.items()}))
    return rows


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def column(row: Row, names: Sequence[str], what: str, table: Path, line: int) -> str:
    """The name of the column that holds `what`. Raises FittingRoomError with the columns that there are.

    The rows of a CSV file have the same columns. Those of JSON lines may not, so the message names the line.
    """
    found = next((name for name in names if name in row), None)
    if found is None:
        where = "" if table.suffix.lower() in (".csv", ".tsv") else f", line {line}"
        # Whoever has pairs of sequences in a .csv file lands here.
        pairs = "; if it holds pairs of sequences, save it as .tsv" if names is PATH and table.suffix == ".csv" else ""
        raise FittingRoomError(
            f"{printable(str(table))}{where} has no column for the {what} (it has {listed(list(row), 12)}): "
            f"name one '{names[0]}'{pairs}"
        )
    return found


def part_of(value: str, table: Path, line: int) -> str:
    """train, val, test, none, or nothing where the cell is empty."""
    word = value.strip().lower()
    if word in ("", LEFT_OUT):
        return word
    if word not in PART_NAMES:
        raise FittingRoomError(
            f"{printable(str(table))}, line {line}: unknown split '{value}': write train, val or test"
        )
    return PART_NAMES[word]


def _local(given: str, folder: Path) -> str:
    """The path with slashes if it was written on Windows, with backslashes."""
    slashed = given.replace("\\", "/")
    if slashed != given and not os.path.lexists(folder / given) and os.path.lexists(folder / slashed):
        return slashed
    return given


def _picture(row: Row, table: Path, line: int, part: str, group: str | None, root: Path) -> Picture:
    given = row[column(row, PATH, "path of the picture", table, line)].strip()
    label = printable(row[column(row, LABEL, "label", table, line)].strip())
    if not given or not label:
        raise FittingRoomError(
            f"{printable(str(table))}, line {line} lacks a {'label' if given else 'path'}: fill it in"
        )
    if re.match(r"[a-z]{2,9}://", given, re.IGNORECASE):
        raise FittingRoomError(
            f"{printable(str(table))}, line {line}: {given} is a web address: download the pictures, and give their paths"
        )
    given = _local(given, table.parent)
    path = os.path.normpath(os.path.join(table.parent, given))
    split = next((name for name in SPLIT if name in row), None)
    own = next((name for name in ((group.lower(),) if group else GROUP) if name in row), None)
    # The same name, and so the same digest, from wherever the table is opened.
    whole, top = os.path.abspath(path), os.path.abspath(root)
    name = os.path.relpath(whole, top) if whole.startswith(top + os.sep) else given
    return Picture(
        path=path,
        name=printable(name).replace(os.sep, "/"),
        label=label,
        part=part or (part_of(row[split], table, line) if split else ""),
        group=row[own].strip() if own else "",
    )
