"""Where each token is in the image, and how the tokens are pooled for the head."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import as_input, eval_mode, unwrapped
from fittingroom.models.hybrid import HybridTransformer
from fittingroom.models.vit import VisionTransformer

Pool = Literal["class", "mean", "all", "sequence"]
HUGGING_FACE_PREFIX = {"vit": 1, "deit": 2}
"""Number of prefix tokens by Hugging Face model type: DeiT has a class token and a distillation token."""


@dataclass(frozen=True, kw_only=True)
class TokenLayout:
    """The tokens of one image: `num_prefix_tokens` without a position, then the grid row by row."""

    grid_height: int
    grid_width: int
    num_prefix_tokens: int
    pool: Pool
    """The input of the head: the class token, the mean of the grid's tokens or of all, or a learned weighted mean (CCT)."""
    image_height: int
    """Pixels."""
    image_width: int
    """Pixels."""

    @property
    def num_tokens(self) -> int:
        """Prefix and grid tokens."""
        return self.num_prefix_tokens + self.grid_height * self.grid_width


def token_layout(model: nn.Module, images: Float[Tensor, "batch channels height width"] | None = None) -> TokenLayout:
    """The layout of our ViTs and hybrids, of timm's ViTs, and of Hugging Face's ViT and DeiT.

    With `images`, it is the layout for images of their size: some networks interpolate their positions and take any size.
    Without, it is the layout of the size that the network was built for.
    Raises FittingRoomError for a CNN, and for any network with an unknown layout.
    """
    network = unwrapped(model)
    if isinstance(network, VisionTransformer):
        pool: Pool = "class" if network.config.pool == "cls" else "mean"
        layout: TokenLayout | None = _layout(network.grid, network.image_size, network.num_prefix_tokens, pool)
    elif isinstance(network, HybridTransformer):
        layout = _layout(network.grid, network.image_size, 0, network.config.pool)
    else:
        layout = _timm_layout(network) or _hugging_face_layout(network)
    if layout is None:
        raise FittingRoomError(
            f"{type(network).__name__} has no known token layout: choose a vit or a hybrid, or the method 'gradcam'"
        )
    return layout if images is None else _for_size(layout, network, (images.shape[-2], images.shape[-1]))


def check_tokens(layout: TokenLayout, num_tokens: int) -> None:
    """Raise FittingRoomError if a network has not as many tokens as its layout says: their places are not known then."""
    if num_tokens != layout.num_tokens:
        raise FittingRoomError(
            f"the network has {num_tokens} tokens for an image of {layout.image_height} x {layout.image_width}, but "
            f"{layout.grid_height} x {layout.grid_width} patches and {layout.num_prefix_tokens} other tokens were expected: give "
            "images of the size that it was built for, or choose the method 'random'"
        )


def has_tokens(model: nn.Module) -> bool:
    """True if `token_layout` knows this network."""
    try:
        token_layout(model)
    except FittingRoomError:
        return False
    return True


def pool_weights(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch tokens"]:
    """The weight of each token in the vector that the head reads, on the CPU. Rows sum to 1.

    Class token: 1 for token 0. Mean: equal for all tokens of the grid. Sequence pooling (CCT, arXiv 2104.05704, equation 4):
    the softmax that the network computes for this image.
    """
    layout = token_layout(model, images)
    if layout.pool == "sequence":
        network = unwrapped(model)
        with eval_mode(model), torch.no_grad():
            tokens = network.forward_features(as_input(network, images))
            return network.pool.attention(tokens).squeeze(-1).float().softmax(dim=1).cpu()
    weights = torch.zeros(len(images), layout.num_tokens)
    if layout.pool == "class":
        weights[:, 0] = 1.0
    elif layout.pool == "all":
        weights[:] = 1.0 / layout.num_tokens
    else:
        weights[:, layout.num_prefix_tokens :] = 1.0 / (layout.grid_height * layout.grid_width)
    return weights


def _layout(grid: tuple[int, int], image_size: tuple[int, int], num_prefix_tokens: int, pool: Pool) -> TokenLayout:
    return TokenLayout(
        grid_height=grid[0],
        grid_width=grid[1],
        num_prefix_tokens=num_prefix_tokens,
        pool=pool,
        image_height=image_size[0],
        image_width=image_size[1],
    )


def _for_size(layout: TokenLayout, network: Any, size: tuple[int, int]) -> TokenLayout:
    """The layout for images of another size: patches keep their size in pixels."""
    built_for = (layout.image_height, layout.image_width)
    if size == built_for:
        return layout
    patches = getattr(network, "patch_embed", None)
    patch = getattr(patches, "patch_size", None) or getattr(getattr(network, "config", None), "patch_size", None)
    if patch is None:
        patch = (built_for[0] // layout.grid_height, built_for[1] // layout.grid_width)
    sides = (patch, patch) if isinstance(patch, int) else tuple(patch)
    if (
        getattr(getattr(patches, "backbone", None), "forward", None) is not None
    ):  # timm's hybrids patch a map of features
        sides = (built_for[0] // layout.grid_height, built_for[1] // layout.grid_width)
    elif any(pixels % side for pixels, side in zip(size, sides, strict=True)) and not _pads(patches):
        # The network would leave out pixels at the edges, and a map over the whole image would be shifted.
        raise FittingRoomError(
            f"images of {size[0]} x {size[1]} are not a whole number of patches of {sides[0]} x {sides[1]}: resize or crop them"
        )
    rounded = math.ceil if _pads(patches) else math.floor
    height, width = (rounded(pixels / side) for pixels, side in zip(size, sides, strict=True))
    return replace(layout, grid_height=height, grid_width=width, image_height=size[0], image_width=size[1])


def _pads(patches: Any) -> bool:
    """Whether a network of timm pads images to whole patches."""
    return bool(getattr(patches, "dynamic_img_pad", False))


def _timm_layout(network: Any) -> TokenLayout | None:
    """From the attributes of timm's VisionTransformer. None if they are missing or the pooling is unknown."""
    patches = getattr(network, "patch_embed", None)
    grid, image = (getattr(patches, name, None) for name in ("grid_size", "img_size"))
    pool: Pool | None = {"token": "class", "avg": "mean"}.get(getattr(network, "global_pool", None) or "")  # type: ignore[assignment]
    if grid is None or image is None or pool is None:
        return None
    if pool == "mean" and getattr(network, "pool_include_prefix", False):
        pool = "all"
    return _layout(grid, image, getattr(network, "num_prefix_tokens", 1), pool)


def _hugging_face_layout(network: Any) -> TokenLayout | None:
    config = getattr(network, "config", None)
    prefix = HUGGING_FACE_PREFIX.get(getattr(config, "model_type", ""))
    if config is None or prefix is None or type(network).__name__.endswith("WithTeacher"):
        return None
    (height, width), (patch_height, patch_width) = (
        (size, size) if isinstance(size, int) else tuple(size) for size in (config.image_size, config.patch_size)
    )
    return _layout((height // patch_height, width // patch_width), (height, width), prefix, "class")
