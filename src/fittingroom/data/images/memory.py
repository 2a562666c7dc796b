"""Pictures in memory as arrays: lists of PIL pictures, and data sets whose items are (picture, label), such as torchvision's."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.tensors import plain_array
from fittingroom.core.text import shown
from fittingroom.data.images.decode import eight_bits
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.resize import choose_rule, choose_size, to_pixels
from fittingroom.data.spec import Preprocessing, Resize

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


def as_array(pictures: Any, options: PictureOptions) -> tuple[Any, Preprocessing | None]:
    """Pictures as one array: PIL pictures are resized, and how is returned, too; arrays and tensors are stacked.

    Raises FittingRoomError for a mixture, and for paths.
    """
    if isinstance(pictures, Tensor):
        pictures = plain_array(pictures)
    listed = isinstance(pictures, list | tuple) and len(pictures) > 0
    kinds = [isinstance(each, Image.Image) for each in pictures] if listed else []
    if all(kinds) and kinds:
        return _pictures(pictures, options)
    if listed and all(isinstance(each, str | os.PathLike) for each in pictures):
        raise FittingRoomError(
            f"images holds paths, such as {shown(str(next(iter(pictures))))}: write them with their labels into a table, see "
            "docs/your-images.md, and give its path"
        )
    if any(kinds):
        raise FittingRoomError(
            f"item {kinds.index(False)} is not a picture, but others are: give PIL pictures only, or arrays only"
        )
    given = next((name for name, value in vars(options).items() if value != getattr(PictureOptions(), name)), None)
    if given is not None:
        raise FittingRoomError(f"{given} is for pictures, and arrays have a size of their own: omit it")
    if listed and all(isinstance(each, Tensor) for each in pictures):
        return plain_array(pictures), None
    return pictures, None


def _pictures(
    pictures: Sequence[Image.Image], options: PictureOptions
) -> tuple[UInt8[np.ndarray, "num channels height width"], Preprocessing]:
    """The pixels, and how the pictures became these: new pictures must become so, too."""
    given = next((name for name in OF_FILES if getattr(options, name)), None)
    if given is not None:
        raise FittingRoomError(f"{given} is for pictures in files: omit it")
    sizes = [each.size for each in pictures]
    size = options.image_size or choose_size(sizes)
    rule = options.resize or choose_rule(sizes, size)
    channels = 1 if options.channels == "1" else 3
    found, whites = _decoded(pictures, size, channels, rule, {})
    white = {mode: max(values) for mode, values in whites.items()}
    if any(len(values) > 1 for values in whites.values()):
        found, _ = _decoded(pictures, size, channels, rule, white)
    grey = channels == 3 and options.channels == "auto" and bool((found == found[:, :1]).all())
    how = Preprocessing(resize=rule, white=tuple(sorted(white.items())))
    return found[:, :1] if grey else found, how


def _decoded(
    pictures: Sequence[Image.Image], size: tuple[int, int], channels: int, rule: Resize, white: Mapping[str, int]
) -> tuple[np.ndarray, dict[str, set[int]]]:
    """The pixels, and for each mode of more than 8 bits the values that were taken as white."""
    pixels, whites = [], dict[str, set[int]]()
    for place, each in enumerate(pictures):
        opened = eight_bits(each, f"picture {place}", white=white)
        pixels.append(to_pixels(opened.picture, size, channels, rule))
        for mode, value in opened.white.items():
            whites.setdefault(mode, set()).add(value)
    return np.stack(pixels), whites
