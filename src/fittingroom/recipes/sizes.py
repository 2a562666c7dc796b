"""Sizes of the image families: six steps from about 4 M to 160 M multiply-adds per image of 28x28 pixels.

One rule per family:

- cnn: stages of w, 2w, 4w channels.
- hybrid: the same widths in the tokenizer, tokens of width 4w, four heads.
- vit: four blocks with heads of width 16. Up to `small` the image has about 4x4 patches, from `medium` on about 7x7.

`base` is the network of the recipes for 5, 20 and 50 epochs. A time budget chooses the size itself (recipes/budget.py).
"""

import math
from collections.abc import Mapping
from typing import Any

from fittingroom.core.errors import FittingRoomError, did_you_mean

SIZES = ("nano", "tiny", "small", "medium", "base", "large")
WIDTHS = {"nano": 8, "tiny": 12, "small": 16, "medium": 24, "base": 32, "large": 48}
"""w, the channels of the first stage of a CNN or hybrid."""
TOKENS = {"nano": (4, 64), "tiny": (4, 96), "small": (4, 128), "medium": (7, 96), "base": (7, 128), "large": (7, 192)}
"""Patches along a side, and the width of a token, of a ViT."""
HEAD_WIDTH = 16
MACS = {
    "cnn": {"nano": 4.6e6, "tiny": 10.2e6, "small": 18.2e6, "medium": 40.8e6, "base": 72.5e6, "large": 162.9e6},
    "hybrid": {"nano": 4.7e6, "tiny": 10.4e6, "small": 18.2e6, "medium": 40.4e6, "base": 71.3e6, "large": 159.4e6},
    "vit": {"nano": 3.3e6, "tiny": 7.4e6, "small": 12.9e6, "medium": 23.6e6, "base": 41.1e6, "large": 90.5e6},
}
"""Multiply-adds of each size for one image of 28x28 grey pixels."""
SIZED = ("cnn", "hybrid", "vit")
"""The models that have sizes; each has the name of its family."""


def size_settings(model: str, size: str, image_size: tuple[int, int] = (28, 28)) -> dict[str, Any]:
    """The model settings that give `model` this size, for images of `image_size` (height, width) pixels.

    Raises FittingRoomError for an unknown size, and for a model that has none.
    """
    if model not in SIZED:
        raise FittingRoomError(f"{model} has no sizes: choose {', '.join(SIZED)}, or set its widths and depth yourself")
    if size not in SIZES:
        raise FittingRoomError(f"unknown size '{size}' for {model}: {did_you_mean(size, SIZES)}")
    width = WIDTHS[size]
    if model == "cnn":
        return {"widths": [width, 2 * width, 4 * width]}
    if model == "hybrid":
        stem = [width, *3 * [2 * width], *2 * [4 * width]]
        return {"stem_widths": stem, "embed_dim": 4 * width}
    patches, dim = TOKENS[size]
    return {
        "patch_size": patch_size(image_size, patches),
        "embed_dim": dim,
        "num_heads": dim // HEAD_WIDTH,
    }


def size_of(model: str, settings: Mapping[str, Any], image_size: tuple[int, int] = (28, 28)) -> str:
    """The size that has these model settings; empty if no size has them all."""
    if model not in SIZED:
        return ""
    sized = {size: size_settings(model, size, image_size) for size in SIZES}
    return next((size for size in SIZES if all(settings.get(key) == value for key, value in sized[size].items())), "")


def patch_size(image_size: tuple[int, int], patches: int) -> int:
    """The side of a patch, pixels. It tiles the image and comes closest to `patches`^2 patches."""
    height, width = image_size
    common = math.gcd(height, width)
    fits = [side for side in range(1, common + 1) if common % side == 0]
    return min(fits, key=lambda side: abs(math.log(height * width / side**2 / patches**2)))
