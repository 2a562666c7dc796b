"""Where each token is in the image, and how the tokens are pooled for the head."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.eval_mode import as_input, eval_mode, unwrapped
from fittingroom.models.hybrid import HybridTransformer
from fittingroom.models.vit import VisionTransformer

Pool = Literal["class", "mean", "sequence"]
HUGGING_FACE_PREFIX = {"vit": 1, "deit": 2}
"""Number of prefix tokens by Hugging Face model type: DeiT has a class token and a distillation token."""


@dataclass(frozen=True, kw_only=True)
class TokenLayout:
    """The tokens of one image: `num_prefix_tokens` without a position, then the grid row by row."""

    grid_height: int
    grid_width: int
    num_prefix_tokens: int
    pool: Pool
    """The input of the head: the class token, the mean of the grid's tokens, or their learned weighted mean (CCT)."""
    image_height: int
    """Pixels."""
    image_width: int
    """Pixels."""

    @property
    def num_tokens(self) -> int:
        """Prefix and grid tokens."""
        return self.num_prefix_tokens + self.grid_height * self.grid_width


def token_layout(model: nn.Module) -> TokenLayout:
    """The layout of our ViTs and hybrids, of timm's ViTs, and of Hugging Face's ViT and DeiT.

    Raises FittingRoomError for a CNN, and for any network with an unknown layout.
    """
    network = unwrapped(model)
    if isinstance(network, VisionTransformer):
        pool: Pool = "class" if network.config.pool == "cls" else "mean"
        return _layout(network.grid, network.image_size, network.num_prefix_tokens, pool)
    if isinstance(network, HybridTransformer):
        return _layout(network.grid, network.image_size, 0, network.config.pool)
    layout = _timm_layout(network) or _hugging_face_layout(network)
    if layout is None:
        raise FittingRoomError(
            f"{type(network).__name__} has no known token layout: choose a vit or a hybrid, or the method 'gradcam'"
        )
    return layout


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
    layout = token_layout(model)
    if layout.pool == "sequence":
        network = unwrapped(model)
        with eval_mode(model), torch.no_grad():
            tokens = network.forward_features(as_input(network, images))
            return network.pool.attention(tokens).squeeze(-1).float().softmax(dim=1).cpu()
    weights = torch.zeros(len(images), layout.num_tokens)
    if layout.pool == "class":
        weights[:, 0] = 1.0
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


def _timm_layout(network: Any) -> TokenLayout | None:
    """From the attributes of timm's VisionTransformer. None if they are missing or the pooling is unknown."""
    patches = getattr(network, "patch_embed", None)
    grid, image = (getattr(patches, name, None) for name in ("grid_size", "img_size"))
    pool: Pool | None = {"token": "class", "avg": "mean"}.get(getattr(network, "global_pool", None) or "")  # type: ignore[assignment]
    if grid is None or image is None or pool is None:
        return None
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
