"""Pictures of every depth and kind come out as the 8-bit picture they show, or are refused by name."""

import io
import struct
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.decode import Decoded, decode, eight_bits, quiet


def shape() -> np.ndarray:
    """A bright shape (215) on dark ground (3), 8-bit grey."""
    image = Image.new("L", (40, 30), 3)
    ImageDraw.Draw(image).polygon([(5, 5), (20, 5), (35, 20), (35, 25), (5, 25)], fill=215)
    return np.asarray(image)


def file_of(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def pixels(found: Decoded) -> np.ndarray:
    assert found.picture.mode in ("L", "LA", "RGB", "RGBA")
    return np.asarray(found.picture)


WIDE = {
    "16-bit PNG": (shape().astype(np.uint16) * 257, "PNG"),
    "12 bits in a 16-bit PNG": ((shape().astype(np.uint32) * 4095 // 255).astype(np.uint16), "PNG"),
    "8 bits in a 16-bit PNG": (shape().astype(np.uint16), "PNG"),
    "16-bit TIFF": (shape().astype(np.uint16) * 257, "TIFF"),
    "32-bit TIFF": (shape().astype(np.int32) * 257, "TIFF"),
    "floats to 1": (shape().astype(np.float32) / 255, "TIFF"),
    "floats to 255": (shape().astype(np.float32), "TIFF"),
    "floats to 65535": (shape().astype(np.float32) * 257, "TIFF"),
    "16-bit PGM": (shape().astype(np.int32) * 257, "PPM"),
    "16-bit JPEG 2000": (shape().astype(np.uint16) * 257, "JPEG2000"),
}


GUESSED = ("12 bits in a 16-bit PNG", "8 bits in a 16-bit PNG", "floats to 65535")


@pytest.mark.parametrize("kind", WIDE)
def test_greys_of_more_than_8_bits_are_their_8_bit_twins(kind: str) -> None:
    array, format_ = WIDE[kind]
    options = {"irreversible": False} if format_ == "JPEG2000" else {}
    found = decode(file_of(Image.fromarray(array), format_, **options))
    assert found.picture.mode == "L"
    assert np.abs(pixels(found).astype(int) - shape()).max() <= 1
    assert any("was taken as white" in note for note in found.notes) == (kind in GUESSED)


def test_a_dark_picture_whose_file_says_what_is_white_stays_dark() -> None:
    dark = shape().astype(np.int32) * 8  # up to 1,720 of 65,535
    assert pixels(decode(file_of(Image.fromarray(dark), "PPM"))).max() == 7
    assert pixels(decode(b"P2 2 1 4095 1000 2000\n")).tolist() == [[62, 125]]


def test_pictures_of_one_data_set_are_scaled_alike() -> None:
    dark, bright = (file_of(Image.fromarray(shape().astype(np.uint16) * factor), "PNG") for factor in (10, 257))
    first, second = decode(dark), decode(bright)
    assert (first.white, second.white) == ({"I;16": 4095}, {"I;16": 65535})
    again = decode(dark, white={"I;16": 65535})
    assert pixels(again).max() == round(2150 / 257) and not again.notes


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0.0, np.nan]], np.float32), np.array([[0.0, np.inf]], np.float32), np.array([[-0.5, 1]], np.float32),
        np.array([[0.0, 1.3]], np.float32), np.array([[0.0, 1e6]], np.float32), np.array([[-5, 200]], np.int32),
        np.array([[0, 10**6]], np.int32),
    ],
)  # fmt: skip
def test_values_of_unclear_meaning_are_refused_by_mode_and_name(array: np.ndarray) -> None:
    with pytest.raises(FittingRoomError, match=r"^x\.tif holds .* \(mode [IF]\).*save it as 8-bit grey"):
        decode(file_of(Image.fromarray(array), "TIFF"), "x.tif")


def test_signed_16_bit_values_reach_half_as_far() -> None:
    plain = file_of(Image.fromarray(shape().astype(np.int32) * 128), "TIFF")
    assert pixels(decode(plain)).max() == round(215 * 128 / 257)
    signed = file_of(Image.fromarray(shape().astype(np.uint16) * 128), "TIFF", tiffinfo={339: 2})
    assert np.abs(pixels(decode(signed)).astype(int) - shape()).max() <= 1


def test_colours_of_12_bits_in_16_are_noted() -> None:
    def colours(values: np.ndarray) -> bytes:
        rows = b"".join(b"\0" + np.repeat(row[:, None], 3, axis=1).astype(">u2").tobytes() for row in values)
        header = struct.pack(">LLBBBBB", values.shape[1], values.shape[0], 16, 2, 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
            for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
        )

    whole = decode(colours(shape().astype(int) * 257))
    np.testing.assert_array_equal(pixels(whole)[..., 0], shape())
    assert not whole.notes and "may use 12 bits" in decode(colours(shape().astype(int) * 16)).notes[0]


def test_a_picture_in_memory_is_left_as_it_is() -> None:
    picture = Image.fromarray(shape())
    picture.info["transparency"] = 3
    assert eight_bits(picture).picture.mode == "LA" and picture.info == {"transparency": 3} and picture.mode == "L"


def test_a_tiff_in_which_zero_is_white_is_not_turned_into_its_negative() -> None:
    negative = Image.fromarray(65535 - shape().astype(np.uint16) * 257)
    found = decode(file_of(negative, "TIFF", tiffinfo={262: 0}))
    assert np.abs(pixels(found).astype(int) - shape()).max() <= 1


