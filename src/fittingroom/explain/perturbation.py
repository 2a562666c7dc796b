"""Deletion and insertion curves: "RISE" (Petsiuk et al. 2018, arXiv 1806.07421), section 4.3.

Hide the pixels that a map calls important, and the probability of the class should fall fast. Show only them, and it should
rise fast. Deviations: in both curves, hidden pixels take the mean colour of the image, or those of a blurred image. Equal values
of a map are ordered at random, on the grid of the maps, so that an empty map scores like a random map.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.evaluation.predict import predict
from fittingroom.explain.eval_mode import as_input, check_targets, chunks, eval_mode, logits_of
from fittingroom.explain.methods import random_maps

PredictProbs = Callable[[Tensor], np.ndarray | Tensor]
"""Images (B, C, height, width) to class probabilities (B, classes)."""
Fill = Literal["mean", "blur"]
BLUR_SHARE = 0.15
"""Standard deviation of the blur as a share of the shorter side: objects become blobs without edges."""
TIE_GRID = (7, 7)


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """How pixels are hidden or shown."""

    steps: int = 14
    """Each step takes 1/`steps` of the pixels."""
    fill: Fill = "mean"
    """What hidden pixels become: the mean colour of the image, or the blurred image."""
    grid: tuple[int, int] = TIE_GRID
    """Grid of the random maps (the baseline, and the maps that break ties). Give the network's own grid."""
    seed: int = 0
    """Seed of the random maps and of the bootstrap."""


AS_USUAL = Perturbation()


@dataclass(frozen=True, kw_only=True)
class Curves:
    """Probability of the target class after 0, 1, ..., S steps for each image: [images, S + 1]."""

    deletion: Float[np.ndarray, "images points"]
    """From the whole image to an image with everything hidden."""
    insertion: Float[np.ndarray, "images points"]
    """From an image with everything hidden to the whole image."""


@dataclass(frozen=True, kw_only=True)
class Areas:
    """Area under each image's curves, 0 to 1. Deletion: smaller is better. Insertion: larger is better."""

    deletion: Float[np.ndarray, " images"]
    insertion: Float[np.ndarray, " images"]


def probabilities(model: nn.Module) -> PredictProbs:
    """`model` as a function for `perturbation_curves`: evaluation mode, softmax of its logits."""

    def predict_probs(images: Tensor) -> np.ndarray:
        with eval_mode(model):
            return predict(lambda batch: logits_of(model(as_input(model, batch))), [images])

    return predict_probs


def perturbation_curves(
    predict_probs: PredictProbs,
    images: Float[Tensor, "batch channels height width"],
    saliency: Float[np.ndarray, "batch height width"],
    targets: Int[Tensor, " batch"],
    how: Perturbation = AS_USUAL,
) -> Curves:
    """Both curves of every image, most salient pixels first. The network gets at most CHUNK images at a time."""
    check_targets(images, targets)
    height, width = images.shape[-2:]
    if saliency.shape != (len(images), height, width) or not np.isfinite(saliency).all():
        raise FittingRoomError(
            f"saliency of shape {saliency.shape} must be finite, with one value for each pixel of images {tuple(images.shape)}"
        )
    if not 1 <= how.steps <= height * width:
        raise FittingRoomError(f"steps {how.steps} does not fit {height * width} pixels: choose 1 to {height * width}")
    ranks = _ranks(saliency, random_maps(len(images), (height, width), how.grid, how.seed))
    taken = np.round(np.linspace(0, height * width, how.steps + 1)).astype(np.int64)
    deletion, insertion = (np.empty((len(images), how.steps + 1), dtype=np.float32) for _ in range(2))
    for part in chunks(images):
        rank, whole = torch.from_numpy(ranks[part])[:, None].to(images.device), images[part]
        empty = filled(whole, how.fill)
        for step, num_pixels in enumerate(taken):
            top = rank < int(num_pixels)
            deletion[part, step] = _of_target(predict_probs(torch.where(top, empty, whole)), targets[part])
            insertion[part, step] = _of_target(predict_probs(torch.where(top, whole, empty)), targets[part])
    return Curves(deletion=deletion, insertion=insertion)


def area(curves: Curves) -> Areas:
    """Area under the curves by the trapezium rule, the x axis being the share of pixels taken, 0 to 1."""
    return Areas(deletion=_area(curves.deletion), insertion=_area(curves.insertion))


def filled(images: Float[Tensor, "batch channels h w"], fill: Fill) -> Float[Tensor, "batch channels h w"]:
    """The images with everything hidden: one colour (the mean of each channel), or blurred by BLUR_SHARE of their side."""
    if fill == "mean":
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images)
    if fill != "blur":
        raise FittingRoomError(f"unknown fill '{fill}': {did_you_mean(fill, ['mean', 'blur'])}")
    for dim in (2, 3):
        images = _blurred(images, BLUR_SHARE * min(images.shape[-2:]), dim)
    return images


def _blurred(images: Tensor, sigma: float, dim: int) -> Tensor:
    """Gaussian blur along one dimension, `sigma` in pixels, edges repeated. It does not depend on the rest of the batch."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-offsets.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, -1)
    lines = images.movedim(dim, -1)
    flat = F.pad(lines.flatten(0, -2)[:, None], (radius, radius), mode="replicate")
    return F.conv1d(flat, kernel).view(lines.shape).movedim(-1, dim)


def _ranks(saliency: np.ndarray, ties: np.ndarray) -> np.ndarray:
    """Rank of each pixel in its image by saliency, highest first, equal ones by `ties`."""
    flat, second = saliency.reshape(len(saliency), -1), ties.reshape(len(ties), -1)
    order = np.lexsort((-second, -flat), axis=-1)
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(flat.shape[1])[None], axis=1)
    return ranks.reshape(saliency.shape)


def _of_target(probs: np.ndarray | Tensor, targets: Tensor) -> np.ndarray:
    array = np.asarray(probs.detach().cpu() if isinstance(probs, Tensor) else probs)
    return array[np.arange(len(targets)), targets.cpu().numpy()]


def _area(curve: np.ndarray) -> np.ndarray:
    return np.trapezoid(curve, dx=1 / (curve.shape[1] - 1), axis=1).astype(np.float32)
