"""The test predictions of our own runs, as `verdict` takes them: from a run's folder, or from the predictions.npz in it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import DataRecord
from fittingroom.core.rundir import read_json
from fittingroom.tasks.classification.scoring import ClassificationScoring, ClassPredictions
from fittingroom.tasks.scoring import open_predictions

FILE = "predictions.npz"


def is_run(path: Path) -> bool:
    """Whether `path` is a folder, or the file of predictions in a run's folder."""
    return path.is_dir() or (path.name == FILE and (path.parent / "config.json").exists())


def read_run(path: Path) -> tuple[ClassPredictions, tuple[str, ...]]:
    """What a run answers for the test images, in the order of the images, and the names of its classes.

    Raises FittingRoomError if the run has no test predictions of classes.
    """
    folder = path if path.is_dir() else path.parent
    if not (folder / FILE).exists():
        raise FittingRoomError(f"{path} has no {FILE}: give the folder of a finished run")
    with open_predictions(folder) as archive:
        if "test_probs" not in archive.files:
            raise FittingRoomError(
                f"{folder / FILE} holds no class probabilities of test images: give runs of images, trained without --sealed"
            )
    data = folder / "data.json"
    names = tuple(read_json(data).get("spec", {}).get("class_names", ())) if data.exists() else ()
    found = ClassificationScoring().load(folder, DataRecord(name="", class_names=names))["test"]
    order = np.argsort(found.index)
    group = None if found.group is None else found.group[order]
    return ClassPredictions(
        probs=found.probs[order], labels=found.labels[order], index=found.index[order], group=group
    ), names


def check_same_images(runs: Sequence[tuple[Path, ClassPredictions]]) -> None:
    """Raise FittingRoomError that names a run with other test images than the first."""
    first, expected = runs[0]
    for path, found in runs[1:]:
        if not np.intersect1d(found.index, expected.index).size:
            raise FittingRoomError(
                f"{path} and {first} have no test image in common: of a cross-validation, give the folder of the comparison to "
                "`fittingroom report`, which puts its folds together"
            )
        if not ClassificationScoring().same_items(expected, found, "test"):
            raise FittingRoomError(f"{path} was tested on other images than {first}: give runs of one data set")


def common_groups(runs: Sequence[tuple[Path, ClassPredictions]]) -> NDArray[np.int64] | None:
    """The groups of the images, from whichever runs know them. Raises FittingRoomError if two runs know different groups."""
    known = [(path, _numbered(found.group)) for path, found in runs if found.group is not None]
    for path, group in known[1:]:
        if not np.array_equal(group, known[0][1]):
            raise FittingRoomError(f"{path} has other groups of images than {known[0][0]}: give runs of one data set")
    return known[0][1] if known else None


def _numbered(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups numbered in the order in which they first appear, so that equal groups have equal numbers."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]
