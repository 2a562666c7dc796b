"""IDX, the file format of MNIST and its kin: a header with the shape, then the bytes, all in gzip.

    0x00 0x00 <type: 0x08 is uint8> <number of dimensions>   then one big-endian uint32 a dimension   then the values

Whatever is wrong with a file is said in words that can follow its name: "is cut short", "is a web page, not data".
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
    """What is wrong with a file's content, in words that follow the file's name."""


def read(path: Path) -> UInt8[np.ndarray, "..."]:
    """The array in a gzipped IDX file. Raises FittingRoomError that names the file and what is wrong with it."""
    try:
        return parse(unpack(read_bytes(path)))
    except BadContent as error:
        raise FittingRoomError(f"{path} {error}: {MEND}") from error


def read_bytes(path: Path) -> bytes:
    """The file as it lies on disk. Raises BadContent where it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise BadContent("is missing") from error
    except OSError as error:
        raise BadContent(f"cannot be read ({error.strerror})") from error


def unpack(raw: bytes) -> bytes:
    """The content of gzipped bytes. Raises BadContent where they are empty, a web page, cut short or damaged."""
    if not raw:
        raise BadContent("is empty")
    if looks_like_html(raw):
        raise BadContent("is a web page, not data")
    if not raw.startswith(b"\x1f\x8b"):
        raise BadContent("is no gzip file")
    try:
        return gzip.decompress(raw)
    except EOFError as error:
        raise BadContent("is cut short") from error
    except (OSError, zlib.error, struct.error) as error:
        raise BadContent("is damaged") from error


def looks_like_html(start: bytes) -> bool:
    """Whether bytes begin as a web page does: what log-in pages and proxies send in place of a file."""
    return start[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def parse(content: bytes) -> UInt8[np.ndarray, "..."]:
    """The array in IDX bytes, writable. Raises BadContent where header and size do not agree."""
    if len(content) < 4 or content[:2] != b"\x00\x00":
        raise BadContent("is no IDX file")
    kind, num_dimensions = content[2], content[3]
    if kind != UINT8_TYPE:
        raise BadContent(f"holds values of type 0x{kind:02x}, not bytes (0x08)")
    start = 4 + 4 * num_dimensions
    if len(content) < start:
        raise BadContent("is cut short within its header")
    shape = struct.unpack(f">{num_dimensions}I", content[4:start])
    expected, found = math.prod(shape), len(content) - start
    if found != expected:
        raise BadContent(f"holds {found} values where its header promises {' x '.join(map(str, shape))} = {expected}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
