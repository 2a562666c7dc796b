"""Augmentation of whole batches in memory. All functions except `mixup` map uint8 to uint8.

Every function takes the generator that it draws from, so a batch depends only on `(seed, purpose, epoch, step)`.
Shift and flip are a single gather: they only move pixels, so they cost one copy and no arithmetic.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Generator, Tensor

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError

Images = UInt8[Tensor, "batch channels height width"]


@config_dataclass
class AugmentConfig:
    """The augmentation of training batches."""

    shift_pixels: int = 2
    """Shift by up to this many pixels in each direction, with reflected borders."""
    flip: Literal["none", "random", "alternating"] = "alternating"
    """Mirror images left to right: never, at random, or at random in epoch 0 and alternating from then on (arXiv 2404.00498)."""
    erase_rate: float = 0.0
    """Share of images that get a rectangle of noise (random erasing, arXiv 1708.04896)."""
    mixup_alpha: float = 0.0
    """Mix pairs of images with a weight from Beta(alpha, alpha) (mixup, arXiv 1710.09412). 0 turns it off."""
    rand_augment_ops: int = 0
    """Random operations per image: rotation, shears, brightness, contrast, posterize, solarize (after arXiv 1909.13719)."""
    rand_augment_magnitude: float = 0.3
    """Strength of these operations, 0 to 1."""

    def __post_init__(self) -> None:
        if self.shift_pixels < 0:
            raise FittingRoomError(f"shift_pixels {self.shift_pixels} is negative: choose 0 or more")
        if not 0 <= self.erase_rate <= 1:
            raise FittingRoomError(f"erase_rate {self.erase_rate} is not a rate: choose a number from 0 to 1")
        if not 0 <= self.mixup_alpha <= 1000:
            raise FittingRoomError(f"mixup_alpha {self.mixup_alpha} is out of range: choose 0 (off) to 1,000")
        if self.rand_augment_ops < 0:
            raise FittingRoomError(f"rand_augment_ops {self.rand_augment_ops} is negative: choose 0 (off) or more")
        if self.shift_pixels > 1000 or self.rand_augment_ops > 1000:
            raise FittingRoomError(
                f"shift_pixels {self.shift_pixels} and rand_augment_ops {self.rand_augment_ops} must be at most 1,000"
            )
        if not 0 <= self.rand_augment_magnitude <= 1:
            raise FittingRoomError(
                f"rand_augment_magnitude {self.rand_augment_magnitude} is out of range: choose a number from 0 to 1"
            )


def shift_and_flip(images: Images, shift_pixels: int, flipped: Bool[Tensor, " batch"], draw: Generator) -> Images:
    """Shift each image by a random whole number of pixels with reflected borders. Mirror the images marked in `flipped`."""
    batch, _, height, width = images.shape
    offset = torch.randint(-shift_pixels, shift_pixels + 1, (2, batch, 1), generator=draw)
    rows = _reflect(torch.arange(height) + offset[0], height)
    columns = _reflect(torch.arange(width) + offset[1], width)
    columns = torch.where(flipped[:, None], columns.flip(1), columns)
    pick = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    flat = images.flatten(2)
    return flat.gather(2, pick[:, None].expand(-1, flat.shape[1], -1)).view(images.shape)


def _reflect(position: Int[Tensor, "batch side"], side: int) -> Int[Tensor, "batch side"]:
    """Reflect positions outside 0..side-1 back inside, without repeating the border pixel."""
    period = max(1, 2 * (side - 1))
    return side - 1 - (side - 1 - position.remainder(period)).abs()


def erase(images: Images, rate: float, draw: Generator) -> Images:
    """Fill a rectangle with uniform noise in a share `rate` of the images: area 2 to 33 %, aspect 0.3 to 3.3, as in the paper."""
    batch, channels, height, width = images.shape
    chosen = torch.rand(batch, generator=draw) < rate
    area = (0.02 + 0.31 * torch.rand(batch, generator=draw)) * height * width
    aspect = torch.exp(math.log(0.3) + (math.log(3.3) - math.log(0.3)) * torch.rand(batch, generator=draw))
    tall = (area * aspect).sqrt().clamp(1, height)
    wide = (area / aspect).sqrt().clamp(1, width)
    top = torch.rand(batch, generator=draw) * (height - tall)
    left = torch.rand(batch, generator=draw) * (width - wide)
    inside_rows = _between(height, top, tall)
    inside_columns = _between(width, left, wide)
    inside = (chosen[:, None, None] & inside_rows[:, :, None] & inside_columns[:, None, :])[:, None]
    noise = torch.randint(0, 256, (batch, channels, height, width), dtype=torch.uint8, generator=draw)
    return torch.where(inside, noise, images)


def _between(side: int, start: Tensor, length: Tensor) -> Bool[Tensor, "batch side"]:
    position = torch.arange(side) + 0.5
    return (position >= start[:, None]) & (position <= (start + length)[:, None])


def mixup(
    images: Float[Tensor, "batch channels height width"],
    targets: Float[Tensor, "batch classes"],
    alpha: float,
    draw: Generator,
) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch classes"]]:
    """`weight * x + (1 - weight) * x[shuffled]` for both images and targets, with one weight per batch."""
    weight = _beta(alpha, draw)
    partner = torch.randperm(len(images), generator=draw)
    return weight * images + (1 - weight) * images[partner], weight * targets + (1 - weight) * targets[partner]


def _beta(alpha: float, draw: Generator) -> float:
    """Draw from Beta(alpha, alpha) by two Gamma draws."""
    # torch.distributions accepts no generator, but its underlying Gamma sampler does.
    shape = torch.full((2,), alpha, dtype=torch.float64)
    first, second = torch._standard_gamma(shape, generator=draw).tolist()  # pyright: ignore[reportPrivateImportUsage]
    return first / (first + second) if first + second > 0 else 0.5


def rand_augment(images: Images, num_ops: int, magnitude: float, draw: Generator) -> Images:
    """Apply `num_ops` random operations to each image. One affine map combines all geometry: a single bilinear resampling."""
    batch = len(images)
    affine = torch.eye(2).repeat(batch, 1, 1)
    tones = images.float()
    for _ in range(num_ops):
        operation = torch.randint(0, 7, (batch,), generator=draw)
        strength = magnitude * (2 * torch.rand(batch, generator=draw) - 1)
        affine = affine @ _geometry(operation, strength)
        tones = _tone(tones, operation, strength)
    grid = F.affine_grid(F.pad(affine, (0, 1)), list(images.shape), align_corners=False)
    moved = F.grid_sample(tones, grid, padding_mode="border", align_corners=False)
    return moved.round().clamp(0, 255).to(torch.uint8)


def _geometry(operation: Int[Tensor, " batch"], strength: Float[Tensor, " batch"]) -> Float[Tensor, "batch 2 2"]:
    """Matrices of operation 0, rotation up to 45 degrees, and 1 and 2, shears up to 0.5. Other operations get the identity."""
    angle = torch.where(operation == 0, strength * math.pi / 4, 0.0)
    shear_x = torch.where(operation == 1, strength * 0.5, 0.0)
    shear_y = torch.where(operation == 2, strength * 0.5, 0.0)
    first = torch.stack([angle.cos(), shear_x - angle.sin()], dim=1)
    second = torch.stack([shear_y + angle.sin(), angle.cos()], dim=1)
    return torch.stack([first, second], dim=1)


def _tone(pixels: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """Apply 3 brightness, 4 contrast, 5 posterize (down to 4 levels) or 6 solarize (invert the brightest) to pixels 0..255."""
    op, by = operation[:, None, None, None], strength[:, None, None, None]
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    step = 2.0 ** (6 * by.abs()).round()
    threshold = 255 * (1 - by.abs())
    pixels = torch.where(op == 3, pixels * (1 + by), pixels)
    pixels = torch.where(op == 4, mean + (pixels - mean) * (1 + by), pixels)
    pixels = torch.where(op == 5, (pixels / step).floor() * step, pixels)
    pixels = torch.where((op == 6) & (pixels > threshold), 255 - pixels, pixels)
    return pixels.clamp(0, 255)
