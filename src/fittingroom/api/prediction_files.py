"""Read predictions and labels from files: npy, npz with one array, csv with or without a header, and our own runs."""

import csv
import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.api.csv_arrays import is_number, read_csv
from fittingroom.api.run_predictions import check_same_images, common_groups, is_run, read_run
from fittingroom.core.archives import DAMAGE
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.tasks.classification.scoring import ClassPredictions

ENDINGS = (".npy", ".npz", ".csv")


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
        name, paths = _named_files(word)
        for path in paths:
            if is_run(path):
                found, names = read_run(path)
                array = found.probs
                runs.append((path, found))
            else:
                array, names = read_array(path)
                others += 1
            _check_numbers(path, array)
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
    num_images = next((len(array) for arrays in probs.values() for array in arrays if array.ndim), 0)
    found_labels = runs[0][1].labels if labels is None else _read_labels(labels, num_images)
    class_names = header[1] if header else None
    if labels is not None and runs:
        _check_labels_of_run(labels, found_labels, class_names, *runs[0])
    return PredictionFiles(
        probs=probs, labels=found_labels, class_names=class_names, groups=common_groups(runs) if runs else None
    )


def _check_numbers(path: Path, array: NDArray[Any]) -> None:
    """Raise FittingRoomError that shows a text among the probabilities, such as the name of a picture."""
    if array.dtype.kind == "U":
        text = next((cell for cell in array[-1] if not is_number(cell)), array.flat[0])
        if not text.strip():
            raise FittingRoomError(
                f"{path} has an empty cell in its last line: give a number for each class, and none more"
            )
        raise FittingRoomError(
            f"{path} holds text such as '{text}': give probabilities and nothing else, one column per class"
            if array.shape[1] > 2
            else f"{path} holds text such as '{text}': give probabilities"
        )


def _read_labels(path: Path, num_images: int) -> NDArray[Any]:
    """The labels in a file. `num_images` tells whether the first of a column of names is a header."""
    if is_run(path):
        return read_run(path)[0].labels
    found, header = read_array(path)
    if found.ndim == 2 and found.shape[1] > 1 and found.dtype.kind == "U":
        raise FittingRoomError(f"{path} has {found.shape[1]} columns: give one column with the class of each image")
    found = found.ravel() if found.ndim == 2 and 1 in found.shape else found
    if header and found.dtype.kind == "U" and len(found) == num_images - 1:
        return np.array([*header, *found])
    if not header and path.suffix.lower() == ".csv" and len(found) == num_images + 1 and found[0] == 0:
        raise FittingRoomError(
            f"{path} has {len(found)} lines for {num_images} images: if its first line, 0, is a header as pandas writes it, save "
            "it with header=False or with a name"
        )
    return found


def _check_labels_of_run(
    path: Path, labels: NDArray[Any], class_names: Sequence[str] | None, run: Path, found: ClassPredictions
) -> None:
    """Raise FittingRoomError if the labels in a file are not those of the run: its rows are sorted by image."""
    own = np.array(class_names)[found.labels] if class_names and labels.dtype.kind == "U" else found.labels
    if labels.shape == own.shape and (different := int((labels != own).sum())):
        raise FittingRoomError(
            f"{path} and {run} have different labels for {different} of {len(own)} images: give labels and predictions in the "
            "order of the run's images"
        )


def read_array(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The array in a file and the names in its csv header (empty without a header). Raises FittingRoomError for a bad file."""
    check_file(path, f"give one of {', '.join(ENDINGS)}")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise FittingRoomError(f"{path} does not end in {', '.join(ENDINGS)}: save the predictions as one of these")
    try:
        if ending == ".csv":
            return read_csv(path)
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


def _named_files(word: str) -> tuple[str, list[Path]]:
    """The name and the files of 'NAME=PATTERN'. Both may hold '=', as in vit@size=small=vit.npy: the files decide."""
    parts = word.split("=")
    splits = [("=".join(parts[:place]), "=".join(parts[place:])) for place in range(1, len(parts))]
    splits = [(name.strip(), pattern) for name, pattern in splits if name.strip() and pattern]
    if not splits or word.startswith("="):
        raise FittingRoomError(f"'{word}' is not NAME=FILE: write vit=vit0.npy, or 'vit=vit*.npy' for several seeds")
    for name, pattern in splits:
        if found := _files(os.path.expanduser(pattern)):
            return name, found
    raise FittingRoomError(f"no file matches '{splits[0][1]}': check the name")


def _files(pattern: str) -> list[Path]:
    if Path(pattern).exists():
        return [Path(pattern)]
    found = [Path(path) for path in glob.glob(pattern)]
    return sorted(found, key=lambda path: [int(part) if part.isdigit() else part for part in _parts(path)])


def _parts(path: Path) -> list[str]:
    """The path split into text and numbers, alternating, starting with text."""
    return re.split(r"(\d+)", str(path))
