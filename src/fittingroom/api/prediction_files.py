"""Read predictions and labels from files: npy, npz with one array, csv with or without a header, and our own runs."""

import csv
import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.api.run_predictions import check_same_images, is_run, read_run
from fittingroom.core.archives import DAMAGE
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.tasks.classification.scoring import ClassPredictions

ENDINGS = (".npy", ".npz", ".csv")
DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True, kw_only=True)
class PredictionFiles:
    """The content of the files, as arguments for `verdict`."""

    probs: dict[str, list[NDArray[Any]]]
    labels: NDArray[Any]
    class_names: tuple[str, ...] | None
    """The header of the csv files, or the class names of the runs; None if there are none."""
    groups: NDArray[Any] | None = None
    """The group of each image, if runs have them."""


def read_prediction_files(words: Sequence[str], labels: Path | None) -> PredictionFiles:
    """Read predictions and labels. Each word is 'NAME=FILE' or 'NAME=PATTERN', with one file or run folder per seed.

    Runs bring their labels, so `labels` may be None if all are runs. A name may be repeated. Files of a pattern are sorted by
    their numbers: vit2 comes before vit10. Raises FittingRoomError that names the wrong word or file.
    """
    probs: dict[str, list[NDArray[Any]]] = {}
    header: tuple[Path, tuple[str, ...]] | None = None
    runs: list[tuple[Path, ClassPredictions]] = []
    others = 0
    for word in words:
        name, equals, pattern = word.partition("=")
        if not (name and equals and pattern):
            raise FittingRoomError(
                f"'{word}' is not NAME=FILE: write vit=vit0.npy, or 'vit=vit*.npy' for several seeds"
            )
        for path in _files(pattern):
            if is_run(path):
                found, names = read_run(path)
                array = found.probs
                runs.append((path, found))
            else:
                array, names = read_array(path)
                others += 1
            if array.dtype.kind == "U":
                raise FittingRoomError(f"{path} holds text such as '{array.flat[0]}': give probabilities")
            probs.setdefault(name, []).extend(array if array.ndim == 3 else [array])
            if names and header and names != header[1]:
                raise FittingRoomError(
                    f"{path} has different columns from {header[0]}: all files need the same class order"
                )
            if names:
                header = header or (path, names)
    if runs:
        check_same_images(runs)
    if labels is None and others:
        raise FittingRoomError("the true classes are missing: add --labels FILE (only runs bring their own)")
    return PredictionFiles(
        probs=probs,
        labels=runs[0][1].labels if labels is None else _read_labels(labels),
        class_names=header[1] if header else None,
        groups=runs[0][1].group if runs else None,
    )


def _read_labels(path: Path) -> NDArray[Any]:
    if is_run(path):
        return read_run(path)[0].labels
    found, _ = read_array(path)
    return found.ravel() if found.ndim == 2 and 1 in found.shape else found


def read_array(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The array in a file and the names in its csv header (empty without a header). Raises FittingRoomError for a bad file."""
    check_file(path, f"give one of {', '.join(ENDINGS)}")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise FittingRoomError(f"{path} does not end in {', '.join(ENDINGS)}: save the predictions as one of these")
    try:
        if ending == ".csv":
            return _read_csv(path)
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return found, ()
            with found:
                if len(found.files) != 1:
                    listed = ", ".join(found.files) or "none"
                    raise FittingRoomError(
                        f"{path} holds {len(found.files)} arrays ({listed}): save one array per file"
                    )
                return found[found.files[0]], ()
    except FittingRoomError:
        raise
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} does not exist: check the name") from error
    except (*DAMAGE, csv.Error) as error:
        raise FittingRoomError(f"{path} cannot be read ({error}): save it again") from error


def _files(pattern: str) -> list[Path]:
    if Path(pattern).exists():
        return [Path(pattern)]
    found = [Path(path) for path in glob.glob(pattern)]
    if not found:
        raise FittingRoomError(f"no file matches '{pattern}': check the name")
    return sorted(found, key=lambda path: [int(part) if part.isdigit() else part for part in _parts(path)])


def _parts(path: Path) -> list[str]:
    """The path split into text and numbers, alternating, starting with text."""
    return re.split(r"(\d+)", str(path))


def _read_csv(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    text = path.read_text(encoding="utf-8-sig")
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter, strict=True) if row]
    if not rows:
        raise FittingRoomError(f"{path} is empty")
    header: tuple[str, ...] = ()
    is_text = not _are_numbers(rows[-1])
    if _is_header(rows[0], rows[1:], is_text):
        header, rows = tuple(name.strip() for name in rows[0]), rows[1:]
    odd = next((number for number, row in enumerate(rows) if len(row) != len(rows[0])), None)
    if odd is not None:
        line = odd + 1 + bool(header)
        raise FittingRoomError(f"{path}, line {line}: {len(rows[odd])} columns, other lines have {len(rows[0])}")
    if is_text:
        return np.array([[cell.strip() for cell in row] for row in rows]), header
    for number, row in enumerate(rows):
        if not _are_numbers(row):
            raise FittingRoomError(
                f"{path}, line {number + 1 + bool(header)}: '{','.join(row)}' holds a value that is not a number"
            )
    return np.array([[float(cell) for cell in row] for row in rows]), header


def _is_header(first: Sequence[str], rest: Sequence[Sequence[str]], is_text: bool) -> bool:
    """Whether the first row is a header: text above numbers, or above a column of names that does not contain it."""
    if not rest or _are_numbers(first):
        return False
    return not is_text or (len(first) == 1 and first[0] not in {row[0] for row in rest})


def _are_numbers(row: Sequence[str]) -> bool:
    try:
        [float(cell) for cell in row]
    except ValueError:
        return False
    return True
