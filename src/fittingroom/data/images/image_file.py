"""Convert any picture to an image of a data set: upright, grey or RGB, in the data set's size."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from fittingroom.core.text import shown
from fittingroom.data.images.decode import Decoded, decode, eight_bits
from fittingroom.data.images.doubts import doubts
from fittingroom.data.spec import DataSpec

BRIGHT = 127
"""A background counts as bright if the mean of the outermost pixels exceeds this."""
VISIBLE = 32
"""On black, a thing darker than this cannot be seen."""


@dataclass(frozen=True, eq=False, kw_only=True)
class OwnImage:
    """A user's picture as an image of the data set."""

    pixels: UInt8[Tensor, "channels height width"]
    inverted: bool
    """Whether bright and dark were exchanged."""
    notes: tuple[str, ...]
    """How the file was read, and why the answer of a network may be worth nothing. Each begins with the picture's name."""


def read_image(path: Path, spec: DataSpec) -> OwnImage:
    """Read a picture file and convert it. Raises FittingRoomError if it cannot be read, see `decode`."""
    return _own(decode(path), spec, shown(path.name))


def own_image(picture: Image.Image, spec: DataSpec, name: str = "the picture") -> OwnImage:
    """Convert a picture in memory, of any mode. It is not turned."""
    return _own(eight_bits(picture, name), spec, name)


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

    It is scaled to fit, then padded to the data set's proportions with its mean border colour. A transparent ground becomes
    black, or white behind a dark thing. A bright ground is inverted if the data set requires it. Memory beyond the picture's
    own is in proportion to the image.
    """
    small = _scaled(picture, spec)
    ground = _ground_behind(small, spec)
    mode = "L" if spec.channels == 1 else "RGB"
    border = _border_colour(picture, ground, mode)
    image = Image.new(mode, (spec.width, spec.height), border)
    image.paste(_on_ground(small, ground, mode), ((spec.width - small.width) // 2, (spec.height - small.height) // 2))
    pixels = torch.from_numpy(np.atleast_3d(np.array(image)).transpose(2, 0, 1).copy())
    brightness = border if isinstance(border, int) else Image.new(mode, (1, 1), border).convert("L").getpixel((0, 0))
    inverted = brightness > BRIGHT and spec.preprocessing.bright_ground == "invert"  # type: ignore[operator]
    return (255 - pixels if inverted else pixels), inverted


def _scaled(picture: Image.Image, spec: DataSpec) -> Image.Image:
    """As large as fits into the data set's images, at least one pixel high and wide."""
    factor = min(spec.width / picture.width, spec.height / picture.height)
    size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _ground_behind(picture: Image.Image, spec: DataSpec) -> str:
    """The ground on which the thing of a transparent picture can be seen."""
    if not picture.mode.endswith("A"):
        return "black"
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float64)
    grey = np.asarray(picture.convert("LA").getchannel("L"), dtype=np.float64)
    if not alpha.any():
        return "black"
    darkest = BRIGHT if spec.preprocessing.bright_ground == "invert" else VISIBLE
    return "white" if np.average(grey, weights=alpha) < darkest else "black"


def _on_ground(picture: Image.Image, ground: str, mode: str) -> Image.Image:
    if picture.mode.endswith("A"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture)
    return picture.convert(mode)


def _border_colour(picture: Image.Image, ground: str, mode: str) -> int | tuple[int, ...]:
    """Mean of the outermost pixels, 0 to 255 a channel."""
    width, height = picture.size
    boxes = ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
    edges = [np.atleast_3d(np.asarray(_on_ground(picture.crop(box), ground, mode))) for box in boxes]
    means = np.concatenate([edge.reshape(-1, edge.shape[2]) for edge in edges]).mean(axis=0)
    colour = tuple(round(float(mean)) for mean in means)
    return colour[0] if len(colour) == 1 else colour
