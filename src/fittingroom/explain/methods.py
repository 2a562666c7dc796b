"""The maps of the methods in catalogue.py, by name: one per image, over its pixels."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import generator
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.catalogue import METHODS, check_method
from fittingroom.explain.eval_mode import check_targets, chunks, unwrapped
from fittingroom.explain.gradcam import feature_grid, grad_cam
from fittingroom.explain.relevance import relevance
from fittingroom.explain.rollout import attention_rollout
from fittingroom.explain.tokens import check_tokens, has_tokens, pool_weights, token_layout


def methods_for(model: nn.Module) -> list[str]:
    """Names of the methods that can explain `model`. Methods of attention need tokens with a known layout."""
    tokens = has_tokens(model)
    return [name for name, method in METHODS.items() if tokens or "cnn" in method.families]


def default_method(model: nn.Module) -> str:
    """'relevance' for a network with tokens, 'gradcam' for others."""
    return "relevance" if has_tokens(model) else "gradcam"


def saliency(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
    method: str,
    seed: int = 0,
) -> Float[np.ndarray, "batch height width"]:
    """How much each pixel counts: 0 or more, larger is more important. Units differ between methods and images.

    Maps are made on the network's own grid and enlarged bilinearly. `targets` are the classes to explain; "attention" and
    "rollout" do not depend on them. Only "random" uses `seed`. Raises FittingRoomError if the method does not suit the network.
    """
    check_targets(images, targets)
    if check_method(method) not in methods_for(model):
        raise FittingRoomError(
            f"method '{method}' needs attention between tokens, which {type(unwrapped(model)).__name__} does not have: "
            f"choose one of {', '.join(methods_for(model))}"
        )
    height, width = images.shape[-2:]
    if method == "random":
        return random_maps(len(images), (height, width), map_grid(model, images), seed)
    maps = [_maps(model, images[part], targets[part], method) for part in chunks(images)]
    return upsample(torch.cat(maps), (height, width)).numpy()


def attention_on_grid(
    model: nn.Module, images: Float[Tensor, "batch channels height width"], *, layer: int = -1, head: int | None = None
) -> Float[Tensor, "batch gh gw"]:
    """The share of one block's attention that each patch receives from the tokens from which the answer is computed.

    `head` None is the mean of all heads. Raises FittingRoomError for a network without tokens, or a layer or head it lacks.
    """
    token_layout(model)  # fails before the model runs
    found = []
    for part in chunks(images):
        layers = attention_layers(model, images[part])
        weights = layers[_checked("layer", layer, len(layers))]
        tokens = weights.mean(dim=1) if head is None else weights[:, _checked("head", head, weights.shape[1])]
        found.append(_on_grid(model, images[part], tokens))
    return torch.cat(found)


def _checked(name: str, number: int, count: int) -> int:
    if not -count <= number < count:
        raise FittingRoomError(f"there is no {name} {number}: choose 0 to {count - 1}, or {-count} to -1 from the end")
    return number


def random_maps(
    num: int, size: tuple[int, int], grid: tuple[int, int], seed: int
) -> Float[np.ndarray, "num height width"]:
    """Maps of `size` (height, width) from uniform numbers on `grid`: as coarse as an explanation made on that grid."""
    cells = torch.rand(num, *grid, generator=generator(seed, "random saliency"))
    return upsample(cells, size).numpy()


def resized(maps: Float[np.ndarray, "batch height width"], size: tuple[int, int]) -> Float[np.ndarray, "batch h w"]:
    """The maps at another size in pixels: that of the pictures that are shown, where the network got larger or smaller ones."""
    if maps.shape[1:] == size:
        return maps
    return F.interpolate(torch.from_numpy(maps)[:, None], size=size, mode="bilinear", antialias=True)[:, 0].numpy()


def upsample(maps: Float[Tensor, "batch gh gw"], size: tuple[int, int]) -> Float[Tensor, "batch height width"]:
    """Enlarge bilinearly, with pixel centres aligned and nothing below 0."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0].clamp_min(0.0)


def map_grid(model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> tuple[int, int]:
    """Height and width of the network's own grid, on which its maps are made."""
    if has_tokens(model):
        layout = token_layout(model, images)
        return layout.grid_height, layout.grid_width
    return feature_grid(model, images)


def _maps(model: nn.Module, images: Tensor, targets: Tensor, method: str) -> Tensor:
    """One float32 map per image on the network's grid, for at most CHUNK images."""
    if method == "gradcam":
        return torch.from_numpy(grad_cam(model, images, targets))
    if method == "relevance":
        found = relevance(model, images, targets)
        # The sum starts with the identity, which is the same for every image.
        return _on_grid(model, images, found - torch.eye(found.shape[-1]))
    layers = attention_layers(model, images)
    return _on_grid(model, images, layers[-1].mean(dim=1) if method == "attention" else attention_rollout(layers)[-1])


def _on_grid(model: nn.Module, images: Tensor, tokens: Tensor) -> Tensor:
    """What the patches give to the tokens from which the answer is computed: (B, N, N) -> (B, gh, gw)."""
    layout = token_layout(model, images)
    check_tokens(layout, tokens.shape[-1])
    row = (pool_weights(model, images)[:, None] @ tokens)[:, 0, layout.num_prefix_tokens :]
    return row.unflatten(1, (layout.grid_height, layout.grid_width))
