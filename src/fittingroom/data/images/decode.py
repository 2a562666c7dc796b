"""Open any picture file: the only place that decodes pictures. What comes out is upright and has 8 bits a channel."""

import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from PIL import Image, ImageCms

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.core.machine import loaded_libraries
from fittingroom.core.text import shown
from fittingroom.data.images.depth import SAMPLE_FORMAT, scaled, tiff_tag
from fittingroom.data.images.kinds import START, what_it_is
from fittingroom.data.images.metadata import Info, has_metadata, without_metadata
from fittingroom.data.images.orientation import ORIENTATION, TURNS, orientation

FORMATS = (
    "PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "DIB", "ICNS", "ICO", "JPEG2000", "PCX", "PPM", "PSD", "QOI", "SGI",
    "TGA",
)  # fmt: skip
"""Decoded by Pillow itself. Its other formats are stubs, need other programs (EPS runs Ghostscript), or hold no pictures."""
MAX_PIXELS = 100_000_000
"""A picture with more is refused before its pixels are decoded."""
ONE_PICTURE = ("MPO", "PSD")
"""Their other frames are previews, the other eye's view, or layers of the first."""
FEW_BITS = {"L;2": 85, "L;4": 17}
"""Pixels of 2 and 4 bits -> what makes 8 bits of them."""
CLEAR_BY_MISTAKE = ("BMP", "DIB", "TGA")
"""Many programs leave the fourth byte of a pixel at 0 in these formats, and mean no transparency by it."""


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
    `depth.WHITES` is taken that no pixel exceeds. One picture cannot tell 12 bits from a dark 16, so open all pictures of a
    data set with the same `white`: the largest that they have for each mode in `Decoded.white`.
    Raises FittingRoomError with the name for everything that is no picture, is damaged, or has too many pixels.
    """
    name = shown(str(source) if name is None and isinstance(source, Path) else name or "the picture")
    _silence_libtiff()
    try:
        with _opened(source) as file, quiet():  # Pillow warns about tags, and about sizes that are checked here.
            return _decoded(file, name, white or {})
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
    """Width and height of a picture as it is shown. None if it cannot be read; `decode` says why. No pixel is decoded."""
    with suppress(Exception), quiet():
        check_file(path, "give a picture in a file")  # a pipe would be waited for
        return _shown_size(path)
    return None


def _shown_size(path: Path) -> tuple[int, int]:
    with path.open("rb") as file:
        try:
            opened, info = _open(file, ""), None
        except FittingRoomError:
            opened, info = None, None
        if opened is None or opened.format == "PNG":  # the orientation may be behind the pixels
            opened, info = _bare(file, "")
        # Pillow gives the size of a TIFF as it is shown.
        turn = _byte_turn(opened) if opened.format == "TIFF" else orientation(opened.info if info is None else info)
        width, height = opened.size
        return (height, width) if turn in (5, 6, 7, 8) else (width, height)


def eight_bits(picture: Image.Image, name: str = "the picture", *, white: Mapping[str, int] | None = None) -> Decoded:
    """A picture in memory in mode L, LA, RGB or RGBA. It is not turned: whoever opened it saw it as it is."""
    raw = _rawmode(picture)
    return _resolved(picture.copy(), raw, None, name, white or {})


@contextmanager
def quiet() -> Iterator[None]:
    """Hide warnings. Threads may overlap in it: only the last one to leave restores the user's filters.

    `warnings.catch_warnings` in several threads at once may leave all warnings hidden for ever.
    """
    global _inside, _filters
    with _LOCK:
        if _inside == 0:
            _filters = warnings.catch_warnings()
            _filters.__enter__()
            warnings.simplefilter("ignore")
        _inside += 1
    try:
        yield
    finally:
        with _LOCK:
            _inside -= 1
            if _inside == 0:
                _filters.__exit__(None, None, None)


_LOCK, _inside, _filters = threading.Lock(), 0, warnings.catch_warnings()


@contextmanager
def _opened(source: Path | bytes) -> Iterator[io.BufferedReader | io.BytesIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    with source.open("rb") as file:
        # Pillow needs to go back and forth, which a pipe cannot.
        yield file if file.seekable() else io.BytesIO(file.read())


def _decoded(file: io.BufferedReader | io.BytesIO, name: str, white: Mapping[str, int]) -> Decoded:
    try:
        opened = _open(file, name)
        return _resolved(opened, _rawmode(opened), None, name, white)
    except Exception:
        with suppress(Exception):
            opened, info = _bare(file, name)
            return _resolved(opened, _rawmode(opened), orientation(info) if info else None, name, white)
        raise


def _bare(file: io.BufferedReader | io.BytesIO, name: str) -> tuple[Image.Image, Info]:
    """The picture without its metadata, not yet decoded, and what these say about its orientation."""
    file.seek(0)
    if not has_metadata(file.read(START)):
        raise ValueError("a format whose metadata are unknown")
    file.seek(0)
    bare, info = without_metadata(file.read())
    return _open(io.BytesIO(bare), name), info


def _open(file: io.BufferedReader | io.BytesIO, name: str) -> Image.Image:
    """The picture, not yet decoded."""
    start = file.read(START)
    file.seek(0)
    if not start:
        raise FittingRoomError(f"{name} is not a readable picture: the file is empty")
    try:
        opened = Image.open(file, formats=_formats())
    except Exception as error:
        raise _no_picture(start, name, error) from error
    if opened.width * opened.height > MAX_PIXELS:
        raise FittingRoomError(_too_large(name, f"{opened.width:,} x {opened.height:,} pixels"))
    return opened


def _rawmode(picture: Image.Image) -> str:
    """How the file stores a pixel, such as L;4 or RGB;16B. Empty once the pixels are loaded."""
    return next(
        (
            str(part.args[0] if isinstance(part.args, tuple) and part.args else part.args)
            for part in getattr(picture, "tile", ())
        ),
        "",
    )


@cache
def _silence_libtiff() -> None:
    """Pillow's libtiff writes what it finds wrong on standard error by itself. Pillow tells us by an exception."""
    for library in loaded_libraries("libtiff"):
        if "pillow" not in library._name.lower():  # that of another package, such as OpenCV
            continue
        with suppress(AttributeError):
            library.TIFFSetErrorHandler(None)
            library.TIFFSetWarningHandler(None)


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
    what = what_it_is(start)
    reason = f": it {what}" if what else " in a format that is read here, or it is damaged"
    return FittingRoomError(f"{name} is not a readable picture{reason}; save it as PNG or JPEG")


