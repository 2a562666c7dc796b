"""Make any picture an image of one size: the rules crop, pad and stretch, and the choice of size and rule for a data set.

Training and prediction call the same function, so a picture gives the same image in both.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from fittingroom.data.spec import Resize

MOST_SIDE = 64
"""The longest side that is chosen without being asked for. More pixels make training on a CPU slow."""
LEAST_SIDE = 4
STEP = 4
"""Chosen sides are multiples of this, so that patches of 4 pixels fit."""
MOST_LOSS, MOST_LOSERS = 0.25, 0.1
"""Crop, unless more than this share of the pictures would lose more than this share of their area."""
VISIBLE = 32
"""On black, a thing darker than this cannot be seen."""

RESAMPLE = Image.Resampling.LANCZOS


def to_pixels(
    picture: Image.Image, size: tuple[int, int], channels: int, rule: Resize, darkest: int = VISIBLE
) -> UInt8[np.ndarray, "channels height width"]:
    """A picture of mode L, LA, RGB or RGBA as pixels of `size` (height, width).

    A transparent ground becomes black, or white behind a thing that is darker than `darkest` on average. Memory beyond the
    picture's own is in proportion to the image.
    """
    target, mode = (size[1], size[0]), "L" if channels == 1 else "RGB"
    small = _scaled(picture, target, rule)
    ground = _ground_behind(small, darkest)
    opaque = _on_ground(small, ground, mode)
    if opaque.size != target:
        canvas = Image.new(mode, target, _border_colour(picture, ground, mode))
        canvas.paste(opaque, ((target[0] - opaque.width) // 2, (target[1] - opaque.height) // 2))
        opaque = canvas
    return np.atleast_3d(np.array(opaque)).transpose(2, 0, 1).copy()


def _scaled(picture: Image.Image, target: tuple[int, int], rule: Resize) -> Image.Image:
    """The picture in the target's size, or with `pad` as large as fits into it, at least one pixel high and wide."""
    if rule == "crop":
        return ImageOps.fit(picture, target, RESAMPLE)
    if rule == "stretch":
        return picture.resize(target, RESAMPLE)
    factor = min(target[0] / picture.width, target[1] / picture.height)
    return picture.resize((max(1, round(picture.width * factor)), max(1, round(picture.height * factor))), RESAMPLE)


def _ground_behind(picture: Image.Image, darkest: int) -> str:
    """The ground on which the thing of a transparent picture can be seen: white behind a dark thing, else black."""
    if not picture.mode.endswith("A"):
        return "black"
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float64)
    grey = np.asarray(picture.convert("LA").getchannel("L"), dtype=np.float64)
    return "white" if alpha.any() and np.average(grey, weights=alpha) < darkest else "black"


def _on_ground(picture: Image.Image, ground: str, mode: str) -> Image.Image:
    if picture.mode.endswith("A"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture)
    return picture.convert(mode)


def opaque(picture: Image.Image) -> Image.Image:
    """A picture of mode L, LA, RGB or RGBA as L or RGB, in its own size, on the ground that `to_pixels` would choose."""
    return _on_ground(picture, _ground_behind(picture, VISIBLE), "L" if picture.mode in ("L", "LA") else "RGB")


def border_brightness(picture: Image.Image, darkest: int = VISIBLE) -> int:
    """How bright the outermost pixels are on average, 0 to 255."""
    ground = _ground_behind(_scaled(picture, (MOST_SIDE, MOST_SIDE), "pad"), darkest)
    colour = _border_colour(picture, ground, "L")
    assert isinstance(colour, int)
    return colour


def _border_colour(picture: Image.Image, ground: str, mode: str) -> int | tuple[int, ...]:
    """Mean of the outermost pixels, 0 to 255 a channel."""
    width, height = picture.size
    boxes = ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
    edges = [np.atleast_3d(np.asarray(_on_ground(picture.crop(box), ground, mode))) for box in boxes]
    means = np.concatenate([edge.reshape(-1, edge.shape[2]) for edge in edges]).mean(axis=0)
    colour = tuple(round(float(mean)) for mean in means)
    return colour[0] if len(colour) == 1 else colour


def choose_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """(height, width) for pictures of these sizes (width, height).

    Pictures of one size keep their proportions. Others become squares with the side of their median shorter side.
    """
    if len(set(sizes)) == 1:
        width, height = sizes[0]
        scale = min(1.0, MOST_SIDE / max(width, height))
        return _side(height * scale), _side(width * scale)
    side = _side(min(float(MOST_SIDE), float(np.median([min(size) for size in sizes]))))
    return side, side


def choose_rule(sizes: Sequence[tuple[int, int]], size: tuple[int, int]) -> Resize:
    """crop, or pad if cropping would cut off too much of too many pictures. `sizes` are (width, height)."""
    wanted = size[1] / size[0]
    ratios = np.array([width / height for width, height in sizes]) / wanted
    losses = 1 - np.minimum(ratios, 1 / ratios)
    return "pad" if np.mean(losses > MOST_LOSS + 1e-9) > MOST_LOSERS else "crop"


def _side(pixels: float) -> int:
    """The nearest side that is a multiple of `STEP`."""
    return max(LEAST_SIDE, STEP * round(pixels / STEP))
