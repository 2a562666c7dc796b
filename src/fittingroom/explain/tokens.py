"""Which token stands for which part of the image, and how the tokens become the answer."""

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
"""Prefix tokens by Hugging Face's model type: DeiT has a distillation token beside its class token."""


@dataclass(frozen=True, kw_only=True)
class TokenLayout:
    """The tokens of one image: `num_prefix_tokens` without a place, then the grid row by row."""

    grid_height: int
    grid_width: int
    num_prefix_tokens: int
    pool: Pool
    """What the answer is read from: the class token, the mean of the grid's tokens, or their learned weighted mean (CCT)."""
    image_height: int
    """Pixels."""
    image_width: int
    """Pixels."""

    @property
    def num_tokens(self) -> int:
        """All of them, N."""
        return self.num_prefix_tokens + self.grid_height * self.grid_width


def token_layout(model: nn.Module) -> TokenLayout:
    """The layout of our ViTs and hybrids, of timm's ViTs and of Hugging Face's ViT and DeiT.

    Raises FittingRoomError for a CNN, and for a network whose layout cannot be told.
    """
    network = unwrapped(model)
    if isinstance(network, VisionTransformer):
        config = network.config
        side = config.img_size // config.patch_size
        pool: Pool = "class" if config.pool == "cls" else "mean"
        return _square(side, network.num_prefix_tokens, pool, config.img_size)
    if isinstance(network, HybridTransformer):
        config = network.config
        return _square(config.grid, 0, "sequence" if config.pool == "sequence" else "mean", config.img_size)
    layout = _timm_layout(network) or _hugging_face_layout(network)
    if layout is None:
        raise FittingRoomError(
            f"{type(network).__name__} has no tokens that are known here: choose a vit or a hybrid, or for this one 'gradcam'"
        )
    return layout


def has_tokens(model: nn.Module) -> bool:
    """Whether `token_layout` knows this network."""
    try:
        token_layout(model)
    except FittingRoomError:
        return False
    return True


def pool_weights(
    model: nn.Module, images: Float[Tensor, "batch channels height width"]
) -> Float[Tensor, "batch tokens"]:
    """The share of each token in the pooled one from which the head answers, on the CPU; rows sum to 1.

    Class token: 1 on token 0. Mean: equal on the grid's tokens. Sequence pooling (CCT, arXiv 2104.05704, equation 4): the
    softmax that the network computes for this image.
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


def _square(side: int, num_prefix_tokens: int, pool: Pool, img_size: int) -> TokenLayout:
    return TokenLayout(
        grid_height=side,
        grid_width=side,
        num_prefix_tokens=num_prefix_tokens,
        pool=pool,
        image_height=img_size,
        image_width=img_size,
    )


def _timm_layout(network: Any) -> TokenLayout | None:
    """By the attributes that timm's VisionTransformer has; None where they are missing or its pooling is another."""
    patches = getattr(network, "patch_embed", None)
    grid, image = (getattr(patches, name, None) for name in ("grid_size", "img_size"))
    pool: Pool | None = {"token": "class", "avg": "mean"}.get(getattr(network, "global_pool", None) or "")  # type: ignore[assignment]
    if grid is None or image is None or pool is None:
        return None
    return TokenLayout(
        grid_height=grid[0],
        grid_width=grid[1],
        num_prefix_tokens=getattr(network, "num_prefix_tokens", 1),
        pool=pool,
        image_height=image[0],
        image_width=image[1],
    )


def _hugging_face_layout(network: Any) -> TokenLayout | None:
    config = getattr(network, "config", None)
    prefix = HUGGING_FACE_PREFIX.get(getattr(config, "model_type", ""))
    if config is None or prefix is None or type(network).__name__.endswith("WithTeacher"):
        return None
    (height, width), (patch_height, patch_width) = (
        (size, size) if isinstance(size, int) else tuple(size) for size in (config.image_size, config.patch_size)
    )
    return TokenLayout(
        grid_height=height // patch_height,
        grid_width=width // patch_width,
        num_prefix_tokens=prefix,
        pool="class",
        image_height=height,
        image_width=width,
    )
