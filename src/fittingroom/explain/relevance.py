"""Relevance by gradient-weighted attention: "Generic Attention-model Explainability" (Chefer et al. 2021, arXiv 2103.15679)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.explain.capture import capture_attention, self_attention
from fittingroom.explain.eval_mode import (
    as_input,
    check_differentiable,
    check_targets,
    chunks,
    differentiating,
    eval_mode,
    logits_of,
    target_score,
)


def relevance(
    model: nn.Module, images: Float[Tensor, "batch channels height width"], targets: Int[Tensor, " batch"]
) -> Float[Tensor, "batch tokens tokens"]:
    """R, float32 on the CPU: how much token j (column) counts for token i (row) of the last layer, for the classes `targets`.

    R starts as the identity. For each layer, from the first: `R <- R + mean over heads of (A * dy/dA)+  R` (equations 5 and 6),
    with A the attention weights and y the logit of the target class. Leaves no gradient in the network.
    Raises FittingRoomError for a network without attention.
    """
    check_targets(images, targets)
    parts = [_relevance_of(model, images[part], targets[part]) for part in chunks(images)]
    return torch.cat(parts)


def _relevance_of(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    check_differentiable(model)
    with eval_mode(model), differentiating():
        # This makes a graph even if all parameters are frozen. The gradient of the images itself is not used.
        pixels = as_input(model, images).requires_grad_()
        with capture_attention(model, keep_graph=True) as caught:
            logits = logits_of(model(pixels))
        layers = self_attention(caught, len(images))
        gradients = torch.autograd.grad(target_score(logits, targets), layers)
        return _accumulate([each.detach() for each in layers], gradients).float().cpu()


def _accumulate(layers: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Equations 5 and 6 over the layers."""
    found = torch.eye(layers[0].shape[-1], dtype=layers[0].dtype, device=layers[0].device)
    found = found.expand(len(layers[0]), -1, -1)
    for weights, gradient in zip(layers, gradients, strict=True):
        found = found + (weights * gradient).clamp_min(0.0).mean(dim=1) @ found
    return found
