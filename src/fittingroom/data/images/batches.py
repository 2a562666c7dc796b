"""Training and evaluation batches from a source of images. A training batch depends only on `(seed, epoch, step)`."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator
from fittingroom.data.images.augment import AugmentConfig, erase, mixup, rand_augment, shift_and_flip
from fittingroom.data.shard import shard
from fittingroom.data.spec import DataSpec, Source

LUMINANCE = (0.299, 0.587, 0.114)
EVAL_PIXELS = 500 * 64 * 64
"""Pixels per channel in a batch of evaluation: 500 images of up to 64x64, fewer of larger ones, so that memory is bounded."""


def eval_batch_size(spec: DataSpec) -> int:
    """Images per forward pass in evaluation."""
    _, height, width = spec.input_shape
    return max(1, min(500, EVAL_PIXELS // (height * width)))


def normalise(
    images: UInt8[Tensor, "batch channels height width"], spec: DataSpec
) -> Float[Tensor, "batch in_channels in_height in_width"]:
    """Pixels 0..255 as the network gets them: in its size and channels, normalised with the mean and deviation in `spec`."""
    if spec.input_shape != spec.image_shape:
        images = as_input(images, spec.input_shape)
    mean, std = (
        torch.tensor(value, dtype=torch.float32, device=images.device)[:, None, None] * 255
        for value in (spec.mean, spec.std)
    )
    return (images - mean) / std


def as_input(images: UInt8[Tensor, "batch channels height width"], shape: tuple[int, int, int]) -> Tensor:
    """Images as floats 0..255 of another number of channels, height and width.

    Grey is repeated for RGB; RGB becomes its luminance (ITU-R 601). Proportions are not kept: the data set's rule did that.
    """
    channels, *size = shape
    pixels = images.float()
    if list(pixels.shape[2:]) != size:
        smaller = size[0] < pixels.shape[2] or size[1] < pixels.shape[3]
        pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False, antialias=smaller)
    if channels == 3 and pixels.shape[1] == 1:
        return pixels.expand(-1, 3, -1, -1)
    if channels == 1 and pixels.shape[1] == 3:
        return (pixels * torch.tensor(LUMINANCE)[:, None, None]).sum(dim=1, keepdim=True)
    return pixels


def smooth_targets(labels: Tensor, num_classes: int, smoothing: float) -> Float[Tensor, "batch classes"]:
    """One-hot rows in which a share `smoothing` is spread evenly over all classes (arXiv 1512.00567)."""
    return F.one_hot(labels, num_classes).float() * (1 - smoothing) + smoothing / num_classes


def check_batch_size(batch_size: int, num_train: int) -> None:
    """Raise FittingRoomError for a batch that is larger than the training part."""
    if not 1 <= batch_size <= num_train:
        raise FittingRoomError(
            f"batch_size {batch_size} does not suit {num_train} training images: choose 1 to {num_train}"
        )


@dataclass(frozen=True, kw_only=True)
class TrainBatches:
    """All batches of a run, indexed by epoch and step within the epoch. The incomplete last batch of an epoch is dropped."""

    train: Source
    spec: DataSpec
    seed: int
    batch_size: int
    augment: AugmentConfig
    label_smoothing: float = 0.0
    _first_flip: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_batch_size(self.batch_size, len(self.train))
        coin = torch.randint(0, 2, (len(self.train),), generator=generator(self.seed, "first flip"))
        object.__setattr__(self, "_first_flip", coin)

    @property
    def steps_per_epoch(self) -> int:
        """Number of complete batches in one pass over the training images."""
        return len(self.train) // self.batch_size

    @property
    def mean_batch_size(self) -> float:
        """Images per step."""
        return float(self.batch_size)

    def order(self, epoch: int) -> Tensor:
        """The shuffled image positions of one epoch."""
        return torch.randperm(len(self.train), generator=generator(self.seed, "order", epoch))

    def batch(
        self, epoch: int, step: int, order: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch classes"]]:
        """Normalised images and soft targets of `step` in `epoch`. Pass the epoch's `order` to avoid drawing it again."""
        order = self.order(epoch) if order is None else order
        picked = order[step * self.batch_size : (step + 1) * self.batch_size]
        draw = generator(self.seed, "augment", epoch, step)
        images = self._augmented(self.train.read(picked), picked, epoch, draw)
        targets = smooth_targets(self.train.labels[picked], self.spec.num_classes, self.label_smoothing)
        normal = normalise(images, self.spec)
        return mixup(normal, targets, self.augment.mixup_alpha, draw) if self.augment.mixup_alpha else (normal, targets)

    def _augmented(self, images: Tensor, picked: Tensor, epoch: int, draw: torch.Generator) -> Tensor:
        config = self.augment
        if config.flip == "random":
            flipped = torch.rand(len(picked), generator=draw) < 0.5
        elif config.flip == "alternating":
            flipped = (self._first_flip[picked] + epoch) % 2 == 1
        else:
            flipped = torch.zeros(len(picked), dtype=torch.bool)
        if config.shift_pixels or config.flip != "none":
            images = shift_and_flip(images, config.shift_pixels, flipped, draw)
        if config.rand_augment_ops:
            images = rand_augment(images, config.rand_augment_ops, config.rand_augment_magnitude, draw)
        return erase(images, config.erase_rate, draw) if config.erase_rate else images

    def from_step(self, first_step: int, rank: int = 0, world_size: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches from global step `first_step` on. Each rank gets its share of every batch."""
        epoch, step = divmod(first_step, self.steps_per_epoch)
        while True:
            order = self.order(epoch)
            for index in range(step, self.steps_per_epoch):
                yield shard(self.batch(epoch, index, order), rank, world_size)
            epoch, step = epoch + 1, 0


def eval_batches(
    images: Source, spec: DataSpec, batch_size: int | None = None
) -> Iterator[Float[Tensor, "batch channels height width"]]:
    """Normalised images in order, without augmentation. The last batch may be smaller."""
    batch_size = min(batch_size or 500, eval_batch_size(spec))
    for start in range(0, len(images), batch_size):
        yield normalise(images.read(torch.arange(start, min(start + batch_size, len(images)))), spec)
