"""What the first layer looks for: its filters, or the principal components of a patch projection."""

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import unwrapped


def conv_filters(model: nn.Module) -> Float[np.ndarray, "filters channels height width"]:
    """The weights of the network's first 2-D convolution. Raises FittingRoomError if there is none."""
    return first_convolution(model).weight.detach().float().cpu().numpy().copy()


def patch_components(
    model: nn.Module, num: int = 28
) -> tuple[Float[np.ndarray, "num channels height width"], Float[np.ndarray, " num"]]:
    """Principal components of the patch projection's filters (ViT, arXiv 2010.11929, figure 7 left), strongest first.

    The filters of all D outputs are centred and decomposed. Each component has length 1, and its largest weight is positive. The
    second array is the share of variance that each component explains. There are at most as many components as values in a
    patch. Raises FittingRoomError for a network that does not cut its images into patches.
    """
    if num < 1:
        raise FittingRoomError(f"num {num} is too small: ask for at least 1 component")
    conv = first_convolution(model)
    if conv.stride != conv.kernel_size:
        raise FittingRoomError(
            f"{type(unwrapped(model)).__name__} projects no patches (its first convolution overlaps): "
            "use conv_filters, or choose a vit"
        )
    filters = conv.weight.detach().double().cpu().flatten(1)
    _, lengths, components = torch.linalg.svd(filters - filters.mean(dim=0), full_matrices=False)
    largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
    components = (components * largest.sign()).view(-1, *conv.weight.shape[1:])
    explained = lengths.square() / lengths.square().sum().clamp_min(torch.finfo(torch.float64).tiny)
    return components[:num].float().numpy(), explained[:num].float().numpy()


def first_convolution(model: nn.Module) -> nn.Conv2d:
    """The first 2-D convolution in the order of definition. Raises FittingRoomError if there is none."""
    network: nn.Module = unwrapped(model)
    conv = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if conv is None:
        raise FittingRoomError(f"{type(network).__name__} has no convolution, so there are no filters to show")
    return conv
