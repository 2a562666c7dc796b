"""Do maps mean something? Two tests: against random maps, by deletion and insertion; and with randomised weights.

Deletion and insertion: perturbation.py, whose names can be imported from here too. Randomised weights: "Sanity Checks for
Saliency Maps" (Adebayo et al. 2018, arXiv 1810.03292). The weights are shuffled layer by layer from the top. A map that hardly
changes cannot show what the network has learned.
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.stats import rankdata
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import derive_seed, generator
from fittingroom.explain.eval_mode import unwrapped
from fittingroom.explain.methods import random_maps, saliency
from fittingroom.explain.perturbation import (
    AS_USUAL,
    Areas,
    Curves,
    Perturbation,
    PredictProbs,
    area,
    perturbation_curves,
    probabilities,
)

__all__ = [
    "Areas",
    "Curves",
    "Perturbation",
    "PredictProbs",
    "area",
    "bootstrap_interval",
    "perturbation_curves",
    "probabilities",
    "random_areas",
    "randomisation",
    "randomisation_layers",
    "score",
]
NUM_RESAMPLES = 2000


def score(
    predict_probs: PredictProbs,
    images: Float[Tensor, "batch channels height width"],
    saliency: Float[np.ndarray, "batch height width"],
    targets: Int[Tensor, " batch"],
    how: Perturbation = AS_USUAL,
    *,
    num_random: int = 3,
    baseline: Areas | None = None,
) -> dict[str, Any]:
    """How faithful the maps of a method are, as plain numbers for JSON. Intervals are 95 %, by bootstrap over the images.

    "deletion", "insertion": {"mean", "low", "high"} of the area under the curve. Deletion should be small, insertion large.
    "deletion_minus_random", "insertion_minus_random": the same for the paired difference to the mean of `num_random` random maps
    on `how.grid`. Their "beats_random" says that the interval lies on the good side of 0.
    "beats_random": both do.
    "curves": {"deletion", "insertion"}, each {"mean", "low", "high"} with one number per point of the curve.
    "num_images", "steps", "fill", "num_random": how it was measured.
    `baseline` is the result of `random_areas` with the same settings. Pass it to score several methods: it is the slowest part.
    """
    if len(images) < 2:
        raise FittingRoomError(f"number of images {len(images)} is too few for an interval: give at least 2")
    if baseline is None:
        baseline = random_areas(predict_probs, images, targets, how, num_random=num_random)
    curves = perturbation_curves(predict_probs, images, saliency, targets, how)
    found = area(curves)
    result: dict[str, Any] = {"num_images": len(images), "num_random": num_random, "steps": how.steps, "fill": how.fill}
    for name, better in (("deletion", -1), ("insertion", 1)):
        mine = getattr(found, name)
        difference = mine - getattr(baseline, name)
        interval = bootstrap_interval(difference, how.seed)
        beats = interval["low"] > 0 if better > 0 else interval["high"] < 0
        result[name] = bootstrap_interval(mine, how.seed)
        result[f"{name}_minus_random"] = {**interval, "beats_random": beats}
    result["beats_random"] = all(result[f"{name}_minus_random"]["beats_random"] for name in ("deletion", "insertion"))
    result["curves"] = {name: bootstrap_interval(getattr(curves, name), how.seed) for name in ("deletion", "insertion")}
    return result


def random_areas(
    predict_probs: PredictProbs,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
    how: Perturbation = AS_USUAL,
    *,
    num_random: int = 3,
) -> Areas:
    """The areas of each image for random maps on `how.grid`, mean over `num_random` of them: the baseline to beat."""
    if num_random < 1:
        raise FittingRoomError(f"{num_random} random maps are too few for a baseline: choose at least 1")
    size, found = (images.shape[-2], images.shape[-1]), []
    for number in range(num_random):
        maps = random_maps(len(images), size, how.grid, derive_seed(how.seed, "baseline", step=number))
        found.append(area(perturbation_curves(predict_probs, images, maps, targets, how)))
    return Areas(
        deletion=np.mean([each.deletion for each in found], axis=0),
        insertion=np.mean([each.insertion for each in found], axis=0),
    )


def bootstrap_interval(values: Float[np.ndarray, "images ..."], seed: int = 0, level: float = 0.95) -> dict[str, Any]:
    """{"mean", "low", "high"}: the mean over images with its percentile bootstrap interval (2,000 resamples of the images).

    Numbers if `values` are [images], lists if they are [images, points].
    """
    draw = np.random.default_rng(derive_seed(seed, "bootstrap"))
    num_images = len(values)
    means = np.stack(
        [
            draw.multinomial(num_images, np.full(num_images, 1 / num_images)) @ values / num_images
            for _ in range(NUM_RESAMPLES)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return {"mean": values.mean(axis=0, dtype=np.float64).tolist(), "low": low.tolist(), "high": high.tolist()}


def randomisation(
    model: nn.Module,
    method: str,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
    seed: int = 0,
) -> list[float]:
    """Spearman's rank correlation of the maps with the maps after randomising more and more weights, mean over the images.

    One number for each of `randomisation_layers(model)`: this layer and all above it are random (cascading). The entries of each
    weight tensor are shuffled, which keeps their scale in any network; the paper draws a new initialisation. A constant map
    has no ranks: its correlation counts as 0. `model` itself does not change.
    """
    original = saliency(model, images, targets, method, seed)
    network: nn.Module = copy.deepcopy(unwrapped(model))
    correlations = []
    for step, (_, tensors) in enumerate(_layers(network)):
        draw = generator(seed, "randomise weights", step=step)
        for tensor in tensors:
            shuffled = tensor.detach().flatten()[torch.randperm(tensor.numel(), generator=draw).to(tensor.device)]
            tensor.data.copy_(shuffled.view_as(tensor))
        # Another seed, so that the method "random" does not agree with itself.
        maps = saliency(network, images, targets, method, derive_seed(seed, "randomised", step=step))
        correlations.append(float(rank_correlation(original, maps).mean()))
    return correlations


def randomisation_layers(model: nn.Module) -> list[str]:
    """Names of the layers in the order in which `randomisation` shuffles them: head first, input last."""
    return [name for name, _ in _layers(unwrapped(model))]


def rank_correlation(
    maps_a: Float[np.ndarray, "images height width"], maps_b: Float[np.ndarray, "images height width"]
) -> Float[np.ndarray, " images"]:
    """Spearman's rank correlation of two maps of each image, -1 to 1; 0 if one of them is constant."""
    ranks_a, ranks_b = (rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (maps_a, maps_b))
    ranks_a, ranks_b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (ranks_a, ranks_b))
    lengths = np.linalg.norm(ranks_a, axis=1) * np.linalg.norm(ranks_b, axis=1)
    return (ranks_a * ranks_b).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)


def _layers(network: nn.Module) -> list[tuple[str, list[nn.Parameter]]]:
    """Layers with parameters, top first. Parameters of the network itself (class token, positions) go with the lowest layer."""
    layers = [(name, list(part.parameters())) for name, part in _parts(network) if any(True for _ in part.parameters())]
    layers.reverse()
    own = list(network.parameters(recurse=False))
    return [*layers[:-1], (layers[-1][0], [*layers[-1][1], *own])]


def _parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Children in order. Lists of layers, and modules that contain such lists, are taken apart."""
    for name, child in module.named_children():
        full = f"{prefix}{name}"
        if isinstance(child, nn.Sequential | nn.ModuleList) or any(
            isinstance(part, nn.ModuleList) for part in child.modules()
        ):
            yield from _parts(child, f"{full}.")
        else:
            yield full, child
