"""Pictures of any size, colour and background become images of the data set."""

import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images import decode, image_file
from fittingroom.data.images.fashion_mnist import SPEC
from fittingroom.data.spec import DataSpec


def read_image(path: Path, spec: DataSpec) -> tuple[torch.Tensor, bool]:
    own = image_file.read_image(path, spec)
    return own.pixels, own.inverted


def picture(ground: int = 0, thing: int = 255, size: tuple[int, int] = (56, 56), mode: str = "L") -> Image.Image:
    """A bar from the top to the middle, in the left half."""
    image = Image.new("L", size, ground)
    ImageDraw.Draw(image).rectangle((size[0] // 8, 0, size[0] // 4, size[1] // 2), fill=thing)
    return image.convert(mode)


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "CMYK"])
@pytest.mark.parametrize("size", [(56, 56), (28, 28), (280, 280)])
def test_grey_square_and_of_the_data_sets_size(tmp_path: Path, mode: str, size: tuple[int, int]) -> None:
    suffix = "jpg" if mode == "CMYK" else "png"
    found, inverted = read_image(saved(tmp_path / f"a.{suffix}", picture(size=size, mode=mode)), SPEC)
    assert found.shape == (1, 28, 28) and found.dtype == torch.uint8 and not inverted
    bar, ground = found[0, 2:12, 4:7].float().mean(), found[0, 18:, 12:].float().mean()
    assert bar > 200 > 60 > ground


def test_a_bright_ground_is_inverted(tmp_path: Path) -> None:
    found, inverted = read_image(saved(tmp_path / "a.png", picture(255, 0)), SPEC)
    assert inverted
    expected, _ = read_image(saved(tmp_path / "b.png", picture(0, 255)), SPEC)
    assert (found.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("ground", [0, 255])
def test_long_pictures_are_padded_with_their_border_not_stretched(tmp_path: Path, ground: int) -> None:
    image = Image.new("L", (40, 120), ground)
    ImageDraw.Draw(image).rectangle((10, 50, 29, 69), fill=255 - ground)
    found, _ = read_image(saved(tmp_path / "a.png", image), SPEC)
    rows, columns = np.nonzero(found[0].numpy() > 127)
    assert abs(int(np.ptp(rows)) - int(np.ptp(columns))) <= 1, "a square stays a square"
    assert found[0, :, :8].max() < 20, "what was added is background"


def test_transparent_ground_is_black_and_a_turned_photograph_upright(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (56, 56), (255, 255, 255, 0))
    ImageDraw.Draw(clear).rectangle((7, 0, 14, 28), fill=(255, 255, 255, 255))
    found, inverted = read_image(saved(tmp_path / "a.png", clear), SPEC)
    assert not inverted and found[0, 20:, 20:].max() == 0 and found[0, 2:12, 4:7].min() > 200
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned, _ = read_image(saved(tmp_path / "b.jpg", picture().rotate(180), exif=exif, quality=95), SPEC)
    upright, _ = read_image(saved(tmp_path / "c.jpg", picture(), quality=95), SPEC)
    assert (turned.int() - upright.int()).abs().float().mean() < 3


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n broken"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hostile.png"
    path.write_bytes(content)
    with pytest.raises(FittingRoomError, match=r"hostile\.png is not a readable picture"):
        read_image(path, SPEC)


def test_missing_files_folders_halves_and_bombs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FittingRoomError, match="does not exist"):
        read_image(tmp_path / "nowhere.png", SPEC)
    with pytest.raises(FittingRoomError, match="is a folder"):
        read_image(tmp_path, SPEC)
    whole = saved(tmp_path / "whole.png", Image.effect_noise((64, 64), 50)).read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FittingRoomError, match=r"half\.png is not a readable picture"):
        read_image(tmp_path / "half.png", SPEC)
    monkeypatch.setattr(decode, "MAX_PIXELS", 1000)
    with pytest.raises(FittingRoomError, match=r"whole\.png has 64 x 64 pixels; at most"):
        read_image(tmp_path / "whole.png", SPEC)


@pytest.mark.parametrize(
    "size", [(60_000, 10), (10, 60_000), pytest.param((80_000, 1_000), marks=pytest.mark.thorough)]
)
@pytest.mark.parametrize("mode", ["L", "LA"])
def test_extreme_proportions_take_memory_in_proportion_to_the_picture(size: tuple[int, int], mode: str) -> None:
    """Padded to a square first, these would take 3.6 to 25 GB."""
    image = Image.new(mode, size, 5 if mode == "L" else (5, 255))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pixels, _ = image_file.fit_picture(image, SPEC)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before  # kB on Linux, bytes on a Mac
    assert grown < 700_000 * (1024 if sys.platform == "darwin" else 1)
    assert pixels.shape == (1, 28, 28)
