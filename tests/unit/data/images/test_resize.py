"""The rules crop, pad and stretch, and the choice of size and rule."""

import numpy as np
import pytest
from PIL import Image

from fittingroom.data.images.resize import choose_rule, choose_size, to_pixels


def wide() -> Image.Image:
    """Red, green, blue side by side, 60 x 20 pixels."""
    image = np.zeros((20, 60, 3), np.uint8)
    for place in range(3):
        image[:, 20 * place : 20 * place + 20, place] = 255
    return Image.fromarray(image)


def test_crop_keeps_the_middle() -> None:
    assert np.array_equal(to_pixels(wide(), (20, 20), 3, "crop"), np.array(wide())[:, 20:40].transpose(2, 0, 1))


def test_stretch_keeps_everything() -> None:
    image = to_pixels(wide(), (20, 30), 3, "stretch")
    assert image[:, 10, [2, 14, 27]].T.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


def test_pad_keeps_proportions_and_fills_up_with_the_border_colour() -> None:
    image = to_pixels(Image.new("RGB", (60, 20), (10, 20, 30)), (30, 30), 3, "pad")
    assert image.shape == (3, 30, 30) and (image == np.array([10, 20, 30])[:, None, None]).all()
    shown = to_pixels(wide(), (60, 60), 3, "pad")
    assert shown[0, 30, 5] == 255 and shown[2, 30, 55] == 255 and shown[:, 0, 0].tolist() == [96, 64, 96]


@pytest.mark.parametrize("rule", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_and_shape_fits(rule: str, mode: str, channels: int) -> None:
    for size in ((1, 1), (300, 2), (2, 300), (7, 5)):
        image = to_pixels(Image.new(mode, size), (8, 12), channels, rule)  # type: ignore[arg-type]
        assert image.shape == (channels, 8, 12) and image.dtype == np.uint8 and image.flags.writeable


def test_a_picture_of_the_right_size_stays_as_it_is() -> None:
    for rule in ("crop", "pad", "stretch"):
        assert np.array_equal(to_pixels(wide(), (20, 60), 3, rule), np.array(wide()).transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [
        ([(28, 28)] * 3, (28, 28)),
        ([(32, 32)], (32, 32)),
        ([(640, 480)] * 3, (48, 64)),
        ([(37, 41)], (40, 36)),
        ([(1, 1)], (4, 4)),
        ([(4000, 3000), (3000, 4000), (800, 800)], (64, 64)),
        ([(30, 50), (40, 20), (25, 90)], (24, 24)),
    ],
)
def test_the_size_is_chosen_from_the_pictures(sizes: list[tuple[int, int]], chosen: tuple[int, int]) -> None:
    assert choose_size(sizes) == chosen


def test_pad_is_chosen_where_a_crop_would_lose_much() -> None:
    photos, panoramas = [(640, 480), (480, 640)] * 10, [(640, 200)] * 3
    assert choose_rule(photos, (64, 64)) == "crop"
    assert choose_rule([*photos, *panoramas], (64, 64)) == "pad"
    assert choose_rule([*photos, *panoramas[:2]], (64, 64)) == "crop", "two of 22 pictures are fewer than a tenth"
    assert choose_rule(panoramas, (20, 64)) == "crop"
