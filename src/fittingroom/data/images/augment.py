"""Augmentation of whole batches in memory, uint8 in and uint8 out but for the mixes.

Every function takes the generator that it draws from, so a batch is a function of `(seed, purpose, epoch, step)`.
Shift and flip are one gather: they only choose which pixel goes where, so they cost a copy and no arithmetic.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int, UInt8
from torch import Generator, Tensor

from fittingroom.core.errors import FittingRoomError

Images = UInt8[Tensor, "batch channels height width"]


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """What is done to a training batch."""

    shift_pixels: int = 2
    """Shift by up to this many pixels each way, the border reflected."""
    flip: Literal["none", "random", "alternating"] = "alternating"
    """Mirror left-right: never, by a coin, or by a coin in epoch 0 and alternating after it (arXiv 2404.00498)."""
    erase_rate: float = 0.0
    """Share of images in which a rectangle becomes noise (random erasing, arXiv 1708.04896)."""
    mixup_alpha: float = 0.0
    """Mix pairs of images with a weight from Beta(alpha, alpha) (mixup, arXiv 1710.09412); 0 is off."""
    rand_augment_ops: int = 0
    """Random operations an image: rotation, shears, brightness, contrast, posterize, solarize (after arXiv 1909.13719)."""
    rand_augment_magnitude: float = 0.3
    """Strength of those operations, 0 to 1."""

    def __post_init__(self) -> None:
        if self.shift_pixels < 0:
            raise FittingRoomError(f"shift_pixels {self.shift_pixels} is negative: choose 0 or more")
        if not 0 <= self.erase_rate <= 1:
            raise FittingRoomError(f"erase_rate {self.erase_rate} is no rate: choose a number from 0 to 1")
        if not 0 <= self.mixup_alpha < float("inf"):
            raise FittingRoomError(f"mixup_alpha {self.mixup_alpha} is no strength: choose 0 (off) or more")
        if self.rand_augment_ops < 0:
            raise FittingRoomError(f"rand_augment_ops {self.rand_augment_ops} is negative: choose 0 (off) or more")
        if not 0 <= self.rand_augment_magnitude <= 1:
            raise FittingRoomError(
                f"rand_augment_magnitude {self.rand_augment_magnitude} is no strength: choose a number from 0 to 1"
            )


def shift_and_flip(images: Images, shift_pixels: int, flipped: Bool[Tensor, " batch"], draw: Generator) -> Images:
    """Shift each image by its own whole number of pixels, reflecting at the border, and mirror those that are `flipped`."""
    batch, _, height, width = images.shape
    offset = torch.randint(-shift_pixels, shift_pixels + 1, (2, batch, 1), generator=draw)
    rows = _reflect(torch.arange(height) + offset[0], height)
    columns = _reflect(torch.arange(width) + offset[1], width)
    columns = torch.where(flipped[:, None], columns.flip(1), columns)
    pick = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
    flat = images.flatten(2)
    return flat.gather(2, pick[:, None].expand(-1, flat.shape[1], -1)).view(images.shape)


def _reflect(position: Int[Tensor, "batch side"], side: int) -> Int[Tensor, "batch side"]:
    """Fold positions outside of 0..side-1 back, the border pixel not repeated."""
    period = max(1, 2 * (side - 1))
    return side - 1 - (side - 1 - position.remainder(period)).abs()


def erase(images: Images, rate: float, draw: Generator) -> Images:
    """In this share of the images, fill one rectangle with uniform noise: area 2 to 33 %, aspect 0.3 to 3.3, as in the paper."""
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
    """`weight * x + (1 - weight) * x[shuffled]` for images and targets alike, one weight a batch."""
    weight = _beta(alpha, draw)
    partner = torch.randperm(len(images), generator=draw)
    return weight * images + (1 - weight) * images[partner], weight * targets + (1 - weight) * targets[partner]


def _beta(alpha: float, draw: Generator) -> float:
    """Beta(alpha, alpha) from two Gamma draws."""
    # torch.distributions takes no generator; the Gamma sampler beneath it does.
    shape = torch.full((2,), alpha, dtype=torch.float64)
    first, second = torch._standard_gamma(shape, generator=draw).tolist()  # pyright: ignore[reportPrivateImportUsage]
    return first / (first + second) if first + second > 0 else 0.5


def rand_augment(images: Images, num_ops: int, magnitude: float, draw: Generator) -> Images:
    """Give each image `num_ops` random operations. All geometry is joined in one affine map and sampled once, bilinearly."""
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
    """0 rotation up to 45 degrees, 1 and 2 shears up to 0.5 at full strength; the identity for the tonal operations."""
    angle = torch.where(operation == 0, strength * math.pi / 4, 0.0)
    shear_x = torch.where(operation == 1, strength * 0.5, 0.0)
    shear_y = torch.where(operation == 2, strength * 0.5, 0.0)
    first = torch.stack([angle.cos(), shear_x - angle.sin()], dim=1)
    second = torch.stack([shear_y + angle.sin(), angle.cos()], dim=1)
    return torch.stack([first, second], dim=1)


def _tone(pixels: Tensor, operation: Tensor, strength: Tensor) -> Tensor:
    """3 brightness, 4 contrast, 5 posterize (towards 4 levels), 6 solarize (invert the brightest) on pixels 0..255."""
    op, by = operation[:, None, None, None], strength[:, None, None, None]
    mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
    step = 2.0 ** (6 * by.abs()).round()
    threshold = 255 * (1 - by.abs())
    pixels = torch.where(op == 3, pixels * (1 + by), pixels)
    pixels = torch.where(op == 4, mean + (pixels - mean) * (1 + by), pixels)
    pixels = torch.where(op == 5, (pixels / step).floor() * step, pixels)
    pixels = torch.where((op == 6) & (pixels > threshold), 255 - pixels, pixels)
    return pixels.clamp(0, 255)
