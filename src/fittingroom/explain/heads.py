"""How widely each head spreads its attention, and over what distance."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.eval_mode import chunks
from fittingroom.explain.tokens import TokenLayout, token_layout


def attention_entropy(
    layers: Sequence[Float[Tensor, "batch heads tokens tokens"]],
) -> Float[np.ndarray, "layers heads"]:
    """Entropy of the attention rows in nats, mean over images and queries: 0 for one token only, ln N for N equal ones."""
    return torch.stack([torch.special.entr(weights).sum(-1).mean(dim=(0, 2)) for weights in layers]).float().numpy()


def attention_distance(
    layers: Sequence[Float[Tensor, "batch heads tokens tokens"]], layout: TokenLayout
) -> Float[np.ndarray, "layers heads"]:
    """Mean attention distance in pixels (ViT, arXiv 2010.11929, figure 7 right), mean over images and patch queries.

    The distance from the centre of the query patch to that of each patch, weighted by attention. Prefix tokens have no place:
    they are left out on both sides, and the rest of the row is divided by its sum.
    """
    if any(weights.shape[-1] != layout.num_tokens for weights in layers):
        raise FittingRoomError(
            f"attention over {[weights.shape[-1] for weights in layers]} tokens does not fit a layout of "
            f"{layout.num_tokens}: take both from the same model"
        )
    distance, prefix = patch_distances(layout), layout.num_prefix_tokens
    found = []
    for weights in layers:
        patches = weights[..., prefix:, prefix:]
        share = patches / patches.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(patches.dtype).tiny)
        found.append((share * distance).sum(-1).mean(dim=(0, 2)))
    return torch.stack(found).float().numpy()


def head_statistics(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> tuple[Float[np.ndarray, "layers heads"], Float[np.ndarray, "layers heads"]]:
    """`attention_entropy` and `attention_distance` for any number of images, in bounded memory."""
    layout, total = token_layout(model, images), len(images)
    entropy, distance = 0.0, 0.0
    for part in chunks(images):
        layers, share = attention_layers(model, images[part]), len(images[part]) / total
        entropy = entropy + share * attention_entropy(layers)
        distance = distance + share * attention_distance(layers, layout)
    return np.asarray(entropy, dtype=np.float32), np.asarray(distance, dtype=np.float32)


def patch_distances(layout: TokenLayout) -> Float[Tensor, "patches patches"]:
    """Distance between the centres of all pairs of patches, pixels."""
    rows = torch.arange(layout.grid_height) * (layout.image_height / layout.grid_height)
    columns = torch.arange(layout.grid_width) * (layout.image_width / layout.grid_width)
    centres = torch.cartesian_prod(rows, columns).float()
    return torch.linalg.vector_norm(centres[:, None] - centres[None], dim=-1)
