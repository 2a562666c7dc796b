"""Grad-CAM: "Visual Explanations from Deep Networks via Gradient-based Localization" (Selvaraju 2017, arXiv 1610.02391)."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import (
    as_input,
    check_differentiable,
    check_targets,
    chunks,
    differentiating,
    eval_mode,
    logits_of,
    target_score,
    unwrapped,
)
from fittingroom.explain.tokens import check_tokens, token_layout
from fittingroom.models.cnn import ConvNet
from fittingroom.models.efficientnet import EfficientNetLite


def grad_cam(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
    *,
    layer: nn.Module | None = None,
) -> Float[np.ndarray, "batch gh gw"]:
    """`relu(sum over channels k of a_k A_k)`, a_k the mean over the map of dy/dA_k (equations 1 and 2), y the target's logit.

    A is the output of `layer`. By default that is the last stage of a CNN; for a ViT or a hybrid, it is the normalised tokens
    that enter the attention of the last block, laid out as maps (after that block, a class token no longer reads the others).
    """
    check_targets(images, targets)
    chosen = layer if layer is not None else gradcam_layer(model)
    parts = [_cam_of(model, images[part], targets[part], chosen) for part in chunks(images)]
    return torch.cat(parts).numpy()


def gradcam_layer(model: nn.Module) -> nn.Module:
    """The default layer of `grad_cam`. Raises FittingRoomError if none is known."""
    network: Any = unwrapped(model)
    if isinstance(network, torch.jit.ScriptModule):
        raise FittingRoomError("a TorchScript module cannot be explained: give the network that it was made from")
    if isinstance(network, ConvNet | EfficientNetLite):
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
    raise FittingRoomError(f"{type(network).__name__} has no default layer for Grad-CAM: give one with layer=")


def feature_grid(model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> tuple[int, int]:
    """Height and width of the maps that `grad_cam` makes for these images."""
    targets = torch.zeros(1, dtype=torch.int64)
    height, width = grad_cam(model, images[:1], targets).shape[1:]
    return height, width


def _cam_of(model: nn.Module, images: Tensor, targets: Tensor, layer: nn.Module) -> Tensor:
    check_differentiable(model)
    seen: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        seen.append(output)

    handle = layer.register_forward_hook(keep)
    try:
        with eval_mode(model), differentiating():
            logits = logits_of(model(as_input(model, images).requires_grad_()))
            if not seen:
                raise FittingRoomError(f"{type(layer).__name__} did not run: give a layer that belongs to the model")
            (gradient,) = torch.autograd.grad(target_score(logits, targets), seen[-1])
            maps, slopes = (_as_maps(model, images, each.detach().float()) for each in (seen[-1], gradient))
            return (slopes.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1).relu().cpu()
    finally:
        handle.remove()


def _as_maps(model: nn.Module, images: Tensor, output: Tensor) -> Tensor:
    """Feature maps unchanged; tokens (B, N, D) without prefix tokens as maps (B, D, gh, gw)."""
    if output.ndim == 4:
        return output
    layout = token_layout(model, images)
    check_tokens(layout, output.shape[1])
    tokens = output[:, layout.num_prefix_tokens :]
    return tokens.transpose(1, 2).unflatten(2, (layout.grid_height, layout.grid_width))
