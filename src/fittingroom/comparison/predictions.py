"""Read what a finished run predicted: its `predictions.npz`, checked before anything is counted from it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from fittingroom.core.archives import open_arrays

SPLITS = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """One run on one split: `probs` [images, classes], `labels` [images], `index` [images] in the data file."""

    probs: NDArray[np.float32]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]

    @property
    def classes(self) -> NDArray[np.int64]:
        """Most probable class of each image, [images]."""
        return np.argmax(self.probs, axis=1)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether that class is the label, [images]."""
        return self.classes == self.labels


def read_predictions(folder: Path, num_classes: int) -> dict[str, Predictions]:
    """The predictions of the run in `folder`, by split ('val', 'test'). FittingRoomError where the file is bad."""
    with open_predictions(folder) as archive:
        found = {split: _read_split(archive, split) for split in SPLITS}
        for split, predictions in found.items():
            _check(predictions, split, num_classes)
    return found


def open_predictions(folder: Path) -> AbstractContextManager[NpzFile]:
    """The arrays of a run's `predictions.npz`, of either kind of run, as `open_arrays` gives them."""
    mend = f"delete {folder} and run the comparison again"
    return open_arrays(folder / "predictions.npz", missing=mend, damaged=mend)


def _read_split(archive: NpzFile, split: str) -> Predictions:
    return Predictions(
        probs=archive[f"{split}_probs"].astype(np.float32),
        labels=archive[f"{split}_labels"].astype(np.int64),
        index=archive[f"{split}_index"].astype(np.int64),
    )


def _check(predictions: Predictions, split: str, num_classes: int) -> None:
    num_images = predictions.labels.size
    if num_images == 0:
        raise ValueError(f"no {split} images")
    if predictions.probs.shape != (num_images, num_classes) or predictions.index.shape != (num_images,):
        shape = predictions.probs.shape
        raise ValueError(f"{split}_probs have shape {shape}, expected {num_images} images and {num_classes} classes")
    if not np.isfinite(predictions.probs).all():
        raise ValueError(f"{split}_probs hold values that are no numbers")
    if predictions.labels.min() < 0 or predictions.labels.max() >= num_classes:
        raise ValueError(f"{split}_labels lie outside 0 to {num_classes - 1}")
