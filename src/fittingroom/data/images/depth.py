"""Pictures with more than 8 bits a channel: which value is white, and the picture in 8 bits."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from fittingroom.core.errors import FittingRoomError

WHITES = (1, 255, 4095, 65535)
"""The values that can mean white where a pixel has more than 8 bits: floats to 1, then 8, 12 and 16 bits."""
PHOTOMETRIC, BITS, SAMPLE_FORMAT = 262, 258, 339
"""Tags of TIFF: whether 0 is white, bits a channel, whether values are signed."""
BAND = 2**20
"""Pixels that are scaled at a time."""
MARGIN = 1e-3
"""Floats may exceed their range by this share of it: interpolation and rounding do that."""


class Scaled(NamedTuple):
    """A grey picture of 8 bits, see `decode.Decoded`."""

    picture: Image.Image
    notes: tuple[str, ...]
    white: dict[str, int]


def scaled(opened: Image.Image, name: str, whites: Mapping[str, int]) -> Scaled:
    """Greys of more than 8 bits as L, or LA where one value is transparent."""
    mode = "I;16" if opened.mode.startswith("I;16") else opened.mode
    kind = ("floats" if mode == "F" else "whole numbers") + f" of more than 8 bits (mode {opened.mode})"
    ends = np.array([(values.min(), values.max()) for _, values in _bands(opened)])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if not np.isfinite([low, high]).all():
        raise FittingRoomError(f"{name} holds {kind}, some of them NaN or infinite: save it as 8-bit grey")
    known = _known_white(opened)
    white = known or whites.get(mode) or _smallest_white(mode, high)
    if known is None and white == 65535 and tiff_tag(opened, SAMPLE_FORMAT) == 2 and tiff_tag(opened, BITS) == 16:
        white = 32767  # signed
    if known is None and mode in whites and high > whites[mode] * (1 + MARGIN):
        raise FittingRoomError(
            f"{name} holds {kind} up to {high:g}, but {whites[mode]:,} is white in the pictures of the data set: save it as "
            "8-bit grey, 0 to 255"
        )
    if white is None or low < -MARGIN * white or high > white * (1 + MARGIN):
        raise FittingRoomError(
            f"{name} holds {kind} from {low:g} to {high:g}: it is unclear which value is white; save it as 8-bit grey, 0 to 255"
        )
    clear = opened.info.get("transparency")
    bytes_ = np.zeros((opened.height, opened.width), dtype=np.uint8)
    alpha = np.full_like(bytes_, 255) if isinstance(clear, int) else None
    for rows, values in _bands(opened):
        if alpha is not None:
            alpha[rows][values == clear] = 0
        bytes_[rows] = np.clip(np.rint(values * np.float32(255 / white)), 0, 255)
    if opened.format == "TIFF" and tiff_tag(opened, PHOTOMETRIC) == 0:  # 0 is white. Pillow inverts up to 8 bits only.
        np.subtract(255, bytes_, out=bytes_)
    picture = Image.fromarray(bytes_)
    if alpha is not None:
        picture = Image.merge("LA", (picture, Image.fromarray(alpha)))
    usual = known or white in ((1, 255) if mode == "F" else (32767, 65535))
    notes = () if usual else (f"holds {kind} up to {high:g}: {white:,} was taken as white",)
    return Scaled(picture, notes, {} if known else {mode: white})


def _smallest_white(mode: str, high: float) -> int | None:
    """The first of `WHITES` that no pixel exceeds. None for floats barely above 1: they may be of 0 to 1 or of 0 to 255."""
    if mode == "F" and 1 + MARGIN < high < 2:
        return None
    whites = WHITES if mode == "F" else WHITES[1:]
    return next((each for each in whites if high <= each * (1 + MARGIN * (mode == "F"))), None)


def _bands(picture: Image.Image) -> Iterator[tuple[slice, Any]]:
    """The pixels as float32, some rows at a time, so that a large picture is not copied as a whole."""
    height = max(1, BAND // picture.width)
    for top in range(0, picture.height, height):
        end = min(top + height, picture.height)
        yield slice(top, end), np.asarray(picture.crop((0, top, picture.width, end)), dtype=np.float32)


def _known_white(opened: Image.Image) -> int | None:
    """The value of white where the format or the file fixes it."""
    if opened.format in ("PPM", "JPEG2000") and opened.mode != "F":
        return 65535  # Pillow has scaled them to 16 bits.
    bits = tiff_tag(opened, BITS)
    return 2**bits - 1 if isinstance(bits, int) and 8 < bits < 16 else None


def tiff_tag(opened: Image.Image, number: int) -> Any:
    """The first value of a TIFF tag; None for other formats and where it is missing."""
    found = getattr(opened, "tag_v2", {}).get(number)
    return found[0] if isinstance(found, tuple) and found else found
