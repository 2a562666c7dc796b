"""`predict_files`: a trained network's answers for picture files, in order, in as little memory for many as for few."""

import os
import sys
from collections import Counter
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
from fittingroom.core.torch_settings import usual_torch
from fittingroom.data.images.cache import num_threads
from fittingroom.data.images.folder import counted_endings, pictures_in
from fittingroom.data.images.image_file import OwnImage, read_image
from fittingroom.data.spec import DataSpec
from fittingroom.tasks.classification.unlike import Usual, usual

BATCH = 128
"""Pictures that are decoded and predicted at a time."""


@dataclass(frozen=True, kw_only=True)
class FilePrediction:
    """The answer for one file. A file that cannot be read has an `error` and no classes."""

    file: Path
    classes: tuple[tuple[str, float], ...] = ()
    """(class, probability) of the most probable classes, best first."""
    usual: float | None = None
    """With `alarms`: the share of validation pictures that are as unlike the training pictures as this one, 0 to 1."""
    none_of_these: bool = False
    """With `alarms`: whether the picture is so unlike the training pictures that it probably shows none of the classes."""
    notes: tuple[str, ...] = ()
    """How the file was read, and doubts about the answer."""
    error: str = ""
    """Why the file has no answer. One line."""

    @property
    def label(self) -> str:
        """The most probable class; empty if the file cannot be read."""
        return self.classes[0][0] if self.classes else ""


@usual_torch()
def predict_files(
    run: Run,
    files: str | Path | Iterable[str | Path],
    *,
    top: int = 1,
    alarms: float | None = None,
    batch_size: int = BATCH,
) -> Iterator[FilePrediction]:
    """Classify picture files, in the order given; one path is enough. Folders stand for the pictures in them and in their
    subfolders, by name.

    Every picture is turned upright and resized as the run's training pictures were: its data.json says how. `top` is the number
    of classes in each answer. With `alarms`, such as 0.05, each answer says whether the picture shows none of the classes; of
    pictures that do, about this share is called so by mistake. It needs the run's training pictures. Raises FittingRoomError for
    a run that does not classify images.
    """
    if isinstance(files, str | Path):
        files = [files]
    elif not isinstance(files, Iterable):
        raise FittingRoomError(f"files {files!r}: give paths of pictures and folders")
    spec, most = run.spec, whole(top, "top")
    if not getattr(spec, "class_names", ()):
        raise FittingRoomError(f"{run.name} does not read pictures: for words use `pronounce`")
    if not 1 <= most <= len(spec.class_names):
        raise FittingRoomError(f"top {most}: give 1 to {len(spec.class_names)}, the number of classes of {run.name}")
    if whole(batch_size, "batch_size") < 1:
        raise FittingRoomError(f"batch_size {batch_size} is too small: choose 1 or more")
    if alarms is not None and not (isinstance(alarms, int | float) and 0 < alarms < 1):
        raise FittingRoomError(f"alarms {alarms}: give a share above 0 and below 1, such as 0.05")
    known = None if alarms is None else usual(run._saved, alarms)
    return _predictions(run, spec, _each_file(files), most, known, batch_size)


def _predictions(
    run: Run,
    spec: DataSpec,
    files: Iterator[FilePrediction],
    top: int,
    known: Usual | None,
    batch_size: int,
) -> Iterator[FilePrediction]:
    with ThreadPoolExecutor(num_threads()) as pool:
        while chunk := list(islice(files, batch_size)):
            found = list(pool.map(lambda each: each if each.error else _read(each.file, spec), chunk))
            images = [each for each in found if isinstance(each, OwnImage)]
            probs, shares = _looked_at(run, images, known) if images else (iter(()), iter(()))
            for asked, each in zip(chunk, found, strict=True):
                if isinstance(each, OwnImage):
                    classes = _best(next(probs), spec.class_names, top)
                    share = next(shares)
                    unlike = known is not None and share is not None and share <= known.alarms
                    yield FilePrediction(
                        file=asked.file, classes=classes, usual=share, none_of_these=unlike, notes=each.notes
                    )
                else:
                    yield each


@usual_torch()
def _looked_at(
    run: Run, images: list[OwnImage], known: Usual | None
) -> tuple[Iterator[np.ndarray], Iterator[float | None]]:
    """Probabilities of each image, and its share of usual pictures; None where nobody asks."""
    pixels = torch.stack([each.pixels for each in images])
    shares = [None] * len(images) if known is None else known.shares(pixels)
    return iter(run.predict(pixels).probs), iter(shares)


def _each_file(paths: Iterable[str | Path]) -> Iterator[FilePrediction]:
    """One entry per file, still without an answer. A folder without pictures is an error of its own."""
    for each in paths:
        if not isinstance(each, str | os.PathLike):
            raise FittingRoomError(
                f"predict_files reads files, not {type(each).__name__}: give paths, or use run.predict"
            )
        path = Path(each)
        if not path.is_dir():
            yield FilePrediction(file=path)
            continue
        try:
            found = list(pictures_in(path, others := Counter[str]()))
        except FittingRoomError as error:
            yield FilePrediction(file=path, error=str(error))
            continue
        if others:
            left = counted_endings(others)
            print(f"note: {shown(str(path))}: not pictures by their names, so not read: {left}", file=sys.stderr)
        yield from (FilePrediction(file=file) for file in found)
        if not found:
            yield FilePrediction(file=path, error=f"{shown(str(path))} holds no pictures")


def _read(file: Path, spec: DataSpec) -> OwnImage | FilePrediction:
    try:
        return read_image(file, spec)
    except FittingRoomError as error:
        return FilePrediction(file=file, error=str(error))


def _best(probs: np.ndarray, names: tuple[str, ...], top: int) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-probs, kind="stable")[:top]
    return tuple((names[place], float(probs[place])) for place in order)