def test_a_transparent_value_of_16_bits_is_transparent() -> None:
    image = Image.fromarray(shape().astype(np.uint16) * 257)
    found = decode(file_of(image, "PNG", transparency=3 * 257))
    assert found.picture.mode == "LA"
    np.testing.assert_array_equal(pixels(found)[..., 1], np.where(shape() == 3, 0, 255))


def test_pictures_in_memory_are_scaled_too() -> None:
    found = eight_bits(Image.fromarray(shape().astype(np.uint16) * 257))
    assert np.abs(pixels(found).astype(int) - shape()).max() <= 1


MODES = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA", "P": "RGB", "PA": "RGBA", "RGB": "RGB", "RGBA": "RGBA", "RGBa": "RGBA",
    "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB", "LAB": "RGB", "I": "L", "F": "L", "I;16": "L", "I;16B": "L",
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow_shows_the_same(mode: str) -> None:
    grey = Image.fromarray(shape())
    if mode == "LAB":
        image = Image.merge("LAB", [grey, Image.new("L", grey.size, 128), Image.new("L", grey.size, 128)])
    elif mode == "PA":
        image = grey.convert("RGBA").convert("PA")
    elif mode in ("La", "RGBa"):
        image = grey.convert(mode[:-1] + "A").convert(mode)
    elif mode.startswith("I;16"):
        image = Image.fromarray(shape().astype("<u2" if mode == "I;16" else ">u2") * 257)
    else:
        image = grey.convert(mode)
    assert image.mode == mode or mode == "I;16B"
    found = eight_bits(image)
    assert found.picture.mode == MODES[mode] and found.picture.info == {}
    shown = np.asarray(found.picture.convert("L")).astype(int)
    assert shown[15, 10] > 190 and shown[0, 0] < 20


def test_only_the_first_frame_is_used_and_said_to_be() -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for format_ in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if format_ == "WEBP" else {}
        found = decode(file_of(frames[0], format_, save_all=True, append_images=frames[1:], **options))
        assert found.picture.convert("RGB").getpixel((3, 3)) == pytest.approx((255, 0, 0), abs=2), format_
        assert found.notes == ("has several frames: only the first is used",)


REFUSED = {
    b"": "the file is empty",
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n": "is PostScript",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>": "is an SVG",
    b"\0\0\0\x18ftypheic\0\0\0\0": "is HEIC",
    b"version https://git-lfs.github.com/spec/v1\noid": "is a Git LFS pointer",
    b"II*\0\x08\0\0\0\x01\0": "is a damaged TIFF",
    b"\x89PNG\r\n\x1a\n broken": "is not a readable picture",
    b"SIMPLE  =                    T": "is not a readable picture",
}


@pytest.mark.parametrize("content", REFUSED)
def test_what_is_no_picture_is_refused_in_one_line_with_its_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(FittingRoomError, match=REFUSED[content]) as found:
        decode(tmp_path / "x.png")
    assert "x.png" in str(found.value) and "\n" not in str(found.value)


def test_anything_that_a_decoder_raises_is_an_error_with_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(self: Image.Image) -> None:
        raise RecursionError("deep\nin a decoder")

    content = file_of(Image.new("L", (2, 2)), "PNG")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", explode)
    with pytest.raises(FittingRoomError, match=r"a\.png is not a readable picture \(deep in a decoder\)"):
        decode(content, "a.png")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the library is not found")
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate"])
def test_a_damaged_tiff_is_one_error_and_nothing_on_standard_error(
    compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Libtiff writes there by itself, from C."""
    content = bytearray(file_of(Image.effect_noise((40, 40), 90), "TIFF", compression=compression))
    content[12:60] = b"\xff" * 48
    with pytest.raises(FittingRoomError, match=r"a\.tif is not a readable picture"):
        decode(bytes(content), "a.tif")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
def test_every_truncation_of_a_file_is_refused_or_shown(format_: str) -> None:
    whole = file_of(Image.fromarray(shape()).convert("RGB"), format_)
    refused = 0
    for end in range(1, len(whole), max(1, len(whole) // 40)):
        try:
            decode(whole[:end], "half")
        except FittingRoomError:
            refused += 1
    assert refused > 10


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    bomb = file_of(Image.new("1", (20_000, 6_000)), "PNG")
    with pytest.raises(FittingRoomError, match=r"b\.png has 20,000 x 6,000 pixels; at most 100 million"):
        decode(bomb, "b.png")


WRONG_KIND = {
    b"PK\x03\x04": "is a ZIP archive: unpack it first",
    b"\x1f\x8b\x08": "is a gzip archive",
    b"\xff\x0a\0": "is JPEG XL",
    b"\xef\xbb\xbf<!DOCTYPE html>": "is a web page",
    bytes(128) + b"DICM": "is DICOM",
    b"\0\5\x16\7\0\2\0\0Mac OS X": "is what macOS writes beside a file",
}


@pytest.mark.parametrize("content", WRONG_KIND)
def test_what_was_taken_for_a_picture_is_called_by_its_name(content: bytes) -> None:
    with pytest.raises(FittingRoomError, match=WRONG_KIND[content]):
        decode(content + bytes(60), "x.jpg")


def test_threads_that_decode_leave_the_users_warnings_as_they_are() -> None:
    before = list(warnings.filters)
    first, second = quiet(), quiet()  # of two threads
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert list(warnings.filters) == before
