"""The arrays of one network for the report's explorer. Reading them needs neither torch nor the network."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.catalogue import caption
from fittingroom.explain.eval_mode import chunks
from fittingroom.explain.examine import answers, positions_of
from fittingroom.explain.methods import default_method, resized, saliency
from fittingroom.explain.tokens import TokenLayout, has_tokens, pool_weights, token_layout


def explorer_arrays(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    *,
    beats_random: bool | None = None,
    shown: tuple[int, int] | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of one model for `explorer.npz`. N images, C classes, L layers, Hd heads, T tokens, grid gh x gw:

    probs      float32 (N, C)        softmax of the logits
    saliency   float16 (N, H, W)     the default method's map for the predicted class; an image's maximum is 1 (0 if empty)
    method     str ()                that method's name
    caption    str ()                one sentence about it, with a warning if `beats_random` is False
    only for networks with tokens, and if the pictures are shown as the network got them:
    attention  uint8 (N, L, Hd, T, T), scale float32 (N, L, Hd, T): weight = attention / 255 * scale
    pool       float32 (N, T)        share of each token in the answer
    grid       int64 (4,)            gh, gw, number of prefix tokens, side of a patch in pixels
    only if positions are added to the tokens:
    similarity uint8 (gh, gw, gh, gw): (cosine + 1) / 2 * 255
    positions  str ()                learned, sincos2d, sincos1d

    `shown` is the size (height, width) in which people see the images; by default that of `images`.
    """
    if not len(images):
        raise FittingRoomError("the explorer needs images: give at least one")
    probs, method = answers(model, images), default_method(model)
    size = (images.shape[-2], images.shape[-1])
    maps = resized(saliency(model, images, torch.from_numpy(probs.argmax(axis=1)), method), shown or size)
    tallest = maps.max(axis=(1, 2), keepdims=True)
    arrays = {
        "probs": probs.astype(np.float32),
        "saliency": (maps / np.where(tallest > 0, tallest, 1.0)).astype(np.float16),
        "method": np.array(method),
        "caption": np.array(caption(method, beats_random)),
    }
    if has_tokens(model) and shown in (None, size):
        layout = token_layout(model)
        arrays |= _attention_arrays(model, images, layout) | _position_arrays(model)
    return arrays


def quantise(weights: Float[np.ndarray, "... keys"]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of weights as uint8, and the maximum of each row: `weight = uint8 / 255 * scale`, off by at most scale / 510."""
    scale = weights.max(axis=-1).astype(np.float32)
    share = weights / np.where(scale > 0, scale, 1.0)[..., None]
    return np.round(share * 255).astype(np.uint8), scale


def _attention_arrays(model: nn.Module, images: Tensor, layout: TokenLayout) -> dict[str, np.ndarray]:
    found, pools = [], []
    for part in chunks(images):
        found.append(quantise(torch.stack(attention_layers(model, images[part]), dim=1).numpy()))
        pools.append(pool_weights(model, images[part]).numpy())
    side = layout.image_height // layout.grid_height
    return {
        "attention": np.concatenate([weights for weights, _ in found]),
        "scale": np.concatenate([scale for _, scale in found]),
        "pool": np.concatenate(pools).astype(np.float32),
        "grid": np.array([layout.grid_height, layout.grid_width, layout.num_prefix_tokens, side], dtype=np.int64),
    }


def _position_arrays(model: nn.Module) -> dict[str, np.ndarray]:
    positions = positions_of(model)
    if positions is None:
        return {}
    similarity = np.round((positions.similarity + 1) / 2 * 255).astype(np.uint8)
    return {"similarity": similarity, "positions": np.array(positions.kind)}
