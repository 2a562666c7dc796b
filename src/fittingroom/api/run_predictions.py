"""The test predictions of our own runs, as `verdict` takes them: from a run's folder or from its predictions.npz."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.archives import DAMAGE
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json

FILE = "predictions.npz"
ARRAYS = ("test_probs", "test_labels", "test_index")


@dataclass(frozen=True, kw_only=True)
class RunPredictions:
    """What a run answers for the test images, in the order of the images in the data."""

    path: Path
    probs: NDArray[Any]
    """[images, classes]"""
    labels: NDArray[Any]
    index: NDArray[Any]
    """The number of each image in the test part."""
    class_names: tuple[str, ...]


def is_run(path: Path) -> bool:
    """Whether `path` is the folder of a run, or the file of its predictions."""
    return path.is_dir() or path.name == FILE


def read_run(path: Path) -> RunPredictions:
    """Read the run. Raises FittingRoomError if it has no test predictions of classes."""
    file = path / FILE if path.is_dir() else path
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as found:
            if not set(ARRAYS) <= set(found.files):
                raise FittingRoomError(
                    f"{file} holds no class probabilities of test images (it holds {', '.join(found.files) or 'nothing'}): give "
                    "runs of images that were trained without --sealed"
                )
            probs, labels, index = (found[name] for name in ARRAYS)
    except FittingRoomError:
        raise
    except FileNotFoundError as error:
        raise FittingRoomError(f"{file} does not exist: give the folder of a finished run") from error
    except DAMAGE as error:
        raise FittingRoomError(f"{file} cannot be read ({error}): train the run again") from error
    order = np.argsort(index)
    data = file.parent / "data.json"
    names = read_json(data).get("spec", {}).get("class_names", ()) if data.exists() else ()
    return RunPredictions(
        path=path, probs=probs[order], labels=labels[order], index=index[order], class_names=tuple(names)
    )


def labels_of(runs: Sequence[RunPredictions]) -> NDArray[Any]:
    """The true classes, which all runs must share. Raises FittingRoomError that names a run with other test images."""
    first = runs[0]
    for each in runs[1:]:
        if not (np.array_equal(each.index, first.index) and np.array_equal(each.labels, first.labels)):
            raise FittingRoomError(
                f"{each.path} was tested on other images than {first.path}: give runs of one data set"
            )
    return first.labels
