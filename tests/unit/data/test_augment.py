"""Each augmentation against a plain reference, and what it may not touch."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.augment import AugmentConfig, erase, mixup, rand_augment, shift_and_flip


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(num: int = 6, channels: int = 2, height: int = 9, width: int = 7) -> torch.Tensor:
    return torch.randint(0, 256, (num, channels, height, width), dtype=torch.uint8, generator=draw(9))


@given(shift=st.integers(0, 3), seed=st.integers(0, 30))
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
        assert area <= 0.45 * 28 * 28
        assert (image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] != 0).float().mean() > 0.9
    assert torch.equal(erase(images, 0.0, draw()), images)


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


@pytest.mark.parametrize(
    "values", [{"shift_pixels": -1}, {"erase_rate": 1.1}, {"mixup_alpha": -0.1}, {"rand_augment_magnitude": 2.0}]
)
def test_strengths_that_cannot_be_are_refused(values: dict) -> None:
    with pytest.raises(FittingRoomError, match=next(iter(values))):
        AugmentConfig(**values)
