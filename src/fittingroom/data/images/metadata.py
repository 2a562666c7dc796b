"""Take out of a picture file what is not the picture: comments, profiles, thumbnails, tags.

Pillow refuses a whole picture for one fault in these parts, or for their size. The picture is none the worse for it.
"""

import zlib
from collections.abc import Iterator

Info = dict[str, bytes]
"""What can tell the orientation, under the names that Pillow uses."""
MOST_TEXT = 2**20
"""Bytes of a compressed text that are looked at."""

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_PICTURE = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
XMP_TEXT, XMP_BLOCK = b"XML:com.adobe.xmp", b"http://ns.adobe.com/xap/1.0/\0"
TIFF_STARTS = {b"II*\0": "little", b"MM\0*": "big"}
TIFF_PICTURE = frozenset(
    {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 330, 332, 338, 339, 347}
    | {512, 513, 514, 515, 519, 520, 521, 529, 530, 531, 532}
)  # fmt: skip
"""Tags without which the pixels cannot be decoded; 274 is the orientation."""


def has_metadata(start: bytes) -> bool:
    """Whether a file that starts like this is of a kind that `without_metadata` knows."""
    return start.startswith((b"\xff\xd8", PNG_START, *TIFF_STARTS))


def without_metadata(content: bytes) -> tuple[bytes, Info]:
    """The bare picture, and what the parts that were taken out say about its orientation."""
    if content.startswith(PNG_START):
        return _bare_png(content)
    if content[:4] in TIFF_STARTS:
        return _bare_tiff(content), {}  # the orientation is one of the tags that stay
    return _bare_jpeg(content)


def _bare_jpeg(content: bytes) -> tuple[bytes, Info]:
    """Segments up to the pixels: a marker, a length, data. JFIF and Adobe say how colours are stored."""
    kept, info, place = [content[:2]], Info(), 2
    while content[place : place + 1] == b"\xff" and place + 4 <= len(content) and content[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        marker, data = content[place + 1], content[place + 4 : end]
        if marker == 0xE1 and data.startswith(b"Exif"):
            info.setdefault("exif", data)
        elif marker == 0xE1 and data.startswith(XMP_BLOCK):
            info.setdefault("xmp", data)
        whole = (data.startswith(b"JFIF\0") and len(data) >= 14) or (data.startswith(b"Adobe") and len(data) >= 12)
        if not (0xE0 <= marker <= 0xEF or marker == 0xFE) or (marker in (0xE0, 0xEE) and whole):
            kept.append(content[place:end])
        place = end
    return b"".join([*kept, content[place:]]), info


def _bare_png(content: bytes) -> tuple[bytes, Info]:
    kept, info = [PNG_START], Info()
    for kind, chunk in _png_chunks(content):
        if kind in PNG_PICTURE:
            kept.append(chunk)
            continue
        data = chunk[8:-4]
        key, _, rest = data.partition(b"\0")
        if kind == b"eXIf":
            info.setdefault("exif", data)
        elif kind == b"iTXt" and key == XMP_TEXT:
            text = rest[2:].split(b"\0", 2)[-1]
            info.setdefault("xmp", _inflated(text) if rest[:1] == b"\1" else text)
        elif kind == b"zTXt" and key.startswith(b"Raw profile type "):
            info.setdefault(key.decode("latin-1"), _inflated(rest[1:]))
    return b"".join(kept), info


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind of each chunk, and the whole chunk: length, kind, data, checksum."""
    place = len(PNG_START)
    while place + 8 <= len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4], "big")
        yield content[place + 4 : place + 8], content[place:end]
        place = end


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, MOST_TEXT)
    except zlib.error:
        return b""


def _bare_tiff(content: bytes) -> bytes:
    """The first directory holds 12 bytes per tag, in front of the place of the next directory."""
    order = "little" if content[:2] == b"II" else "big"
    first = int.from_bytes(content[4:8], order)
    number = int.from_bytes(content[first : first + 2], order)
    end = first + 2 + 12 * number
    tags = [content[place : place + 12] for place in range(first + 2, end, 12)]
    kept = [tag for tag in tags if int.from_bytes(tag[:2], order) in TIFF_PICTURE]
    directory = len(kept).to_bytes(2, order) + b"".join(kept) + content[end : end + 4]
    return content[:first] + directory + content[first + len(directory) :]
