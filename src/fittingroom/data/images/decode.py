"""Open any picture file: the only place that decodes pictures. What comes out is upright and has 8 bits a channel."""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.text import shown
from fittingroom.data.images.orientation import SIDEWAYS, TURNS, orientation, without_exif

FORMATS = (
    "PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "DIB", "ICNS", "ICO", "JPEG2000", "PCX", "PPM", "PSD", "QOI", "SGI",
    "TGA",
)  # fmt: skip
"""Decoded by Pillow itself. Its other formats are stubs, need other programs (EPS runs Ghostscript), or hold no pictures."""
MAX_PIXELS = 100_000_000
"""A picture with more is refused before its pixels are decoded."""
ONE_PICTURE = ("MPO", "PSD")
"""Their other frames are previews, the other eye's view, or layers of the first."""
WHITES = (1, 255, 4095, 65535)
"""The values that can mean white where a pixel has more than 8 bits: floats to 1, then 8, 12 and 16 bits."""
PHOTOMETRIC, BITS, SAMPLE_FORMAT = 262, 258, 339
"""Tags of TIFF: whether 0 is white, bits a channel, whether values are signed."""
BAND = 2**20
"""Pixels that are scaled at a time."""
MARGIN = 1e-3
"""Floats may exceed their range by this share of it: interpolation and rounding do that."""
PREFIXES = {
    b"%!PS": "is PostScript",
    b"%PDF": "is a PDF",
    b"<svg": "is an SVG drawing",
    b"<?xml": "is XML, perhaps an SVG drawing",
    b"<!DOC": "is a web page",
    b"<html": "is a web page",
    b"version https://git-lfs": "is a Git LFS pointer: the picture itself was not fetched",
}


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A picture as everything behind the decoder wants it."""

    picture: Image.Image
    """Mode L, LA, RGB or RGBA, upright, the first frame. It holds no EXIF, profile or palette any more."""
    notes: tuple[str, ...] = ()
    """What a reader should know, to be put after the name: "has 12 frames: ...", "holds floats ..."."""
    white: dict[str, int] = field(default_factory=dict)
    """Mode -> the value that was taken as white, where the file has more than 8 bits and does not say it."""


def decode(source: Path | bytes, name: str | None = None, *, white: Mapping[str, int] | None = None) -> Decoded:
    """Open one picture: a file or its contents. `name` is what messages call it; default: the path.

    Greys of 16 or 32 bits and floats are scaled to 8 bits. If the file does not say which value is white, the smallest of
    `WHITES` is taken that no pixel exceeds. One picture cannot tell 12 bits from a dark 16, so open all pictures of a data set
    with the same `white`: the largest that they have for each mode in `Decoded.white`.
    Raises FittingRoomError with the name for everything that is no picture, is damaged, or has too many pixels.
    """
    name = shown(str(source) if name is None and isinstance(source, Path) else name or "the picture")
    try:
        with _opened(source) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about tags, and about sizes that are checked here.
            opened, turn = _open(file, name)
            return _resolved(opened, turn, name, white or {})
    except FittingRoomError:
        raise
    except FileNotFoundError as error:
        raise FittingRoomError(f"{name} does not exist: give the path of a picture, such as a PNG or JPEG") from error
    except IsADirectoryError as error:
        raise FittingRoomError(f"{name} is a folder, not a readable picture: give the path of one file") from error
    except PermissionError as error:
        raise FittingRoomError(f"{name} cannot be read: permission denied") from error
    except Image.DecompressionBombError as error:
        raise FittingRoomError(_too_large(name, "too many pixels")) from error
    except Exception as error:  # Decoders raise nearly anything for a damaged file.
        reason = shown(" ".join(str(error).split())) or type(error).__name__
        raise FittingRoomError(
            f"{name} is not a readable picture ({reason}): give a complete PNG or JPEG file"
        ) from error


def shown_size(path: Path) -> tuple[int, int] | None:
    """(width, height) of a picture as it is shown, from the head of its file. None if it cannot be read: decoding says why."""
    try:
        with _opened(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened, turn = _open(file, str(path))
            width, height = opened.size
    except Exception:  # see `decode`
        return None
    return (height, width) if turn in SIDEWAYS and opened.format != "TIFF" else (width, height)


def eight_bits(picture: Image.Image, name: str = "the picture", *, white: Mapping[str, int] | None = None) -> Decoded:
    """A picture in memory in mode L, LA, RGB or RGBA. It is not turned: whoever opened it saw it as it is."""
    return _resolved(picture.copy(), None, name, white or {})


@contextmanager
def _opened(source: Path | bytes) -> Iterator[io.BufferedReader | io.BytesIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    with source.open("rb") as file:
        # Pillow needs to go back and forth, which a pipe cannot.
        yield file if file.seekable() else io.BytesIO(file.read())


def _open(file: io.BufferedReader | io.BytesIO, name: str) -> tuple[Image.Image, Image.Transpose | None]:
    """The picture, not yet decoded, and how it must be turned."""
    start = file.read(64)
    file.seek(0)
    if not start:
        raise FittingRoomError(f"{name} is not a readable picture: the file is empty")
    try:
        opened = Image.open(file, formats=_formats())
        turn = TURNS.get(orientation(opened.info))
    except Exception as error:
        if not start.startswith(b"\xff\xd8"):
            raise _no_picture(start, name, error) from error
        file.seek(0)
        rest, block = without_exif(file.read())
        try:
            opened = Image.open(io.BytesIO(rest), formats=["JPEG"])
        except Exception:
            raise _no_picture(start, name, error) from error
        turn = TURNS.get(orientation({"exif": block}))
    if opened.width * opened.height > MAX_PIXELS:
        raise FittingRoomError(_too_large(name, f"{opened.width:,} x {opened.height:,} pixels"))
    return opened, turn


@cache
def _formats() -> tuple[str, ...]:
    """The `FORMATS` that this build of Pillow can open."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _too_large(name: str, size: str) -> str:
    return f"{name} has {size}; at most {MAX_PIXELS / 1e6:.0f} million can be opened safely: scale it down first"


