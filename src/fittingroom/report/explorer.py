"""What each network attends to, read from a comparison's `explorer.npz` and checked, so that packing can trust it.

The file's arrays are those of the comparison's `pictures`: images with their kind, and for the model at place `i` of the
comparison the keys that start with `m{i}_`. A model whose runs all failed has none, one without attention only some.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.archives import MEND, open_arrays
from fittingroom.report.gallery import check_pixels

FILE = "explorer.npz"
KINDS = ("mistake", "disagreement", "right")
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Attention:
    """A model's attention on the images: a weight is `weights / 255 * scale`, and tokens are prefix tokens, then patches.

    `weights` uint8 [images, layers, heads, tokens, tokens], the last two query and key; `scale` float32 [images, layers,
    heads, tokens], the largest weight of each query; `pool` float32 [images, tokens], each token's share in the answer.
    """

    weights: NDArray[np.uint8]
    scale: NDArray[np.float32]
    pool: NDArray[np.float32]
    grid_height: int
    grid_width: int
    num_prefix_tokens: int
    patch_size: int
    """Side of a patch in pixels."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the model at `place` in the comparison makes of the images: `probs` [images, classes], its own map and method.

    `saliency` float32 [images, height, width], 1 where an image's map is highest; `similarity` uint8 [grid_height,
    grid_width, grid_height, grid_width] is (cosine + 1) / 2 * 255 between position embeddings of the kind `positions`.
    """

    place: int
    probs: NDArray[np.float64]
    saliency: NDArray[np.float32]
    method: str
    caption: str
    attention: Attention | None
    similarity: NDArray[np.uint8] | None
    positions: str


@dataclass(frozen=True, kw_only=True)
class Explorer:
    """`images` uint8 [n, height, width] or [n, height, width, 3], `labels` and `index` in the test file [n], `kinds` [n]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    kinds: list[str]
    looks: list[Look]


def read_explorer(folder: Path, models: Sequence[str], num_classes: int) -> Explorer | None:
    """The folder's explorer.npz, or None where there is none, where it is empty, or where it is of other models.

    Raises FittingRoomError that names the file and the fix where it is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    with open_arrays(path, missing=MEND, damaged=MEND) as archive:
        arrays: Arrays = {name: archive[name] for name in archive.files}
        if "models" in arrays and arrays["models"].tolist() != list(models):
            return None
        images = _images(arrays, num_classes)
        looks = [
            _look(arrays, place, images, num_classes) for place in range(len(models)) if f"m{place}_probs" in arrays
        ]
        labels, index = (arrays[name].astype(np.int64) for name in ("labels", "index"))
        kinds = [str(kind) for kind in arrays["kind"]]
    return (
        Explorer(images=images, labels=labels, index=index, kinds=kinds, looks=looks) if len(kinds) and looks else None
    )


def _images(arrays: Arrays, num_classes: int) -> NDArray[np.uint8]:
    images, labels, kinds = check_pixels(arrays["images"]), arrays["labels"], arrays["kind"]
    for name in ("labels", "index", "kind"):
        _check(arrays[name], name, (len(images),))
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
        raise ValueError(f"labels lie outside 0 to {num_classes - 1}")
    unknown = sorted({str(kind) for kind in kinds} - set(KINDS))
    if unknown:
        raise ValueError(f"kind is '{unknown[0]}', not one of {', '.join(KINDS)}")
    return images


def _look(arrays: Arrays, place: int, images: NDArray[np.uint8], num_classes: int) -> Look:
    own = {name.removeprefix(f"m{place}_"): array for name, array in arrays.items() if name.startswith(f"m{place}_")}
    _check(own["probs"], f"m{place}_probs", (len(images), num_classes), low=0, high=1)
    _check(own["saliency"], f"m{place}_saliency", images.shape[:3], low=0, high=1)
    attention = _attention(own, f"m{place}", len(images)) if "attention" in own else None
    if "similarity" in own and (
        own["similarity"].ndim != 4 or own["similarity"].shape[:2] != own["similarity"].shape[2:]
    ):
        raise ValueError(f"m{place}_similarity is {own['similarity'].shape}")
    return Look(
        place=place,
        probs=own["probs"].astype(np.float64),
        saliency=own["saliency"].astype(np.float32),
        method=str(own["method"]),
        caption=str(own["caption"]),
        attention=attention,
        similarity=own["similarity"].astype(np.uint8) if "similarity" in own else None,
        positions=str(own.get("positions", "")),
    )


def _attention(own: Arrays, name: str, num_images: int) -> Attention:
    height, width, num_prefix, patch_size = (int(number) for number in own["grid"])
    weights, tokens = own["attention"], height * width + num_prefix
    if weights.dtype != np.uint8 or weights.ndim != 5 or min(weights.shape[1:3], default=0) < 1:
        raise ValueError(f"{name}_attention is {weights.dtype} {weights.shape}")
    _check(weights, f"{name}_attention", (num_images, *weights.shape[1:3], tokens, tokens))
    _check(own["scale"], f"{name}_scale", weights.shape[:4], low=0)
    _check(own["pool"], f"{name}_pool", (num_images, tokens), low=0)
    return Attention(
        weights=weights,
        scale=own["scale"].astype(np.float32),
        pool=own["pool"].astype(np.float32),
        grid_height=height,
        grid_width=width,
        num_prefix_tokens=num_prefix,
        patch_size=patch_size,
    )


def _check(
    array: NDArray[Any], name: str, shape: Sequence[int], low: float | None = None, high: float = float("inf")
) -> None:
    """Shape, and where `low` is given that all values are finite and lie between `low` and `high`."""
    if array.shape != tuple(shape):
        raise ValueError(f"{name} is {array.shape} where {tuple(shape)} was expected")
    if low is not None and array.size and not (np.isfinite(array).all() and array.min() >= low and array.max() <= high):
        raise ValueError(f"{name} holds values outside {low:g} to {high:g}")
