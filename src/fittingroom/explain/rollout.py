"""Attention rollout: "Quantifying Attention Flow in Transformers" (Abnar and Zuidema 2020, arXiv 2005.00928)."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from fittingroom.core.errors import FittingRoomError, did_you_mean

HeadFusion = Literal["mean", "max", "min"]


def attention_rollout(
    layers: Sequence[Float[Tensor, "batch heads tokens tokens"]],
    *,
    heads: HeadFusion = "mean",
    discard_rate: float = 0.0,
) -> Float[Tensor, "layers batch tokens tokens"]:
    """How much of each input token reaches each token of layer 1, 2, ..., L: `R_l = A_l R_(l-1)`, R_0 the identity.

    A is half attention and half identity (for the residual path, equation 1), each row divided by its sum. The paper takes the
    mean of the heads. Common variants take their maximum or minimum, and discard the smallest weights: here the lowest
    `discard_rate` of each row, but never its largest. Rows sum to 1. `layers` is the result of `attention_layers`. Raises
    FittingRoomError for an unknown fusion of heads, or a rate outside 0 to 1.
    """
    if heads not in ("mean", "max", "min"):
        raise FittingRoomError(f"unknown fusion of heads '{heads}': {did_you_mean(heads, ['mean', 'max', 'min'])}")
    if not 0 <= discard_rate < 1:
        raise FittingRoomError(f"discard_rate {discard_rate} is out of range: choose a number from 0 to below 1")
    if not layers:
        raise FittingRoomError("rollout needs at least one layer: give the result of attention_layers(model, images)")
    num_tokens = layers[0].shape[-1]
    identity = torch.eye(num_tokens, dtype=layers[0].dtype, device=layers[0].device)
    rollout, steps = identity.expand(len(layers[0]), -1, -1), []
    for weights in layers:
        fused = _fuse(weights, heads)
        lowest = fused.topk(int(discard_rate * num_tokens), dim=-1, largest=False).indices
        mixed = fused.scatter(-1, lowest, 0.0) + identity
        rollout = mixed / mixed.sum(dim=-1, keepdim=True) @ rollout
        steps.append(rollout)
    return torch.stack(steps)


def _fuse(weights: Tensor, heads: HeadFusion) -> Tensor:
    return weights.mean(dim=1) if heads == "mean" else weights.amax(dim=1) if heads == "max" else weights.amin(dim=1)