def _no_picture(start: bytes, name: str, error: Exception) -> FittingRoomError:
    if isinstance(error, Image.DecompressionBombError):
        return FittingRoomError(_too_large(name, "too many pixels"))
    what = next((words for prefix, words in PREFIXES.items() if start.lstrip().startswith(prefix)), None)
    if start[4:8] == b"ftyp":
        what = "is HEIC, HEIF or a video, which are not read here"
    elif start[:4] in (b"II*\0", b"MM\0*"):
        what = "is a damaged TIFF, or one with several channels of 16 or more bits"
    reason = f": it {what}" if what else " in a format that is read here, or it is damaged"
    return FittingRoomError(f"{name} is not a readable picture{reason}; save it as PNG or JPEG")


def _resolved(opened: Image.Image, turn: Image.Transpose | None, name: str, whites: Mapping[str, int]) -> Decoded:
    format_, wide = opened.format, any(";16" in str(part.args) for part in getattr(opened, "tile", ()))
    opened.load()
    if opened.mode in ("I", "F") or opened.mode.startswith("I;16"):
        found = _scaled(opened, name, whites)
    else:
        found = Decoded(picture=_in_plain_mode(opened, name))
    picture = found.picture
    if turn is not None and format_ != "TIFF":  # Pillow turns a TIFF while it loads.
        picture = picture.transpose(turn)
    picture.info = {}
    notes = list(found.notes)
    if getattr(opened, "is_animated", False) and format_ not in ONE_PICTURE:
        notes.insert(0, "has several frames: only the first is used")
    if wide and found.picture.mode.startswith("RGB") and _brightest(picture) < 16:
        notes.append(
            "has 16 bits a channel and is almost black: its values may use 12 bits; save it with 8 bits a channel"
        )
    return replace(found, picture=picture, notes=tuple(notes))


def _brightest(picture: Image.Image) -> int:
    """The largest value of all colours. Pillow keeps the upper 8 bits of 16 only, so 12 bits become 0 to 15."""
    return max(picture.getchannel(channel).getextrema()[1] for channel in "RGB")  # type: ignore[type-var]


def _in_plain_mode(opened: Image.Image, name: str) -> Image.Image:
    mode, info = opened.mode, opened.info
    if _tag(opened, SAMPLE_FORMAT) == 2:
        raise FittingRoomError(f"{name} holds signed 8-bit values: save it with values 0 to 255")
    if mode in ("LA", "RGBA") or (mode in ("L", "RGB") and "transparency" not in info):
        return opened
    if mode == "RGB" and "transparency" in info:
        clear = info["transparency"]
        if _has_16_bits(opened):  # The pixels were cut to their upper 8 bits, the colour was not.
            opened.info["transparency"] = tuple(each >> 8 for each in clear)
        return opened.convert("RGBA")
    if mode in ("L", "1"):
        return opened.convert("LA" if "transparency" in info else "L")
    if mode == "La":
        return opened.convert("LA")
    if mode in ("P", "PA"):
        with_alpha = mode == "PA" or "transparency" in info or getattr(opened.palette, "mode", "RGB") == "RGBA"
        return opened.convert("RGBA" if with_alpha else "RGB")
    if mode == "RGBa":
        return opened.convert("RGBA")
    if mode == "LAB":
        found = ImageCms.profileToProfile(
            opened, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        assert found is not None
        return found
    return opened.convert("RGB")  # RGB, RGBX, CMYK, YCbCr, HSV


def _scaled(opened: Image.Image, name: str, whites: Mapping[str, int]) -> Decoded:
    """Greys of more than 8 bits as L, or LA where one value is transparent."""
    mode = "I;16" if opened.mode.startswith("I;16") else opened.mode
    kind = ("floats" if mode == "F" else "whole numbers") + f" of more than 8 bits (mode {opened.mode})"
    ends = np.array([(values.min(), values.max()) for _, values in _bands(opened)])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if not np.isfinite([low, high]).all():
        raise FittingRoomError(f"{name} holds {kind}, some of them NaN or infinite: save it as 8-bit grey")
    known = _known_white(opened)
    white = known or whites.get(mode) or _smallest_white(mode, high)
    if known is None and white == 65535 and _tag(opened, SAMPLE_FORMAT) == 2 and _tag(opened, BITS) == 16:
        white = 32767  # signed
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
    if opened.format == "TIFF" and _tag(opened, PHOTOMETRIC) == 0:  # 0 is white. Pillow inverts up to 8 bits only.
        np.subtract(255, bytes_, out=bytes_)
    picture = Image.fromarray(bytes_)
    if alpha is not None:
        picture = Image.merge("LA", (picture, Image.fromarray(alpha)))
    usual = known or white in ((1, 255) if mode == "F" else (32767, 65535))
    notes = () if usual else (f"holds {kind} up to {high:g}: {white:,} was taken as white",)
    return Decoded(picture=picture, notes=notes, white={} if known else {mode: white})


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
    bits = _tag(opened, BITS)
    return 2**bits - 1 if isinstance(bits, int) and 8 < bits < 16 else None


def _tag(opened: Image.Image, number: int) -> Any:
    """The first value of a TIFF tag; None for other formats and where it is missing."""
    found = getattr(opened, "tag_v2", {}).get(number)
    return found[0] if isinstance(found, tuple) and found else found


def _has_16_bits(opened: Image.Image) -> bool:
    return any(each > 255 for each in opened.info["transparency"])
