"""Which way up a picture is, read from its EXIF block with all other tags ignored: damaged ones must not matter."""

import re
from typing import Any

from PIL import Image

ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what turns the pixels upright."""
XMP = re.compile(rb"tiff:Orientation(?:=[\"']|>)\s*([1-8])")

RAW_PROFILES = ("Raw profile type exif", "Raw profile type APP1")
"""ImageMagick's names for a text that holds an EXIF block."""


def orientation(info: dict[Any, Any]) -> int:
    """The orientation, 1 to 8, in Pillow's `info` of an opened picture; 1, upright, where none can be read."""
    block = info.get("exif")
    if not isinstance(block, bytes):
        block = _raw_profile(next((info[name] for name in RAW_PROFILES if name in info), None))
    return _in_exif(block) or _in_xmp(info.get("xmp") or info.get("XML:com.adobe.xmp")) or 1


def _in_exif(block: bytes) -> int | None:
    """The first directory of the block holds 12 bytes per tag: number, type, count, value."""
    block = re.sub(rb"^(Exif\0\0)+", b"", block)
    order: Any = {b"II": "little", b"MM": "big"}.get(block[:2])
    if order is None:
        return None

    def number(start: int, length: int) -> int:
        return int.from_bytes(block[start : start + length], order)

    first = number(4, 4)
    for entry in range(first + 2, min(first + 2 + 12 * number(first, 2), len(block) - 9), 12):
        if number(entry, 2) == ORIENTATION:
            # A short number as a rule, but some programs write it as a byte or a long one.
            found = (number(entry + 8, length) for length in (2, 4, 1))
            return next((each for each in found if 1 <= each <= 8), None)
    return None


def _in_xmp(block: Any) -> int | None:
    text = block.encode("utf-8", "replace") if isinstance(block, str) else block
    found = XMP.search(text) if isinstance(text, bytes) else None
    return int(found[1]) if found else None


def _raw_profile(text: Any) -> bytes:
    """The block that ImageMagick writes into a PNG as text: three lines, then hexadecimal digits."""
    try:
        lines = text.decode("latin-1") if isinstance(text, bytes) else str(text)
        return bytes.fromhex("".join(lines.split("\n")[3:]))
    except ValueError:
        return b""
