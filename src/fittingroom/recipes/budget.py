"""What a time budget buys: the size of the network, and how often it sees each image.

A short run learns most with a small network, which sees more images in the time; a long run has time for a large one. Where one
size overtakes the next was measured on Fashion-MNIST in multiply-adds of training, which do not depend on the machine
(`lab/frontier.py`, results/frontier/). The speed of a machine is a constant for its kind, not a measurement, so that a command
chooses the same network every time.
"""

from dataclasses import dataclass

import torch

from fittingroom.core.machine import num_cores
from fittingroom.recipes.length import NUM_IMAGES
from fittingroom.recipes.sizes import MACS
from fittingroom.training.speed.plan import has_fast_bf16

TRAINING = 3
"""Multiply-adds of a training step over those of the forward pass: the backward pass costs twice as much."""
START_SECONDS = 8.0
"""Seconds of a budget before the first step: start, data, measurement of a step."""
USED_SHARE = 0.85
"""The share of a budget that is planned; the rest is reserve."""
RATES = {"cnn": 60e9, "hybrid": 55e9, "vit": 50e9}
"""Multiply-adds per second of one core with bf16, in training steps of the small sizes (results/frontier/)."""
WITHOUT_BF16, GRAPHICS_CARD = 0.5, 50.0
"""Speed of a core without bf16, and of a graphics card, relative to RATES."""
MOST_CORES = 4
"""One run of a small network gains little from more cores than this."""
LARGER_FROM = {
    "cnn": {"tiny": 0.0, "small": 3e12, "medium": 20e12, "base": 100e12},
    "hybrid": {"tiny": 0.0, "small": 1e12, "medium": 12e12, "base": 100e12},
    "vit": {"tiny": 0.0, "small": 2e12, "medium": 15e12, "base": 60e12},
}
"""The smallest compute, in multiply-adds of training, at which a size is the best of its family. Above 12e12 they are guesses
from the trend and from the runs of the ladder: `lab/frontier.py` has not measured larger points yet. The hybrid takes `small`
early: a step of `small` takes only 1.16 times as long as one of `tiny`, because processors multiply channels in sixteens."""


@dataclass(frozen=True)
class Images:
    """What a budget needs to know about the training images."""

    num_train: int = NUM_IMAGES
    height: int = 28
    """Pixels."""
    width: int = 28
    """Pixels."""


def compute_of(seconds: float, family: str, cores: int | None = None) -> float:
    """Multiply-adds of training that a run of this family does in a budget. `cores`: those of the run; default: all."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    speed = GRAPHICS_CARD if device == "cuda" else float(min(MOST_CORES, num_cores() if cores is None else cores))
    if not has_fast_bf16(device):
        speed *= WITHOUT_BF16
    return max(0.0, USED_SHARE * seconds - START_SECONDS) * speed * RATES[family]


def cost(family: str, size: str, images: Images) -> float:
    """Multiply-adds of the forward pass of one image. A ViT's patches grow with the image, so its cost stays."""
    pixels = 1.0 if family == "vit" else images.height * images.width / 28**2
    return MACS[family][size] * pixels


def best_size(family: str, compute: float, images: Images) -> str:
    """The size that learns most from `compute`. Larger images make each size dearer, so they take a smaller one."""
    share = cost(family, "base", images) / MACS[family]["base"]
    fits = [size for size, least in LARGER_FROM[family].items() if compute >= least * share]
    return fits[-1]


def epochs_of(family: str, size: str, compute: float, images: Images) -> float:
    """How often a run sees each training image."""
    return compute / (TRAINING * cost(family, size, images) * images.num_train)
