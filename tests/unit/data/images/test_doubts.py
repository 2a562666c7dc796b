"""A network answers with confidence to anything, so pictures unlike its data set come with a reason to doubt it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fittingroom.data.images.doubts import doubts
from fittingroom.data.images.fashion_mnist import SPEC
from fittingroom.data.images.image_file import OwnImage, own_image, read_image
from fittingroom.data.images.load import open_images
from fittingroom.data.spec import Preprocessing

COLOUR = replace(SPEC, channels=3, mean=(0.5,) * 3, std=(0.2,) * 3, preprocessing=Preprocessing())


def own(image: Image.Image) -> OwnImage:
    return own_image(image, SPEC, "a.png")


def thing(ground: object, colour: object, mode: str) -> Image.Image:
    image = Image.new(mode, (112, 112), ground)  # type: ignore[arg-type]
    ImageDraw.Draw(image).rectangle((30, 30, 80, 70), fill=colour)  # type: ignore[arg-type]
    return image


@pytest.mark.parametrize("colour", [(255, 255, 255, 255), (0, 0, 0, 255), (120, 120, 120, 255), (9, 9, 9, 0)])
def test_one_colour_shows_nothing(colour: tuple[int, ...]) -> None:
    found = own(Image.new("RGBA", (200, 200), colour))
    assert found.notes[-1] == "a.png: nothing stands out in it, so the answers mean nothing"
    assert doubts(own_image(Image.new("RGB", (9, 9), colour[:3]), COLOUR).pixels, COLOUR)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("brightness", [0, 40, 110, 200, 255])
def test_a_thing_on_a_transparent_ground_is_visible_whatever_its_colour(mode: str, brightness: int) -> None:
    fill = (brightness, 255) if mode == "LA" else (brightness,) * 3 + (255,)
    found = own(thing((0,) * len(fill), fill, mode))
    grey = found.pixels[0].float()
    assert grey[14, 14] > 100 > 5 > grey[:4].max() and not any("nothing" in note for note in found.notes)


def test_a_dark_thing_on_a_grey_ground_is_called_the_ground() -> None:
    noise = np.random.default_rng(0).integers(90, 160, (112, 112)).astype(np.uint8)
    noise[30:80, 30:80] = 25
    (note,) = own(Image.fromarray(noise)).notes
    assert "its background is lighter than the object, so it was probably taken for the object" in note


def test_a_bright_thing_on_a_grey_ground_is_unlike_the_training_images() -> None:
    (note,) = own(thing(90, 220, "L")).notes
    assert "unlike the training images" in note
    bright = torch.linspace(225, 255, 28).to(torch.uint8).expand(3, 28, 28)
    assert "much brighter" in doubts(bright, COLOUR)[0]
    assert "much darker" in doubts(255 - bright, COLOUR)[0]


def test_a_picture_like_the_data_set_raises_no_doubt() -> None:
    assert own(thing(0, 220, "L")).notes == () and doubts(own_image(thing(99, 150, "L"), COLOUR).pixels, COLOUR) == []


@pytest.mark.thorough
def test_the_data_sets_own_images_raise_hardly_a_doubt() -> None:
    images = open_images().split(0).val.read(torch.arange(1500))
    assert sum(bool(doubts(image, SPEC)) for image in images) <= 1


def test_the_name_of_a_file_stands_before_each_note(tmp_path: Path) -> None:
    Image.fromarray(np.full((9, 9), 3000, np.uint16)).save(tmp_path / "grey.png")
    assert all(note.startswith("grey.png") for note in read_image(tmp_path / "grey.png", SPEC).notes)
