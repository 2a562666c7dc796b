"""Read a table of numbers or names from a csv file: pandas, numpy, spreadsheets and other tools all write it in their way."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.errors import FittingRoomError

DELIMITERS = (";", "\t", ",")


def read_csv(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The table, and the names in its header (empty without one). Raises FittingRoomError that names the file and the line."""
    text = path.read_text(encoding="utf-8-sig").splitlines()
    places, lines = [], []
    for place, line in enumerate(text, start=1):
        if line.strip():
            places.append(place)
            lines.append(line)
    if not lines:
        raise FittingRoomError(f"{path} is empty")
    lines[0] = lines[0].removeprefix("#").strip(" ")  # numpy writes a header as a comment
    rows = _split(lines)
    header: tuple[str, ...] = ()
    is_text = not _are_numbers(rows[-1])
    if len(rows[-1]) == 1:  # a column of labels, of which one may read like a number: 'nan' is a bread
        is_text = not all(map(_are_numbers, rows[1:] or rows))
    if _has_number_header(rows) or _is_header(rows[0], rows[1:], is_text):
        header, rows = tuple(name.strip() for name in rows[0]), rows[1:]
    places = places[bool(header) :]
    odd = next((number for number, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if odd is not None:
        raise FittingRoomError(f"{path}, line {places[odd]}: {len(rows[odd])} columns, other lines have {len(rows[0])}")
    if len(header) > 1 and not header[0]:
        header, rows, is_text = header[1:], _without_index(rows, path), not _are_numbers(rows[-1][1:])
    if len(header) > 1 and list(header) == _counted(header):
        header = ()  # pandas counts columns that have no names
    if is_text:
        return np.array([[cell.strip() for cell in row] for row in rows]), header
    for number, row in enumerate(rows):
        if not _are_numbers(row):
            raise FittingRoomError(
                f"{path}, line {places[number]}: '{','.join(row)}' holds a value that is not a number"
            )
    return np.array([[float(cell) for cell in row] for row in rows]), header


def is_number(cell: str) -> bool:
    """Whether the cell of a table holds a number."""
    return _are_numbers([cell])


def _split(lines: Sequence[str]) -> list[list[str]]:
    """The cells of all lines. Semicolons and tabs separate before commas do, which may be decimal commas."""
    first, last = lines[0], lines[-1]
    delimiter = next((each for each in DELIMITERS if first.count(each) == last.count(each) > 0), None)
    if delimiter is None:
        delimiter = max(DELIMITERS, key=first.count)
        words = last.split()
        if len(words) > 1 and delimiter not in first + last and _are_numbers(words):
            return [line.split() for line in lines]
    rows = [row for row in csv.reader(lines, delimiter=delimiter, strict=True) if row]
    if delimiter == ",":
        return rows
    pointed = [[cell.replace(",", ".") if is_number(cell.replace(",", ".")) else cell for cell in row] for row in rows]
    return pointed


def _has_number_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line names the classes by numbers: 0, 1, 2, ... as pandas does, or 3, 5, 8.

    These are whole numbers above 1, or else, for the classes 0 and 1, other lines are written with a point.
    """
    first = [cell.strip() for cell in rows[0]]
    if len(rows) < 2 or len(first) < 2 or len(set(first)) < len(first) or not all(map(str.isdecimal, first)):
        return False
    if len(first) > 2 and first == _counted(first):
        return True
    written_with_point = all("." in cell or "e" in cell.lower() for row in rows[1:] for cell in row)
    return written_with_point and (max(map(int, first)) > 1 or first == ["0", "1"])


def _counted(cells: Sequence[str]) -> list[str]:
    """As many texts as there are cells: '0', '1', ..."""
    return list(map(str, range(len(cells))))


def _is_header(first: Sequence[str], rest: Sequence[Sequence[str]], is_text: bool) -> bool:
    """Whether the first row is a header: text above numbers, above an index, or above names among which it is not."""
    if not rest or _are_numbers(first):
        return False
    if not is_text or (len(first) > 1 and not first[0].strip()):
        return True
    return len(first) == 1 and first[0] not in {row[0] for row in rest}


def _without_index(rows: Sequence[Sequence[str]], path: Path) -> list[list[str]]:
    """The rows without their first column, the index that pandas writes, if it only counts the rows."""
    if [row[0].strip() for row in rows] != [str(number) for number in range(len(rows))]:
        raise FittingRoomError(
            f"{path}: its first column has no name and is no count of the lines, so the order of the lines is not sure: sort "
            "all files alike and save them without it (index=False in pandas)"
        )
    return [list(row[1:]) for row in rows]


def _are_numbers(row: Sequence[str]) -> bool:
    try:
        [float(cell) for cell in row]
    except ValueError:
        return False
    return True
