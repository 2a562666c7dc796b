"""Each augmentation against a plain reference, and what it may not touch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.augment import AugmentConfig, _geometry, _tone, erase, mixup, rand_augment, shift_and_flip


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(num: int = 6, channels: int = 2, height: int = 9, width: int = 7) -> torch.Tensor:
    return torch.randint(0, 256, (num, channels, height, width), dtype=torch.uint8, generator=draw(9))


@pytest.mark.thorough
@given(shift=st.integers(0, 20), seed=st.integers(0, 30))
def test_shift_and_flip_are_numpys_reflected_window(shift: int, seed: int) -> None:
    images, flipped = pictures(), torch.rand(6, generator=draw(seed)) < 0.5
    out = shift_and_flip(images, shift, flipped, draw(seed))
    rows, columns = torch.randint(-shift, shift + 1, (2, 6, 1), generator=draw(seed))[:, :, 0].tolist()
    for number, image in enumerate(images.numpy()):
        padded = np.pad(image, ((0, 0), (shift, shift), (shift, shift)), mode="reflect")
        top, left = shift + rows[number], shift + columns[number]
        window = padded[:, top : top + 9, left : left + 7]
        assert np.array_equal(out[number], window[:, :, ::-1] if flipped[number] else window)


def test_no_shift_and_no_flip_is_the_image_itself() -> None:
    assert torch.equal(shift_and_flip(pictures(), 0, torch.zeros(6, dtype=torch.bool), draw()), pictures())


def test_erasing_fills_one_rectangle_in_the_given_share_of_images() -> None:
    images = torch.zeros(2000, 1, 28, 28, dtype=torch.uint8)
    out = erase(images, 0.4, draw())
    touched = (out != 0).flatten(1).any(1)
    assert abs(touched.float().mean() - 0.4) < 0.04
    for image in out[touched][:50, 0]:
        rows, columns = (image != 0).any(1).nonzero().flatten(), (image != 0).any(0).nonzero().flatten()
        area = int(rows[-1] - rows[0] + 1) * int(columns[-1] - columns[0] + 1)
        assert 0.01 <= area / 28**2 <= 0.36  # 2 to 33 %, in whole pixels
        assert (image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] != 0).float().mean() > 0.9
    area = (out[touched] != 0).float().mean().item() * 256 / 255  # one noise pixel in 256 is 0 itself
    assert area == pytest.approx(0.175, abs=0.015)
    assert torch.equal(erase(images, 0.0, draw()), images)
    assert (erase(images, 1.0, draw()) != 0).flatten(1).any(1).all()


@given(alpha=st.floats(0.05, 5), seed=st.integers(0, 30))
def test_mixup_mixes_images_and_targets_with_one_weight(alpha: float, seed: int) -> None:
    targets = torch.eye(6)
    mixed, soft = mixup(targets.view(6, 1, 2, 3), targets, alpha, draw(seed))
    torch.testing.assert_close(soft.sum(1), torch.ones(6))
    torch.testing.assert_close(mixed.flatten(1), soft)
    assert len({round(value, 5) for value in soft.max(1).values.tolist()}) <= 2  # a pair, or an image with itself


def test_rand_augment_of_no_strength_is_the_image_and_of_full_strength_is_not() -> None:
    images = pictures(32, 1, 28, 28)
    assert torch.equal(rand_augment(images, 2, 0.0, draw()), images)
    strong = rand_augment(images, 2, 1.0, draw())
    assert strong.dtype == torch.uint8
    assert (strong != images).flatten(1).any(1).float().mean() > 0.8


@given(ops=st.integers(1, 4), magnitude=st.floats(0, 1), seed=st.integers(0, 30))
def test_rand_augment_keeps_shape_type_and_is_decided_by_its_generator(ops: int, magnitude: float, seed: int) -> None:
    images = pictures(4, 3, 8, 8)
    out = rand_augment(images, ops, magnitude, draw(seed))
    assert (out.shape, out.dtype) == (images.shape, torch.uint8)
    assert torch.equal(out, rand_augment(images, ops, magnitude, draw(seed)))


ROTATION, SHEAR_X, SHEAR_Y, BRIGHTNESS, CONTRAST, POSTERIZE, SOLARIZE = range(7)


def test_geometry_turns_by_45_degrees_and_shears_by_half_at_full_strength() -> None:
    half = math.sqrt(0.5)
    matrices = _geometry(torch.arange(4), torch.ones(4))
    expected = [[[half, -half], [half, half]], [[1, 0.5], [0, 1]], [[1, 0], [0.5, 1]], [[1, 0], [0, 1]]]
    torch.testing.assert_close(matrices, torch.tensor(expected))


@pytest.mark.parametrize(
    ("operation", "strength", "expected"),
    [
        (BRIGHTNESS, -0.5, [0, 50, 100]),
        (BRIGHTNESS, 1.0, [0, 200, 255]),
        (CONTRAST, -1.0, [100, 100, 100]),
        (CONTRAST, 0.5, [0, 100, 250]),
        (POSTERIZE, 1.0, [0, 64, 192]),
        (SOLARIZE, 0.5, [0, 100, 55]),
        (ROTATION, 1.0, [0, 100, 200]),
    ],
)
def test_tones_change_as_named(operation: int, strength: float, expected: list[float]) -> None:
    pixels = torch.tensor([0.0, 100.0, 200.0]).view(1, 1, 1, 3)
    out = _tone(pixels, torch.tensor([operation]), torch.tensor([strength]))
    torch.testing.assert_close(out.flatten(), torch.tensor(expected, dtype=torch.float32))


def test_images_go_in_unchanged_and_come_out_as_new_ones() -> None:
    images, before = pictures(8, 1, 16, 16), pictures(8, 1, 16, 16)
    shift_and_flip(images, 2, torch.ones(8, dtype=torch.bool), draw())
    erase(images, 1.0, draw())
    rand_augment(images, 2, 1.0, draw())
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    "values",
    [
        {"rand_augment_ops": -1},
        {"mixup_alpha": float("nan")},
        {"shift_pixels": -1},
        {"erase_rate": 1.1},
        {"mixup_alpha": -0.1},
        {"rand_augment_magnitude": 2.0},
    ],
)
def test_strengths_that_cannot_be_are_refused(values: dict) -> None:
    with pytest.raises(FittingRoomError, match=next(iter(values))):
        AugmentConfig(**values)
