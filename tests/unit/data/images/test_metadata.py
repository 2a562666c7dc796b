"""Faults in comments, profiles and tags do not cost the picture, and the orientation is found wherever it is."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.decode import decode

EXIF = b"MM\0*" + struct.pack(">LHHHLHxxL", 8, 1, 0x0112, 3, 1, 6, 0)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
RAW = ("\nexif\n      32\n" + (b"Exif\0\0" + EXIF).hex() + "\n").encode()
UPRIGHT = np.repeat([[255], [0]], 16, axis=0).repeat(16, axis=1).astype(np.uint8)
SIDEWAYS = np.rot90(UPRIGHT)
"""Its left half is white. A quarter turn to the right makes it upright."""


def chunk(kind: bytes, data: bytes, damage: int = 0) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data) ^ damage)


def png(rows: bytes, *, before: bytes = b"", after: bytes = b"", form: tuple[int, ...] = (32, 16, 8, 0)) -> bytes:
    """`form` is width, height, bits and kind of colour."""
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", *form, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", zlib.compress(rows)) + after + chunk(b"IEND", b"")


def sideways(**more: Any) -> bytes:
    return png(b"".join(b"\0" + row.tobytes() for row in SIDEWAYS), **more)


def grey(content: bytes) -> np.ndarray:
    return np.asarray(decode(content).picture.convert("L")).astype(int)


TURNED = {
    "eXIf": chunk(b"eXIf", EXIF),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
    "packed XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP)),
    "ImageMagick": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(RAW)),
    "old ImageMagick": chunk(b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(RAW)),
}
HARMLESS = {
    "nothing": b"",
    "long comment": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000))),
    "long profile": chunk(b"iCCP", b"icc\0\0" + zlib.compress(bytes(3_000_000))),
    "unknown profile": chunk(b"iCCP", b"icc\0\7xx"),
    "wrong checksum": chunk(b"tEXt", b"a\0b", 1),
    "short density": chunk(b"pHYs", b"\0\0\0"),
    "short gamma": chunk(b"gAMA", b"\0"),
    "short animation": chunk(b"acTL", b"\0\0"),
}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("what", TURNED)
def test_a_png_is_upright_wherever_its_orientation_is(what: str, place: str) -> None:
    """ExifTool writes it behind the pixels."""
    np.testing.assert_array_equal(grey(sideways(**{place: TURNED[what]})), UPRIGHT)


@pytest.mark.parametrize("what", HARMLESS)
def test_faults_in_other_parts_of_a_png_do_not_matter(what: str) -> None:
    for turn in TURNED.values():
        np.testing.assert_array_equal(grey(sideways(before=HARMLESS[what] + turn)), UPRIGHT)


def test_faults_in_the_pixels_of_a_png_still_do() -> None:
    good = sideways(before=HARMLESS["short gamma"])
    with pytest.raises(FittingRoomError, match=r"^x\.png is not a readable picture"):
        decode(good[:-30], "x.png")


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, 0xE0 + marker, len(data) + 2) + data


JPEG = {
    "short JFIF": segment(0, b"JFIF"),
    "short Adobe": segment(14, b"Adobe"),
    "short profile": segment(2, b"ICC_PROFILE\0"),
    "rational as text": segment(
        1, b"Exif\0\0MM\0*" + struct.pack(">LHHHL4s", 8, 1, 0x011A, 2, 1, b"72\0\0") + bytes(4)
    ),
}


@pytest.mark.parametrize("what", JPEG)
def test_faults_in_other_parts_of_a_jpeg_do_not_matter(what: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(SIDEWAYS).save(buffer, "JPEG", quality=95)
    whole = buffer.getvalue()
    xmp = segment(1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    assert np.abs(grey(whole[:2] + JPEG[what] + xmp + whole[20:]) - UPRIGHT).max() < 10


def tiff(*tags: tuple[int, int, int, bytes]) -> bytes:
    """An uncompressed file with these tags besides the necessary ones."""
    pixels = SIDEWAYS.tobytes()
    short = {256: 32, 257: 16, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: len(pixels)}
    entries = sorted([*((tag, 4, 1, struct.pack("<L", value)) for tag, value in short.items()), *tags])
    packed = b"".join(struct.pack("<HHL", *each[:3]) + each[3] for each in entries)
    return b"II*\0" + struct.pack("<L", 8 + len(pixels)) + pixels + struct.pack("<H", len(entries)) + packed + bytes(4)


TURN = (274, 3, 1, struct.pack("<HH", 6, 0))
TIFF: dict[str, tuple[Any, ...]] = {
    "nothing": (TURN,),
    "turn in a byte": ((274, 1, 1, b"\6\0\0\0"),),
    "rational as text": (TURN, (282, 2, 3, b"72\0\0"), (283, 2, 3, b"72\0\0"), (296, 3, 1, b"\3\0\0\0")),
    "XMP as a number": (TURN, (700, 3, 1, b"\3\0\0\0")),
    "directory beyond the end": (TURN, (34665, 4, 1, b"\xff\xff\xff\0")),
}


@pytest.mark.parametrize("what", TIFF)
def test_faults_in_other_tags_of_a_tiff_do_not_matter(what: str) -> None:
    np.testing.assert_array_equal(grey(tiff(*TIFF[what])), UPRIGHT)


@pytest.mark.parametrize(("bits", "row"), [(4, 0xF0), (2, 0b11001100)])
def test_a_transparent_value_of_few_bits_is_transparent(bits: int, row: int) -> None:
    rows = (b"\0" + bytes([row] * bits)) * 8
    content = png(rows, before=chunk(b"tRNS", struct.pack(">H", 2**bits - 1)), form=(8, 8, bits, 0))
    value, alpha = np.moveaxis(np.asarray(decode(content).picture), 2, 0)
    np.testing.assert_array_equal(alpha, np.where(value == 255, 0, 255))
    assert alpha[0].tolist() in ([0, 255] * 4, [0, 0, 255, 255] * 2, [0, 255, 0, 255] * 2)


def test_a_transparent_colour_of_16_bits_may_be_dark() -> None:
    row = np.array([[0, 0, 200], [50_000, 0, 0]] * 4, dtype=">u2").tobytes()
    content = png((b"\0" + row) * 8, before=chunk(b"tRNS", struct.pack(">HHH", 0, 0, 200)), form=(8, 8, 16, 2))
    assert np.asarray(decode(content).picture)[0, :, 3].tolist() == [0, 255] * 4


def test_a_bitmap_whose_fourth_byte_is_always_0_is_no_clear_picture() -> None:
    head = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 4, 4, 32, 0)
    found = decode(head + bytes([10, 200, 30, 0] * 16), "x.tga").picture
    assert found.mode == "RGB" and found.getpixel((1, 1)) == (30, 200, 10)
    half = decode(head + bytes([10, 200, 30, 0] * 15 + [1, 2, 3, 128]), "x.tga").picture
    assert half.mode == "RGBA"


def test_a_damaged_second_frame_does_not_matter() -> None:
    draw = np.random.default_rng(0)
    noise = [Image.fromarray(draw.integers(0, 256, (16, 16), dtype=np.uint8)).convert("P") for _ in range(3)]
    buffer = io.BytesIO()
    noise[0].save(buffer, "GIF", save_all=True, append_images=noise[1:])
    whole, first = buffer.getvalue(), noise[0].convert("L")
    second = whole.index(b"\x21\xf9", whole.index(b"\x2c"))
    for end in range(second + 1, len(whole), 5):
        np.testing.assert_array_equal(grey(whole[:end]), np.asarray(first))
