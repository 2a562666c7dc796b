"""`predict_files`: a trained network's answers for picture files, in order, in as little memory for many as for few."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from fittingroom.api.runs import Run
from fittingroom.api.settings import whole
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.text import shown
from fittingroom.data.images.folder import pictures_in
from fittingroom.data.images.image_file import OwnImage, read_image
from fittingroom.data.spec import DataSpec

BATCH = 128
"""Pictures that are decoded and predicted at a time."""


@dataclass(frozen=True, kw_only=True)
class FilePrediction:
    """The answer for one file. A file that cannot be read has an `error` and no classes."""

    file: Path
    classes: tuple[tuple[str, float], ...] = ()
    """(class, probability) of the most probable classes, best first."""
    notes: tuple[str, ...] = ()
    """How the file was read, and doubts about the answer."""
    error: str = ""
    """Why the file has no answer. One line."""

    @property
    def label(self) -> str:
        """The most probable class; empty if the file cannot be read."""
        return self.classes[0][0] if self.classes else ""


def predict_files(
    run: Run, files: Iterable[str | Path], *, top: int = 1, batch_size: int = BATCH
) -> Iterator[FilePrediction]:
    """Classify picture files, in the order given. Folders stand for the pictures in them and in their subfolders, by name.

    Every picture is turned upright and resized as the run's training pictures were: its data.json says how. `top` is the number
    of classes in each answer. Raises FittingRoomError for a run that does not classify images.
    """
    spec, most = run.spec, whole(top, "top")
    if not getattr(spec, "class_names", ()):
        raise FittingRoomError(f"{run.name} does not read pictures: for words use `pronounce`")
    if not 1 <= most <= len(spec.class_names):
        raise FittingRoomError(f"top {most}: give 1 to {len(spec.class_names)}, the number of classes of {run.name}")
    if whole(batch_size, "batch_size") < 1:
        raise FittingRoomError(f"batch_size {batch_size} is too small: choose 1 or more")
    return _predictions(run, spec, _each_file(files), most, batch_size)


def _predictions(
    run: Run, spec: DataSpec, files: Iterator[FilePrediction], top: int, batch_size: int
) -> Iterator[FilePrediction]:
    with ThreadPoolExecutor() as pool:
        while chunk := list(islice(files, batch_size)):
            found = list(pool.map(lambda each: each if each.error else _read(each.file, spec), chunk))
            images = [each for each in found if isinstance(each, OwnImage)]
            probs = iter(run.predict(torch.stack([each.pixels for each in images])).probs if images else ())
            for asked, each in zip(chunk, found, strict=True):
                if isinstance(each, OwnImage):
                    classes = _best(next(probs), spec.class_names, top)
                    yield FilePrediction(file=asked.file, classes=classes, notes=each.notes)
                else:
                    yield each


def _each_file(paths: Iterable[str | Path]) -> Iterator[FilePrediction]:
    """One entry per file, still without an answer. A folder without pictures is an error of its own."""
    for path in map(Path, paths):
        if not path.is_dir():
            yield FilePrediction(file=path)
            continue
        try:
            found = list(pictures_in(path))
        except FittingRoomError as error:
            yield FilePrediction(file=path, error=str(error))
            continue
        yield from (FilePrediction(file=file) for file in found)
        if not found:
            yield FilePrediction(file=path, error=f"{shown(str(path))} holds no pictures")


def _read(file: Path, spec: DataSpec) -> OwnImage | FilePrediction:
    try:
        return read_image(file, spec)
    except FittingRoomError as error:
        return FilePrediction(file=file, error=" ".join(str(error).split()))


def _best(probs: np.ndarray, names: tuple[str, ...], top: int) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-probs, kind="stable")[:top]
    return tuple((names[place], float(probs[place])) for place in order)
