"""Pictures in memory as arrays: lists of PIL pictures, and data sets whose items are (picture, label), such as torchvision's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.tensors import plain_array
from fittingroom.data.images.decode import eight_bits
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.resize import choose_rule, choose_size, to_pixels

OF_FILES = ("group", "split_file", "skip_bad")


def is_dataset(values: Any) -> bool:
    """Whether it is a data set of (picture, label) items: it has `len` and `[i]`, and is no array or plain list."""
    plain = isinstance(values, np.ndarray | Tensor | str | bytes | dict | list | tuple)
    return not plain and hasattr(values, "__len__") and hasattr(values, "__getitem__") and not hasattr(values, "iloc")


def items_of(dataset: Any) -> tuple[list[Any], list[Any], Any]:
    """The pictures, labels and class names (its `classes`, or None). Raises FittingRoomError for items of another kind."""
    pictures, labels = [], []
    for place in range(len(dataset)):
        try:
            item = dataset[place]
        except Exception as error:  # a data set is the user's own code
            raise FittingRoomError(
                f"item {place} of the data set cannot be read ({type(error).__name__}: {error}): mend or remove it"
            ) from error
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise FittingRoomError(
                f"item {place} of the data set is {type(item).__name__}, not (picture, label): give a data set of such pairs"
            )
        pictures.append(item[0])
        labels.append(_label(item[1], place))
    classes = getattr(dataset, "classes", None)
    numbered = all(isinstance(label, int) for label in labels)
    names = list(map(str, classes)) if numbered and isinstance(classes, list | tuple) else None
    return pictures, labels, names


def _label(label: Any, place: int) -> Any:
    if not isinstance(label, Tensor | np.ndarray | np.generic):
        return label
    if plain_array(label).size != 1:
        raise FittingRoomError(
            f"the label of item {place} has shape {tuple(label.shape)}: give the number or name of one class"
        )
    return label.item()


def as_array(pictures: Any, options: PictureOptions) -> Any:
    """Pictures as one array: PIL pictures are resized, arrays and tensors stacked. Raises FittingRoomError for a mixture."""
    if isinstance(pictures, Tensor):
        pictures = plain_array(pictures)
    listed = isinstance(pictures, list | tuple) and len(pictures) > 0
    kinds = [isinstance(each, Image.Image) for each in pictures] if listed else []
    if all(kinds) and kinds:
        return _pictures(pictures, options)
    if any(kinds):
        raise FittingRoomError(
            f"item {kinds.index(False)} is not a picture, but others are: give PIL pictures only, or arrays only"
        )
    given = next((name for name, value in vars(options).items() if value != getattr(PictureOptions(), name)), None)
    if given is not None:
        raise FittingRoomError(f"{given} is for pictures, and arrays have a size of their own: omit it")
    if listed and all(isinstance(each, Tensor) for each in pictures):
        return plain_array(pictures)
    return pictures


def _pictures(pictures: Sequence[Image.Image], options: PictureOptions) -> np.ndarray:
    """uint8 [N, channels, height, width]."""
    given = next((name for name in OF_FILES if getattr(options, name)), None)
    if given is not None:
        raise FittingRoomError(f"{given} is for pictures in files: omit it")
    sizes = [each.size for each in pictures]
    size = options.image_size or choose_size(sizes)
    rule = options.resize or choose_rule(sizes, size)
    channels = 1 if options.channels == "1" else 3
    found = np.stack(
        [
            to_pixels(eight_bits(each, f"picture {place}").picture, size, channels, rule)
            for place, each in enumerate(pictures)
        ]
    )
    grey = channels == 3 and options.channels == "auto" and bool((found == found[:, :1]).all())
    return found[:, :1] if grey else found
