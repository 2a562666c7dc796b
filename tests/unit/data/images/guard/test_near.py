"""Near-duplicates are found whatever was done to them, and pictures that only look alike are not."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from fittingroom.data.images.guard import near


def photo(number: int, size: tuple[int, int] = (48, 48), channels: int = 1) -> np.ndarray:
    """A smooth random picture with some edges, [channels, height, width]."""
    draw = np.random.default_rng(number)
    coarse = draw.integers(0, 256, (7, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((size[1], size[0]), Image.Resampling.BICUBIC)
    pixels = np.array(picture)
    top, left = draw.integers(4, 20, 2)
    pixels[top : top + 12, left : left + 16] = draw.integers(0, 256, 3)
    return pixels.transpose(2, 0, 1)[:channels].copy()


def changed(picture: np.ndarray, how: str) -> np.ndarray:
    opened = Image.fromarray(picture[0])
    if how == "jpeg":
        file = io.BytesIO()
        opened.save(file, "JPEG", quality=50)
        opened = Image.open(file)
    elif how == "smaller":
        opened = opened.resize((36, 36), Image.Resampling.BICUBIC)
    elif how == "larger":
        opened = opened.resize((80, 70), Image.Resampling.BICUBIC)
    elif how == "cropped":
        opened = opened.resize((48, 48), Image.Resampling.BICUBIC, box=(0, 2.4, 45.6, 48))
    elif how == "darker":
        opened = opened.point([round(0.8 * value) for value in range(256)])
    elif how == "softer":
        opened = opened.filter(ImageFilter.GaussianBlur(0.7))
    return np.asarray(opened)[None]


def shrunk(pictures: list[np.ndarray]) -> near.Small:
    found = [near.shrink(picture[None]) for picture in pictures]
    return near.Small(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def pairs_of(pictures: list[np.ndarray]) -> set[tuple[int, int]]:
    found = near.near_duplicates(shrunk(pictures), np.ones(len(pictures), bool))
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


@pytest.mark.parametrize("how", ["jpeg", "smaller", "larger", "cropped", "darker", "softer"])
def test_a_changed_picture_is_found_among_others(how: str) -> None:
    pictures = [photo(number) for number in range(40)]
    assert pairs_of([*pictures, *(changed(pictures[place], how) for place in (3, 20, 39))]) == {
        (3, 40),
        (20, 41),
        (39, 42),
    }


def test_other_pictures_are_no_near_duplicates() -> None:
    assert pairs_of([photo(number) for number in range(200)]) == set()


def test_several_copies_do_not_hide_each_other() -> None:
    picture = photo(1)
    same = [picture, *(changed(picture, how) for how in ("jpeg", "darker"))]
    assert pairs_of([*same, *(photo(number) for number in range(2, 30))]) == {(0, 1), (0, 2), (1, 2)}


def test_the_same_shape_in_another_colour_is_another_picture() -> None:
    red = np.zeros((3, 32, 32), np.uint8)
    red[0, 8:24, 4:20] = 200
    green = np.zeros_like(red)
    green[1, 8:24, 4:20] = 102  # as bright as the red
    assert pairs_of([red, green]) == set()
    assert pairs_of([red, red // 2]) == {(0, 1)}


def test_a_small_thing_in_another_colour_is_another_picture() -> None:
    """It changes the mean colour of the whole picture little."""
    white = np.full((3, 32, 32), 40, np.uint8)
    white[:, 12:20, 13:21] = 180
    blue = white.copy()
    blue[:, 12:20, 13:21] = np.array([40, 230, 255])[:, None, None]
    assert near.colour_difference(near.shrink(white[None]).colour, near.shrink(blue[None]).colour) < near.OTHER_COLOUR
    assert pairs_of([white, blue]) == set()
    assert pairs_of([blue, blue // 2]) == {(0, 1)}


def test_pictures_in_other_buckets_are_found_too() -> None:
    pictures = [photo(number, (16, 16)) for number in range(3 * near.BUCKET)]
    copies = [(place, changed(pictures[place], "darker")) for place in range(5, len(pictures), 40)]
    found = pairs_of([*pictures, *(copy for _, copy in copies)])
    assert found == {(place, len(pictures) + number) for number, (place, _) in enumerate(copies)}


def test_laying_on_leaves_little_of_a_moved_copy_and_much_of_another_picture() -> None:
    """In more than one block of pairs, so that their order counts."""
    places = list(range(12))
    grey = shrunk([*(photo(place) for place in places), *(changed(photo(place), "cropped") for place in places)]).grey
    first, second = (np.array(side) for side in zip(*((a, b + 12) for a in places for b in places), strict=True))
    times = 2 * near.LAID // len(first)
    left = near.align(grey, np.tile(first, times), np.tile(second, times))
    assert len(left) > near.LAID
    same = np.tile(second - first == 12, times)
    assert left[same].max() < 0.1 < 0.5 < left[~same].min()


def test_nothing_and_one_picture_have_no_pairs() -> None:
    assert pairs_of([photo(0)]) == set()
    empty = near.shrink(np.zeros((0, 1, 8, 8), np.uint8))
    assert len(near.near_duplicates(empty, np.zeros(0, bool)).first) == 0


def test_pictures_of_one_colour_are_far_from_everything() -> None:
    assert pairs_of([np.full((1, 20, 20), value, np.uint8) for value in (0, 90, 255)] + [photo(0)]) == set()


@given(st.integers(0, 1000), st.floats(0.3, 1.0), st.integers(0, 60))
def test_brightness_and_contrast_change_nothing(number: int, gain: float, offset: int) -> None:
    picture = photo(number, (24, 24))
    other = (picture.astype(float) * gain * (195 / 255) + offset).round().astype(np.uint8)
    small = shrunk([picture, other])
    (left,) = near.align(small.grey, np.array([0]), np.array([1]))
    assert left < 1e-3


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_groups_are_transitive_and_the_smallest_such(num: int, links: list[tuple[int, int]]) -> None:
    links = [(one % num, other % num) for one, other in links]
    first, second = (np.array([link[side] for link in links], np.int64) for side in (0, 1))
    group = near.groups(num, first, second)
    reached = {place: {place} for place in range(num)}
    for one, other in links:
        joined = reached[one] | reached[other]
        reached.update(dict.fromkeys(joined, joined))
    for one in range(num):
        assert {other for other in range(num) if group[other] == group[one]} == reached[one]
