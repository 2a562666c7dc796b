"""An `explorer.npz` as a comparison writes it, made up from a seed: a ViT with a class token, a CNN, and a hybrid."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.comparison_fixture import draw_garment

GRID = 7
NUM_CLASSES = 10
VIT, CNN, HYBRID = 0, 1, 2
Arrays = dict[str, NDArray[Any]]


def explorer_arrays(*, num_images: int = 6, num_layers: int = 3, num_heads: int = 2, seed: int = 0) -> Arrays:
    """The arrays for the models of `comparison_fixture`: ViT with a class token, CNN, hybrid with learned pooling.

    A third of the images is of each kind; at the first third every model is wrong.
    """
    random = np.random.default_rng(seed)
    labels = random.integers(0, NUM_CLASSES, num_images)
    kinds = np.repeat(["mistake", "disagreement", "right"], -(-num_images // 3))[:num_images]
    arrays: Arrays = {
        "images": np.array([draw_garment(int(label), random) for label in labels]),
        "labels": labels,
        "index": 100 + 7 * np.arange(num_images),
        "kind": kinds,
    }
    for place, method in ((VIT, "relevance"), (CNN, "gradcam"), (HYBRID, "rollout")):
        wrong = (kinds == "mistake") | ((kinds == "disagreement") & (place == CNN))
        maps = random.random((num_images, 28, 28)) ** 2
        arrays |= {
            f"m{place}_probs": _probs(random, (labels + wrong) % NUM_CLASSES),
            f"m{place}_saliency": (maps / maps.max(axis=(1, 2), keepdims=True)).astype(np.float16),
            f"m{place}_method": np.array(method),
            f"m{place}_caption": np.array(f"One honest sentence on {method}."),
        }
    arrays |= _attention(random, f"m{VIT}", (num_images, num_layers, num_heads), num_prefix=1)
    arrays |= _attention(random, f"m{HYBRID}", (num_images, num_layers - 1, num_heads), num_prefix=0)
    return arrays


def write_explorer(folder: Path, arrays: Arrays) -> Path:
    """Write them where the report looks for them; return the file."""
    np.savez_compressed(folder / "explorer.npz", **arrays)  # pyright: ignore[reportArgumentType]
    return folder / "explorer.npz"


def _probs(random: np.random.Generator, predicted: NDArray[np.int64]) -> NDArray[np.float32]:
    probs = random.random((len(predicted), NUM_CLASSES))
    probs[np.arange(len(predicted)), predicted] += 4
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def _attention(random: np.random.Generator, name: str, shape: tuple[int, ...], num_prefix: int) -> Arrays:
    num_images, tokens = shape[0], GRID * GRID + num_prefix
    logits = 1.5 * random.normal(size=(*shape, tokens, tokens))
    weights = np.exp(logits)
    weights /= weights.sum(axis=-1, keepdims=True)
    scale = weights.max(axis=-1)
    pool = np.exp(random.normal(size=(num_images, tokens)))
    pool = np.eye(tokens)[np.zeros(num_images, dtype=int)] if num_prefix else pool / pool.sum(axis=1, keepdims=True)
    similarity = np.cos(0.4 * _distances())
    return {
        f"{name}_attention": np.rint(255 * weights / scale[..., None]).astype(np.uint8),
        f"{name}_scale": scale.astype(np.float32),
        f"{name}_pool": pool.astype(np.float32),
        f"{name}_grid": np.array([GRID, GRID, num_prefix, 28 // GRID]),
        f"{name}_similarity": np.rint(255 * (similarity + 1) / 2).astype(np.uint8),
        f"{name}_positions": np.array("learned" if num_prefix else "sincos2d"),
    }


def _distances() -> NDArray[np.float64]:
    """Between the patches of the grid, [grid, grid, grid, grid]."""
    rows, columns = np.indices((GRID, GRID))
    return np.hypot(rows[:, :, None, None] - rows, columns[:, :, None, None] - columns)
