"""Read IDX, the file format of MNIST and similar data sets: a header with the shape, then the bytes, compressed with gzip.

    0x00 0x00 <type: 0x08 is uint8> <number of dimensions>   then one big-endian uint32 per dimension   then the values

Faults are phrased to follow the file's name: "is cut short", "is a web page, not data".
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from fittingroom.core.errors import FittingRoomError

UINT8_TYPE = 0x08
MEND = "replace it with a fresh copy"


class BadContent(ValueError):
    """A fault in a file's content. The message is phrased to follow the file's name."""


def read(path: Path) -> UInt8[np.ndarray, "..."]:
    """Read the array in a gzipped IDX file. Raises FittingRoomError naming the file and its fault."""
    try:
        return parse(unpack(read_bytes(path)))
    except BadContent as error:
        raise FittingRoomError(f"{path} {error}: {MEND}") from error


def read_plain(path: Path) -> UInt8[np.ndarray, "..."]:
    """Read the array in an IDX file that is not compressed. Raises FittingRoomError naming the file and its fault."""
    try:
        return parse(read_bytes(path))
    except BadContent as error:
        raise FittingRoomError(f"{path} {error}: {MEND}") from error


def read_bytes(path: Path) -> bytes:
    """The raw bytes of the file. Raises BadContent if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadContent("is missing") from error
    except OSError as error:
        raise BadContent(f"cannot be read ({error.strerror})") from error


def unpack(raw: bytes) -> bytes:
    """Decompress gzipped bytes. Raises BadContent if they are empty, a web page, cut short or damaged."""
    if not raw:
        raise BadContent("is empty")
    if looks_like_html(raw):
        raise BadContent("is a web page, not data")
    if not raw.startswith(b"\x1f\x8b"):
        raise BadContent("is not a gzip file")
    try:
        return gzip.decompress(raw)
    except EOFError as error:
        raise BadContent("is cut short") from error
    except (OSError, zlib.error, struct.error) as error:
        raise BadContent("is damaged") from error


def looks_like_html(start: bytes) -> bool:
    """Whether the bytes begin like a web page. Login pages and proxies send one instead of the file."""
    return start[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def parse(content: bytes) -> UInt8[np.ndarray, "..."]:
    """Parse IDX bytes into a writable array. Raises BadContent if the header and the size disagree."""
    if len(content) < 4 or content[:2] != b"\x00\x00":
        raise BadContent("is not an IDX file")
    kind, num_dimensions = content[2], content[3]
    if kind != UINT8_TYPE:
        raise BadContent(f"holds values of type 0x{kind:02x}, not bytes (0x08)")
    start = 4 + 4 * num_dimensions
    if len(content) < start:
        raise BadContent("is cut short within its header")
    shape = struct.unpack(f">{num_dimensions}I", content[4:start])
    expected, found = math.prod(shape), len(content) - start
    if found != expected:
        raise BadContent(f"holds {found} values, but its header announces {' x '.join(map(str, shape))} = {expected}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
