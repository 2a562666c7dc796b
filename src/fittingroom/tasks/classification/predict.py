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
from fittingroom.data.images.image_file import own_image, read_image
from fittingroom.data.spec import DataSpec, ImageSet


@dataclass(frozen=True)
class ImagePredictions:
    """Predictions of a network for N images."""

    probs: np.ndarray
    """[N, classes], rows sum to 1."""
    class_names: tuple[str, ...]

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
        shown = ", ".join(f"{name} {self.probs[place].max():.0%}" for place, name in enumerate(self.names[:5]))
        return f"ImagePredictions({shown}{', ...' if len(self) > 5 else ''})"


def as_images(items: Any, spec: DataSpec) -> ImageSet:
    """uint8 images of the data set's size from arrays, tensors, pictures or paths; labels are unknown (all 0).

    Raises FittingRoomError that names what is wrong.
    """
    if isinstance(items, str | Path | Image.Image):
        items = [items]
    if isinstance(items, Sequence) and items and all(isinstance(item, str | Path | Image.Image) for item in items):
        pixels = torch.stack([_picture(item, spec) for item in items])
    else:
        pixels = _array(items, spec)
    return ImageSet(pixels, torch.zeros(len(pixels), dtype=torch.int64), torch.arange(len(pixels)))


def _picture(item: Any, spec: DataSpec) -> Tensor:
    if isinstance(item, Image.Image):
        return own_image(item, spec).pixels
    return read_image(Path(item), spec).pixels


def _array(items: Any, spec: DataSpec) -> Tensor:
    try:
        array = items.detach().cpu().numpy() if isinstance(items, Tensor) else np.asarray(items)
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
    return torch.from_numpy(np.ascontiguousarray(array))
