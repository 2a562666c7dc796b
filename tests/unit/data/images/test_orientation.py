"""A photograph is upright whatever else its EXIF block holds."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom.data.images.decode import decode, shown_size

LONGS = {"<": b"II*\0", ">": b"MM\0*"}


def sideways() -> Image.Image:
    """Left half white: upright after a quarter turn to the right, when its upper half is white."""
    image = Image.new("RGB", (32, 16), "black")
    image.paste("white", (0, 0, 16, 16))
    return image


def block(order: str, *others: tuple[int, int, int, bytes], turn: int = 6, kind: int = 3, tail: bytes = b"") -> bytes:
    """An EXIF block with this orientation and other tags (number, type, count, four bytes), in the order of their numbers."""
    value = struct.pack(order + {1: "B3x", 3: "H2x", 4: "L"}.get(kind, "H2x"), turn)
    entries = sorted([*others, (0x0112, kind, 1, value)])
    packed = b"".join(struct.pack(f"{order}HHL", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0" + LONGS[order] + struct.pack(f"{order}LH", 8, len(entries)) + packed + b"\0\0\0\0" + tail


FAR = b"\x00\xff\xff\x00"
DAMAGED = {
    "none": [],
    "rational as text": [(0x011A, 2, 1, b"72\0\0")],
    "rational as bytes": [(0x011A, 7, 4, b"\1\2\3\4")],
    "unknown type": [(0x011A, 99, 1, b"\1\2\3\4")],
    "resolution as text": [(0x011A, 2, 1, b"7\0\0\0"), (0x0128, 3, 1, b"\2\2\0\0")],  # Pillow cannot open such a JPEG
    "resolution as bytes": [(0x011A, 7, 1, b"\1\0\0\0"), (0x0128, 3, 1, b"\2\2\0\0")],
    "count of 0": [(0x011A, 5, 0, b"\0\0\0\0"), (0x0128, 3, 0, b"\0\0\0\0")],
    "value beyond the end": [(0x010F, 2, 70_000, FAR)],
    "huge count": [(0x010F, 5, 0xFFFFFFFF, FAR)],
    "directory beyond the end": [(0x8769, 4, 1, FAR), (0x8825, 4, 1, FAR)],
    "directory of the wrong type": [(0x8769, 2, 4, b"abcd"), (0x8825, 5, 1, FAR)],
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "JPEG without density"])
def test_damaged_tags_beside_the_orientation_do_not_matter(format_: str, order: str, damage: str) -> None:
    check(format_, block(order, *DAMAGED[damage]))


@pytest.mark.parametrize("format_", ["JPEG", "JPEG without density"])
def test_a_block_that_ends_early_or_claims_too_many_tags_still_turns_the_picture(format_: str) -> None:
    whole = block(">", (0x011A, 5, 1, FAR))
    check(format_, whole[: 6 + 8 + 2 + 12])
    check(format_, whole[:14] + b"\xff\xff" + whole[16:])


@pytest.mark.parametrize("kind", [1, 3, 4, 9])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_orientation_itself_may_have_another_type(kind: int, order: str) -> None:
    check("JPEG", block(order, kind=kind))


@pytest.mark.parametrize("turn", [0, 9, 1000])
def test_an_orientation_that_does_not_exist_turns_nothing(turn: int) -> None:
    assert decode(saved("JPEG", block(">", turn=turn))).picture.size == (32, 16)


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "JPEG without density"])
def test_the_size_from_the_head_of_a_file_is_that_of_the_upright_picture(
    format_: str, damage: str, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(saved(format_, block("<", *DAMAGED[damage])))
    assert shown_size(tmp_path / "a") == (16, 32)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
@pytest.mark.parametrize("format_", ["JPEG", "TIFF", "TIFF with XMP"])
def test_that_size_is_the_one_after_decoding(format_: str, turn: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    if format_.endswith("XMP"):
        exif[700] = f"<x tiff:Orientation='{turn}'/>".encode()
    sideways().save(tmp_path / "a", format_.split()[0], exif=exif)
    assert shown_size(tmp_path / "a") == decode(tmp_path / "a").picture.size == ((32, 16) if turn < 5 else (16, 32))
    (tmp_path / "a").write_bytes(b"no picture")
    assert shown_size(tmp_path / "a") is None and shown_size(tmp_path / "gone") is None


def saved(format_: str, exif: bytes) -> bytes:
    buffer = io.BytesIO()
    sideways().save(buffer, format_.split()[0], exif=exif)
    content = buffer.getvalue()
    if format_ == "JPEG without density":  # Pillow then looks for the resolution in the EXIF block.
        assert content[2:4] == b"\xff\xe0"
        content = content[:2] + content[4 + struct.unpack(">H", content[4:6])[0] :]
    return content


def check(format_: str, exif: bytes) -> None:
    found = decode(saved(format_, exif)).picture
    grey = np.asarray(found.convert("L")).astype(int)
    assert grey.shape == (32, 16) and grey[:14].min() > 200 and grey[18:].max() < 50
