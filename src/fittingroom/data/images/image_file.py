"""Convert any picture to an image of a data set: upright, grey or RGB, in the data set's size."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from fittingroom.core.files import check_file
from fittingroom.core.text import shown
from fittingroom.data.images.decode import Decoded, decode, eight_bits
from fittingroom.data.images.doubts import doubts
from fittingroom.data.images.resize import VISIBLE, border_brightness, to_pixels
from fittingroom.data.spec import DataSpec

BRIGHT = 127
"""A background counts as bright if the mean of the outermost pixels exceeds this."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnImage:
    """A user's picture as an image of the data set."""

    pixels: UInt8[Tensor, "channels height width"]
    inverted: bool
    """Whether bright and dark were exchanged."""
    notes: tuple[str, ...]
    """How the file was read, and why the answer of a network may be worth nothing. Each begins with the picture's name."""


def read_image(path: Path, spec: DataSpec, name: str | None = None) -> OwnImage:
    """Read a picture file and convert it. Notes call it `name`, or by its file name.

    Raises FittingRoomError if it cannot be read, see `decode`.
    """
    check_file(path, "give a PNG or JPEG picture")
    return _own(decode(path, white=dict(spec.preprocessing.white)), spec, name or shown(path.name))


def own_image(picture: Image.Image, spec: DataSpec, name: str = "the picture") -> OwnImage:
    """Convert a picture in memory, of any mode. It is not turned."""
    return _own(eight_bits(picture, name, white=dict(spec.preprocessing.white)), spec, name)


def _own(decoded: Decoded, spec: DataSpec, name: str) -> OwnImage:
    pixels, inverted = fit_picture(decoded.picture, spec)
    notes = [f"{name} {note}" for note in decoded.notes]
    if inverted:
        notes.append(
            f"{name} has a light background: its colours were inverted, because the networks know only dark ones"
        )
    notes += [f"{name}: {doubt}" for doubt in doubts(pixels, spec)]
    return OwnImage(pixels=pixels, inverted=inverted, notes=tuple(notes))


def fit_picture(picture: Image.Image, spec: DataSpec) -> tuple[UInt8[Tensor, "channels height width"], bool]:
    """Convert a picture of mode L, LA, RGB or RGBA (from `decode`) to the data set's format, and whether it was inverted.

    It is resized as the data set's pictures were. A bright ground is inverted if the data set requires it.
    """
    inverts = spec.preprocessing.bright_ground == "invert"
    darkest = BRIGHT if inverts else VISIBLE
    found = to_pixels(picture, (spec.height, spec.width), spec.channels, spec.preprocessing.resize, darkest)
    pixels = torch.from_numpy(found)
    if not inverts or border_brightness(picture, darkest) <= BRIGHT:
        return pixels, False
    return 255 - pixels, True
