"""Grad-CAM: "Visual Explanations from Deep Networks via Gradient-based Localization" (Selvaraju 2017, arXiv 1610.02391)."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import (
    as_input,
    check_targets,
    chunks,
    differentiating,
    eval_mode,
    logits_of,
    target_score,
    unwrapped,
)
from fittingroom.explain.tokens import token_layout
from fittingroom.models.cnn import ConvNet


def grad_cam(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
    *,
    layer: nn.Module | None = None,
) -> Float[np.ndarray, "batch gh gw"]:
    """`relu(sum over channels k of a_k A_k)`, a_k the mean over the map of dy/dA_k (equations 1 and 2), y the target's logit.

    A is the output of `layer`: by default the last stage of a CNN, and for a ViT or a hybrid the normalised tokens that enter
    the last block's attention, laid out as maps (behind that block a class token would no longer see the others).
    """
    check_targets(images, targets)
    chosen = layer if layer is not None else gradcam_layer(model)
    parts = [_cam_of(model, images[part], targets[part], chosen) for part in chunks(len(images))]
    return torch.cat(parts).numpy()


def gradcam_layer(model: nn.Module) -> nn.Module:
    """The layer that `grad_cam` looks at by default. Raises FittingRoomError where none is known."""
    network: Any = unwrapped(model)
    if isinstance(network, ConvNet):
        return network.stages
    blocks = getattr(network, "blocks", None)
    if blocks is not None and len(blocks) and hasattr(blocks[-1], "norm1"):
        return blocks[-1].norm1
    named: list[tuple[str, nn.Module]] = list(network.named_modules())
    for is_it in (
        lambda name, module: name.endswith("layernorm_before"),  # Hugging Face's ViT
        lambda name, module: isinstance(module, nn.Conv2d),
    ):
        found = [module for name, module in named if is_it(name, module)]
        if found:
            return found[-1]
    raise FittingRoomError(f"{type(network).__name__} has no layer known to Grad-CAM: name one with layer=")


def feature_grid(model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> tuple[int, int]:
    """Height and width of the map that `grad_cam` makes of such images."""
    targets = torch.zeros(1, dtype=torch.int64)
    height, width = grad_cam(model, images[:1], targets).shape[1:]
    return height, width


def _cam_of(model: nn.Module, images: Tensor, targets: Tensor, layer: nn.Module) -> Tensor:
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.append(output)

    handle = layer.register_forward_hook(keep)
    try:
        with eval_mode(model), differentiating():
            logits = logits_of(model(as_input(model, images).requires_grad_()))
            if not seen:
                raise FittingRoomError(f"{type(layer).__name__} did not run: name a layer of the model itself")
            (gradient,) = torch.autograd.grad(target_score(logits, targets), seen[-1])
            maps, slopes = (_as_maps(model, each.detach().float()) for each in (seen[-1], gradient))
            return (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu().cpu()
    finally:
        handle.remove()


def _as_maps(model: nn.Module, output: Tensor) -> Tensor:
    """(B, C, gh, gw): maps as they are, tokens (B, N, D) without their prefix, row by row."""
    if output.ndim == 4:
        return output
    layout = token_layout(model)
    tokens = output[:, layout.num_prefix_tokens :]
    return tokens.transpose(1, 2).unflatten(2, (layout.grid_height, layout.grid_width))
