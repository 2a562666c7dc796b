"""Dark, bright, blurred and odd-sized pictures stand out; the style of a whole data set does not."""

import numpy as np
from PIL import Image, ImageFilter

from fittingroom.data.images.guard import quality


def pictures(number: int = 40, size: int = 32) -> np.ndarray:
    """Bright shapes on dark ground, [number, size, size]."""
    draw = np.random.default_rng(0)
    found = draw.integers(0, 30, (number, size, size))
    for each in found:
        top, left = draw.integers(2, 12, 2)
        each[top : top + 14, left : left + 12] += draw.integers(100, 220)
    return found.astype(np.uint8)


def blurry(picture: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def marked(values: np.ndarray) -> list[int]:
    return values.nonzero()[0].tolist()


def test_ordinary_pictures_have_no_fault() -> None:
    looks = quality.looks(pictures())
    assert not marked(quality.dark(looks) | quality.bright(looks) | quality.blurred(looks))


def test_each_fault_is_found_where_it_is() -> None:
    found = pictures()
    found[3], found[4] = found[3] // 8, 225 + found[4] // 9
    found[5], found[6] = blurry(found[5], 1.5), blurry(found[6], 4)
    looks = quality.looks(found)
    assert marked(quality.dark(looks)) == [3]
    assert marked(quality.bright(looks)) == [4]
    assert marked(quality.blurred(looks)) == [5, 6]


def test_the_style_of_a_data_set_is_no_fault() -> None:
    dark = quality.looks(pictures() // 8)
    assert not marked(quality.dark(dark))
    soft = quality.looks(np.stack([blurry(each, 2) for each in pictures()]))
    assert not marked(quality.blurred(soft))


def test_contrast_does_not_count_as_sharpness() -> None:
    found = pictures()
    found[7] = 100 + found[7] // 5
    assert not marked(quality.blurred(quality.looks(found)))


def test_where_nearly_all_have_one_size_every_other_is_odd() -> None:
    sizes = np.array([(28, 28)] * 18 + [(28, 30), (14, 28)])
    assert marked(quality.odd_sizes(sizes)) == [18, 19]


def test_where_sizes_vary_only_extremes_are_odd() -> None:
    draw = np.random.default_rng(0)
    sizes = draw.integers(200, 500, (60, 2))
    assert not marked(quality.odd_sizes(sizes))
    sizes[0], sizes[1] = (300, 2000), (20, 24)
    assert marked(quality.odd_sizes(sizes)) == [0, 1]


def test_no_picture_has_no_fault() -> None:
    looks = quality.looks(np.zeros((0, 4, 4), np.uint8))
    assert len(looks.low) == 0 and len(quality.blurred(looks)) == 0
    assert len(quality.odd_sizes(np.zeros((0, 2), np.int64))) == 0
