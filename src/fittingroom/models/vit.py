"""The Vision Transformer: "An Image Is Worth 16x16 Words" (Dosovitskiy et al. 2021, arXiv 2010.11929).

    paper                     here
    P, N = HW / P^2           patch_size, number of patch tokens
    L, D, heads, MLP size     depth, embed_dim, num_heads, mlp_ratio * embed_dim
    E, E_pos, x_class         patch_embed.proj, pos_embed, cls_token
    MSA, MLP, LN              blocks.N.attn, blocks.N.mlp, blocks.N.norm1/norm2 and norm

Deviations: the defaults are mean pooling and fixed 2-D sinusoidal positions, as in "Better plain ViT baselines" (arXiv
2205.01580), with the frequencies and the order of "Attention Is All You Need". The head is always one linear layer; the paper
pre-trains with a hidden layer. Positions are not interpolated to other resolutions (3.2). Images may be rectangular. The
paper's "hybrid architecture" (3.1) is in `models/hybrid.py`. Names and shapes are timm's, so weights move both ways (a timm
model with mean pooling needs `fc_norm=False`).
Initialisation: truncated normal 0.02 for linear layers, zeros for biases, torch's default for the patch projection.
"""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.config import config_dataclass
from fittingroom.models.image_size import ImageSize, ImageSizeError, check_image_size, height_width, size_text
from fittingroom.models.layers.attention import AttentionPath
from fittingroom.models.layers.blocks import NORM_EPSILON, Block, drop_path_rates, init_transformer
from fittingroom.models.layers.patches import PatchEmbed
from fittingroom.models.layers.positions import PositionKind, add_position_embedding
from fittingroom.models.registry import check_divides, check_mlp_ratio, check_positive, check_rate, variant
from fittingroom.models.roles import Roles


@config_dataclass
class ViTConfig:
    """The shape of a ViT."""

    img_size: ImageSize = 28
    """Size of the images, pixels: one number for squares, or [height, width]."""
    patch_size: int = 4
    """Side of a patch, pixels; must divide both sides of the image."""
    in_chans: int = 1
    """Colour channels of the images."""
    num_classes: int = 10
    """Number of classes."""
    embed_dim: int = 128
    """Width D of a token."""
    depth: int = 4
    """Number of blocks L."""
    num_heads: int = 4
    """Attention heads; must divide embed_dim."""
    mlp_ratio: float = 4.0
    """Hidden width of the MLP, as a multiple of embed_dim."""
    qkv_bias: bool = True
    """Add a bias to queries, keys and values."""
    drop_rate: float = 0.0
    """Dropout after the position embedding, attention and MLP layers."""
    drop_path_rate: float = 0.0
    """Stochastic depth of the last block; it grows linearly from 0 at the first."""
    positions: PositionKind = "sincos2d"
    """learned, sincos2d, sincos1d or none."""
    pool: Literal["mean", "cls"] = "mean"
    """Classify the mean of the patch tokens, or a class token."""
    attention_path: AttentionPath = "auto"
    """explicit, fused, or auto: explicit on a CPU, fused on other devices."""

    def __post_init__(self) -> None:
        check_image_size(self.img_size)
        check_positive(in_chans=self.in_chans, num_classes=self.num_classes, depth=self.depth, embed_dim=self.embed_dim)
        check_patch_size(self.patch_size, self.img_size)
        check_divides("embed_dim", self.embed_dim, "num_heads", self.num_heads)
        check_mlp_ratio(self.mlp_ratio, self.embed_dim)
        check_rate("drop_rate", self.drop_rate)
        check_rate("drop_path_rate", self.drop_path_rate)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        return height_width(self.img_size)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = self.image_size
        return height // self.patch_size, width // self.patch_size


def check_patch_size(patch_size: int, img_size: ImageSize) -> None:
    """Raise ImageSizeError unless patches of this size tile the image."""
    common = math.gcd(*height_width(img_size))
    fits = [size for size in range(1, common + 1) if common % size == 0]
    if patch_size not in fits:
        nearest = min(fits, key=lambda size: abs(math.log(size / max(patch_size, 1))))
        raise ImageSizeError(
            f"patch_size {patch_size} does not divide img_size {size_text(img_size)}: choose one of {fits}",
            fix={"patch_size": nearest},
        )


class VisionTransformer(nn.Module):
    """Patches to tokens, `depth` pre-norm blocks, one pooled token to logits (equations 1 to 4)."""

    cls_token: nn.Parameter | None
    pos_embed: Tensor | None
    weight_roles: ClassVar[Roles] = {
        "patch_embed": "input",
        "cls_token": "vector",
        "pos_embed": "vector",
        "blocks": "hidden",
        "norm": "vector",
        "head": "head",
    }

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.embed_dim
        self.num_prefix_tokens = 1 if config.pool == "cls" else 0
        self.register_parameter("cls_token", nn.Parameter(torch.zeros(1, 1, dim)) if self.num_prefix_tokens else None)
        add_position_embedding(
            self, config.positions, grid=config.grid, dim=dim, num_prefix_tokens=self.num_prefix_tokens
        )
        self.patch_embed = PatchEmbed(config.patch_size, config.in_chans, dim)
        self.pos_drop = nn.Dropout(config.drop_rate)
        self.blocks = nn.Sequential(
            *(
                Block(
                    dim,
                    config.num_heads,
                    mlp_ratio=config.mlp_ratio,
                    qkv_bias=config.qkv_bias,
                    drop_rate=config.drop_rate,
                    drop_path_rate=rate,
                    path=config.attention_path,
                )
                for rate in drop_path_rates(config.drop_path_rate, config.depth)
            )
        )
        self.norm = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.head = nn.Linear(dim, config.num_classes)
        self.apply(init_transformer)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        return self.config.image_size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patch tokens."""
        return self.config.grid

    def forward_features(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Equations 1 to 3: the normalised tokens of the last block; a class token comes first."""
        tokens = self.patch_embed(images)
        if self.cls_token is not None:
            tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        if self.pos_embed is not None:
            tokens = tokens + self.pos_embed
        return self.norm(self.blocks(self.pos_drop(tokens)))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Equation 4: logits."""
        tokens = self.forward_features(images)
        return self.head(tokens[:, 0] if self.config.pool == "cls" else tokens.mean(dim=1))


@variant("vit", family="vit", title="ViT", source="Dosovitskiy 2021; plain recipe, Beyer 2022", build=VisionTransformer)
def vit() -> ViTConfig:
    """The recommended ViT: patch 4, width 128, 4 blocks of 8 heads, fixed 2-D sinusoidal positions, mean pooling."""
    return ViTConfig(num_heads=8)


@variant("vit_cls", family="vit", title="ViT (class token)", source="Dosovitskiy 2021", build=VisionTransformer)
def vit_cls() -> ViTConfig:
    """As in the paper: class token and learned positions. Width, depth and heads are those of `vit`."""
    return ViTConfig(num_heads=8, pool="cls", positions="learned")
