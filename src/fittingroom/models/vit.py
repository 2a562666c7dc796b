"""The Vision Transformer: "An Image Is Worth 16x16 Words" (Dosovitskiy et al. 2021, arXiv 2010.11929).

    paper                     here
    P, N = HW / P^2           patch_size, number of patch tokens
    L, D, heads, MLP size     depth, embed_dim, num_heads, mlp_ratio * embed_dim
    E, E_pos, x_class         patch_embed.proj, pos_embed, cls_token
    MSA, MLP, LN              blocks.N.attn, blocks.N.mlp, blocks.N.norm1/norm2 and norm

Deviations: mean pooling and fixed 2-D sinusoidal positions are the defaults, as in "Better plain ViT baselines" (arXiv
2205.01580), with the frequencies and the order of "Attention Is All You Need"; the head is one linear layer, also where the
paper pre-trains with a hidden one; no positions are interpolated to another resolution (3.2). The paper's "hybrid architecture"
(3.1) is `models/hybrid.py`. Names and shapes are timm's, so weights move both ways (a timm model with mean pooling needs
`fc_norm=False`).
Initialisation: truncated normal 0.02 for linear layers, zeros for biases, torch's default for the patch projection.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.models.layers.attention import AttentionPath
from fittingroom.models.layers.blocks import NORM_EPSILON, Block, drop_path_rates, init_transformer
from fittingroom.models.layers.patches import PatchEmbed
from fittingroom.models.layers.positions import PositionKind, add_position_embedding
from fittingroom.models.registry import check_divides, check_mlp_ratio, check_positive, check_rate, variant


@dataclass(frozen=True, kw_only=True)
class ViTConfig:
    """The shape of a ViT."""

    img_size: int = 28
    """Height and width of the square input, pixels."""
    patch_size: int = 4
    """Side of a patch, pixels; must divide img_size."""
    in_chans: int = 1
    """Colour channels of the input."""
    num_classes: int = 10
    """Outputs of the head."""
    embed_dim: int = 128
    """Width D of a token."""
    depth: int = 4
    """Number of blocks L."""
    num_heads: int = 4
    """Attention heads; must divide embed_dim."""
    mlp_ratio: float = 4.0
    """Hidden width of the MLP as a multiple of embed_dim."""
    qkv_bias: bool = True
    """Queries, keys and values have a bias."""
    drop_rate: float = 0.0
    """Dropout after the position embedding, attention and MLP layers."""
    drop_path_rate: float = 0.0
    """Stochastic depth of the last block; earlier blocks have less, linearly."""
    positions: PositionKind = "sincos2d"
    """learned, sincos2d, sincos1d or none."""
    pool: Literal["mean", "cls"] = "mean"
    """Classify from the mean of the patch tokens or from a class token."""
    attention_path: AttentionPath = "auto"
    """explicit, fused, or auto: explicit on a CPU, fused elsewhere."""

    def __post_init__(self) -> None:
        check_positive(
            img_size=self.img_size,
            in_chans=self.in_chans,
            num_classes=self.num_classes,
            depth=self.depth,
            embed_dim=self.embed_dim,
        )
        check_divides("img_size", self.img_size, "patch_size", self.patch_size)
        check_divides("embed_dim", self.embed_dim, "num_heads", self.num_heads)
        check_mlp_ratio(self.mlp_ratio, self.embed_dim)
        check_rate("drop_rate", self.drop_rate)
        check_rate("drop_path_rate", self.drop_path_rate)


class VisionTransformer(nn.Module):
    """Patches to tokens, `depth` pre-norm blocks, one pooled token to logits (equations 1 to 4)."""

    cls_token: nn.Parameter | None
    pos_embed: Tensor | None

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        dim, side = config.embed_dim, config.img_size // config.patch_size
        self.num_prefix_tokens = 1 if config.pool == "cls" else 0
        self.register_parameter("cls_token", nn.Parameter(torch.zeros(1, 1, dim)) if self.num_prefix_tokens else None)
        add_position_embedding(
            self, config.positions, grid=(side, side), dim=dim, num_prefix_tokens=self.num_prefix_tokens
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

    def forward_features(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Equations 1 to 3: normalised tokens of the last block, class token first where there is one."""
        tokens = self.patch_embed(images)
        if self.cls_token is not None:
            tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        if self.pos_embed is not None:
            tokens = tokens + self.pos_embed
        return self.norm(self.blocks(self.pos_drop(tokens)))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits, equation 4."""
        tokens = self.forward_features(images)
        return self.head(tokens[:, 0] if self.config.pool == "cls" else tokens.mean(dim=1))


@variant("vit", family="vit", title="ViT", source="Dosovitskiy 2021; plain recipe, Beyer 2022", build=VisionTransformer)
def vit() -> ViTConfig:
    """The recommended ViT: patch 4, width 128, 4 blocks of 8 heads, fixed 2-D sinusoidal positions, mean pooling."""
    return ViTConfig(num_heads=8)


@variant("vit_cls", family="vit", title="ViT (class token)", source="Dosovitskiy 2021", build=VisionTransformer)
def vit_cls() -> ViTConfig:
    """As in the paper: class token and learned positions; width, depth and heads as in `vit`."""
    return ViTConfig(num_heads=8, pool="cls", positions="learned")