def _resolved(opened: Image.Image, raw: str, turn: int | None, name: str, whites: Mapping[str, int]) -> Decoded:
    """`turn` is the orientation where `opened` does not hold it any more. A picture in memory holds none."""
    format_, own_turn = opened.format, _byte_turn(opened)
    opened.load()
    if turn is None and format_ is not None:  # only now: a PNG may hold the orientation behind the pixels
        turn = own_turn if format_ == "TIFF" else orientation(opened.info)  # Pillow turns a TIFF while it loads
    if opened.mode in ("I", "F") or opened.mode.startswith("I;16"):
        small = scaled(opened, name, whites)
        found = Decoded(picture=small.picture, notes=small.notes, white=small.white)
    else:
        found = Decoded(picture=_in_plain_mode(opened, raw, name))
    picture = found.picture
    if format_ in CLEAR_BY_MISTAKE and picture.mode == "RGBA" and picture.getchannel("A").getextrema() == (0, 0):
        picture = picture.convert("RGB")
    if turn in TURNS:
        picture = picture.transpose(TURNS[turn])
    picture.info = {}
    notes = list(found.notes)
    if _is_animated(opened) and format_ not in ONE_PICTURE:
        notes.insert(0, "has several frames: only the first is used")
    if ";16" in raw and found.picture.mode.startswith("RGB") and _brightest(picture) < 16:
        notes.append(
            "has 16 bits a channel and is almost black: its values may use 12 bits; save it with 8 bits a channel"
        )
    return replace(found, picture=picture, notes=tuple(notes))


def _byte_turn(opened: Image.Image) -> int | None:
    """The orientation of a TIFF that stores it in bytes, which Pillow does not follow."""
    found = getattr(opened, "tag_v2", {}).get(ORIENTATION)
    return max(found) if isinstance(found, bytes) and found else None


def _is_animated(opened: Image.Image) -> bool:
    try:
        return bool(getattr(opened, "is_animated", False))
    except Exception:  # Pillow looks for the second frame, which is damaged.
        return True


def _brightest(picture: Image.Image) -> int:
    """The largest value of all colours. Pillow keeps the upper 8 bits of 16 only, so 12 bits become 0 to 15."""
    return max(picture.getchannel(channel).getextrema()[1] for channel in "RGB")  # type: ignore[type-var]


def _in_plain_mode(opened: Image.Image, raw: str, name: str) -> Image.Image:
    mode, info = opened.mode, opened.info
    if tiff_tag(opened, SAMPLE_FORMAT) == 2:
        raise FittingRoomError(f"{name} holds signed 8-bit values: save it with values 0 to 255")
    if mode in ("LA", "RGBA") or (mode in ("L", "RGB") and "transparency" not in info):
        return opened
    if mode == "RGB" and "transparency" in info:
        clear = info["transparency"]
        if ";16" in raw or any(each > 255 for each in clear):
            # The pixels were cut to their upper 8 bits, the colour was not.
            opened.info["transparency"] = tuple(each >> 8 for each in clear)
        return opened.convert("RGBA")
    if mode in ("L", "1"):
        if raw in FEW_BITS and isinstance(info.get("transparency"), int):
            # The pixels were spread to 8 bits, the transparent value was not.
            info["transparency"] *= FEW_BITS[raw]
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
