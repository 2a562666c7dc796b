"""Convert new images for a trained network: arrays, tensors, pictures or paths become uint8 images of the data set's size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.tensors import plain_array
from fittingroom.core.text import distinct_names
from fittingroom.data.images.image_file import OwnImage, own_image, read_image
from fittingroom.data.spec import DataSpec, ImageSet


@dataclass(frozen=True)
class ImagePredictions:
    """Predictions of a network for N images."""

    probs: np.ndarray
    """[N, classes], rows sum to 1."""
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """How pictures were read, and why a prediction may mean nothing: each begins with the name of its picture."""

    @property
    def labels(self) -> np.ndarray:
        """Index of each image's most probable class, [N]."""
        return self.probs.argmax(axis=1)

    @property
    def names(self) -> list[str]:
        """Name of each image's most probable class."""
        return [self.class_names[label] for label in self.labels]

    def __len__(self) -> int:
        return len(self.probs)

    def __repr__(self) -> str:
        first = ", ".join(f"{name} {self.probs[place].max():.0%}" for place, name in enumerate(self.names[:5]))
        notes = "".join(f"; note: {note}" for note in self.notes[:5]) + ("; ..." if len(self.notes) > 5 else "")
        return f"ImagePredictions({first}{', ...' if len(self) > 5 else ''}{notes})"


@dataclass(frozen=True, kw_only=True)
class NewImages:
    """Images of the data set's size, made from what a user gave."""

    images: ImageSet
    names: list[str]
    """File names; 'image 0', 'image 1', ... for pictures and arrays in memory."""
    notes: list[str]


def new_images(items: Any, spec: DataSpec) -> NewImages:
    """uint8 images of the data set's size from arrays, tensors, pictures or paths; labels are unknown (all 0).

    Raises FittingRoomError that names what is wrong.
    """
    if isinstance(items, str | Path | Image.Image):
        items = [items]
    notes: list[str] = []
    if isinstance(items, Sequence) and items and all(isinstance(item, str | Path | Image.Image) for item in items):
        files = iter(distinct_names([each for each in items if not isinstance(each, Image.Image)]))
        names = [f"image {n}" if isinstance(each, Image.Image) else next(files) for n, each in enumerate(items)]
        own = [_picture(item, name, spec) for item, name in zip(items, names, strict=True)]
        pixels, notes = torch.stack([each.pixels for each in own]), [note for each in own for note in each.notes]
    else:
        pixels = _array(items, spec)
        names = [f"image {place}" for place in range(len(pixels))]
    images = ImageSet(pixels, torch.zeros(len(pixels), dtype=torch.int64), torch.arange(len(pixels)))
    return NewImages(images=images, names=names, notes=notes)


def _picture(item: Any, name: str, spec: DataSpec) -> OwnImage:
    return own_image(item, spec, name) if isinstance(item, Image.Image) else read_image(Path(item), spec, name)


def _array(items: Any, spec: DataSpec) -> Tensor:
    try:
        array = np.asarray(plain_array(items))
    except ValueError as error:
        raise FittingRoomError("images differ in size: give one array, or pictures and paths of any size") from error
    wanted = (spec.channels, spec.height, spec.width)
    shape = f"(N, {spec.height}, {spec.width}" + (")" if spec.channels == 1 else f", {spec.channels})")
    if array.shape in ((spec.height, spec.width), (spec.height, spec.width, spec.channels), wanted):
        array = array[np.newaxis]
    if array.ndim == 3 and spec.channels == 1:
        array = array[:, np.newaxis]
    elif array.ndim == 4 and array.shape[1:] == (spec.height, spec.width, spec.channels):
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[1:] != wanted or not len(array):
        raise FittingRoomError(
            f"images have shape {tuple(np.shape(items))}: this run reads {shape}; give that, or pictures and paths of any size"
        )
    if array.dtype != np.uint8:
        if array.dtype.kind != "f" or not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
            raise FittingRoomError(
                f"images hold {array.dtype} values: give uint8 pixels 0 to 255, or floats from 0 to 1"
            )
        array = np.round(array * 255).astype(np.uint8)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))  # torch warns of arrays that are read-only
