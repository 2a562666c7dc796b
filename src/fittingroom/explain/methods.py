"""The ways to draw what a network looks at, by name: one map an image, over its pixels."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.core.randomness import generator
from fittingroom.explain.calling import check_targets, chunks, unwrapped
from fittingroom.explain.capture import attention_layers
from fittingroom.explain.gradcam import feature_grid, grad_cam
from fittingroom.explain.relevance import relevance
from fittingroom.explain.rollout import attention_rollout
from fittingroom.explain.tokens import has_tokens, pool_weights, token_layout
from fittingroom.models.registry import Family


@dataclass(frozen=True, kw_only=True)
class Method:
    """One way to make a map."""

    name: str
    title: str
    caption: str
    """One sentence for under the picture: what it shows, and what it does not."""
    families: tuple[Family, ...]


_TOKENS: tuple[Family, ...] = ("vit", "hybrid")
_ALL: tuple[Family, ...] = ("vit", "cnn", "hybrid")
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            name="attention",
            title="Last attention",
            caption="Where the last block's attention goes, averaged over its heads: what is gathered there, not what "
            "decides the answer.",
            families=_TOKENS,
        ),
        Method(
            name="rollout",
            title="Attention rollout",
            caption="Attention followed through all blocks, skip connections counted: where information can come from; it "
            "would be the same for any class.",
            families=_TOKENS,
        ),
        Method(
            name="relevance",
            title="Relevance",
            caption="Attention weighted by how much more of it would raise this class's score, through all blocks: what "
            "speaks for the class, not what speaks against it.",
            families=_TOKENS,
        ),
        Method(
            name="gradcam",
            title="Grad-CAM",
            caption="Where the last feature maps raise this class's score: a coarse grid, smoothed over the image, and "
            "nothing of what speaks against the class.",
            families=_ALL,
        ),
        Method(
            name="random",
            title="Random map",
            caption="Random numbers on the same grid: the baseline that an explanation has to beat.",
            families=_ALL,
        ),
    )
}


def methods_for(model: nn.Module) -> list[str]:
    """Names of the methods that can explain `model`: those of attention need tokens whose layout is known."""
    tokens = has_tokens(model)
    return [name for name, method in METHODS.items() if tokens or "cnn" in method.families]


def default_method(model: nn.Module) -> str:
    """'relevance' for a network of tokens, 'gradcam' for others."""
    return "relevance" if has_tokens(model) else "gradcam"


def caption(method: str, beats_random: bool | None = None) -> str:
    """The sentence for under a map. `beats_random` is what `faithfulness.score` found, None where nobody has measured."""
    sentence = METHODS[check_method(method)].caption
    if beats_random is False:
        return f"{sentence} Measured by deletion and insertion, it does no better here than a random map."
    return sentence


def check_method(method: str) -> str:
    """The name itself, or FittingRoomError that names the nearest one."""
    if method not in METHODS:
        raise FittingRoomError(f"unknown method '{method}': {did_you_mean(method, METHODS)}")
    return method


def saliency(
    model: nn.Module,
    images: Float[Tensor, "batch channels height width"],
    targets: Int[Tensor, " batch"],
    method: str,
    seed: int = 0,
) -> Float[np.ndarray, "batch height width"]:
    """How much each pixel counts, at least 0, in a unit of its own for each method and image; larger is more.

    Made on the network's own grid, then bilinear. `targets` are the classes to explain; "attention" and "rollout" do not depend
    on them, and `seed` matters to "random" alone. Raises FittingRoomError where the network does not have what the method needs.
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
    maps = [_maps(model, images[part], targets[part], method) for part in chunks(len(images))]
    return upsample(torch.cat(maps), (height, width)).numpy()


def random_maps(
    num: int, size: tuple[int, int], grid: tuple[int, int], seed: int
) -> Float[np.ndarray, "num height width"]:
    """Maps of `size` (height, width) from uniform numbers on `grid`: as coarse as an explanation made on that grid."""
    cells = torch.rand(num, *grid, generator=generator(seed, "random saliency"))
    return upsample(cells, size).numpy()


def upsample(maps: Float[Tensor, "batch gh gw"], size: tuple[int, int]) -> Float[Tensor, "batch height width"]:
    """Bilinear, pixel centres aligned, nothing below 0."""
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0].clamp_min(0.0)


def map_grid(model: nn.Module, images: Float[Tensor, "batch channels height width"]) -> tuple[int, int]:
    """Height and width of the network's own grid, on which its maps are made."""
    if has_tokens(model):
        layout = token_layout(model)
        return layout.grid_height, layout.grid_width
    return feature_grid(model, images)


def _maps(model: nn.Module, images: Tensor, targets: Tensor, method: str) -> Tensor:
    """One float32 map on the network's grid an image, at most CHUNK images."""
    if method == "gradcam":
        return torch.from_numpy(grad_cam(model, images, targets))
    if method == "relevance":
        found = relevance(model, images, targets)
        # The identity is where the sum starts; it is the same for every image.
        tokens = found - torch.eye(found.shape[-1])
    else:
        layers = attention_layers(model, images)
        tokens = layers[-1].mean(dim=1) if method == "attention" else attention_rollout(layers)[-1]
    layout = token_layout(model)
    row = (pool_weights(model, images)[:, None] @ tokens)[:, 0, layout.num_prefix_tokens :]
    return row.unflatten(1, (layout.grid_height, layout.grid_width))
