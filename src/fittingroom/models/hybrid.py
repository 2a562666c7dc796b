"""Hybrids: convolutions make the tokens, a Transformer relates them.

CCT: "Escaping the Big Data Paradigm with Compact Transformers" (Hassani et al. 2021, arXiv 2104.05704): convolutional tokenizer,
encoder, and sequence pooling (equations 3 to 5: a learned softmax over the tokens in place of a class token).
Deviations: batch norm after each convolution, and convolutions that keep the map's size between those that halve it; fixed 2-D
positions.
ViT with a convolutional stem: "Early Convolutions Help Transformers See Better" (Xiao et al. 2021, arXiv 2106.14881): the patch
projection becomes four 3x3 convolutions and a 1x1, mean pooling as in our ViT.
Initialisation: as ViT for linear layers; He normal for convolutions.
"""

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models.layers.attention import AttentionPath
from fittingroom.models.layers.blocks import NORM_EPSILON, Block, drop_path_rates, init_transformer
from fittingroom.models.layers.patches import ConvTokenizer, to_tokens
from fittingroom.models.layers.positions import PositionKind, add_position_embedding
from fittingroom.models.registry import check_divides, check_mlp_ratio, check_positive, check_rate, variant


@dataclass(frozen=True, kw_only=True)
class HybridConfig:
    """The shape of a hybrid: a convolutional tokenizer, then an encoder."""

    img_size: int = 28
    """Height and width of the square input, pixels."""
    in_chans: int = 1
    """Colour channels of the input."""
    num_classes: int = 10
    """Outputs of the head."""
    stem_widths: tuple[int, ...] = (32, 64, 64, 128)
    """Channels of each 3x3 convolution of the tokenizer."""
    stem_strides: tuple[int, ...] = (1, 2, 1, 2)
    """Stride of each: their product is the side of the image area that one token stands for."""
    stem_downsample: Literal["stride", "pool"] = "stride"
    """How the tokenizer halves the map: by the convolution's stride, or by max-pooling after it, as CCT does."""
    embed_dim: int = 128
    """Width D of a token; a 1x1 convolution joins where the last stem width differs."""
    depth: int = 3
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
    pool: Literal["sequence", "mean"] = "sequence"
    """A learned weighted mean of the tokens (CCT), or the plain mean."""
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
        if len(self.stem_widths) != len(self.stem_strides) or not self.stem_widths:
            raise FittingRoomError(
                f"stem_widths {self.stem_widths} and stem_strides {self.stem_strides} must name the same layers, at least one"
            )
        for index, (width, stride) in enumerate(zip(self.stem_widths, self.stem_strides, strict=True)):
            check_positive(**{f"stem_widths[{index}]": width, f"stem_strides[{index}]": stride})
        check_divides("embed_dim", self.embed_dim, "num_heads", self.num_heads)
        check_mlp_ratio(self.mlp_ratio, self.embed_dim)
        check_rate("drop_rate", self.drop_rate)
        check_rate("drop_path_rate", self.drop_path_rate)

    @property
    def grid(self) -> int:
        """Tokens along a side."""
        side = self.img_size
        for stride in self.stem_strides:
            side = (side - 1) // stride + 1
        return side


class SequencePool(nn.Module):
    """CCT, equations 3 to 5: the mean of the tokens, weighted by `softmax(g(x))`; `g` is one linear layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attention = nn.Linear(dim, 1)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch dim"]:
        """One token an image."""
        weights = self.attention(tokens).softmax(dim=1)
        return (weights.transpose(1, 2) @ tokens).squeeze(1)


class HybridTransformer(nn.Module):
    """Convolutional tokenizer, `depth` pre-norm blocks, pooling, linear head."""

    pos_embed: Tensor | None

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.embed_dim
        self.tokenizer = ConvTokenizer(config.in_chans, config.stem_widths, config.stem_strides, config.stem_downsample)
        last = config.stem_widths[-1]
        self.join = nn.Conv2d(last, dim, kernel_size=1) if last != dim else nn.Identity()
        add_position_embedding(self, config.positions, grid=(config.grid, config.grid), dim=dim)
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
        self.pool = SequencePool(dim) if config.pool == "sequence" else None
        self.head = nn.Linear(dim, config.num_classes)
        self.apply(init_transformer)
        for module in self.tokenizer:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """Normalised tokens of the last block."""
        tokens = to_tokens(self.join(self.tokenizer(images)))
        if self.pos_embed is not None:
            tokens = tokens + self.pos_embed
        return self.norm(self.blocks(self.pos_drop(tokens)))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        tokens = self.forward_features(images)
        return self.head(self.pool(tokens) if self.pool is not None else tokens.mean(dim=1))


@variant("hybrid", family="hybrid", title="Hybrid", source="after CCT, Hassani 2021", build=HybridTransformer)
def hybrid() -> HybridConfig:
    """The recommended hybrid: a CCT with six convolutions, max-pooling to 7x7 tokens, width 128, 2 blocks, sequence pooling."""
    return HybridConfig(
        stem_widths=(32, 64, 64, 64, 128, 128), stem_strides=(1, 2, 1, 1, 2, 1), stem_downsample="pool", depth=2
    )


@variant("vit_conv_stem", family="hybrid", title="ViT (conv stem)", source="Xiao 2021", build=HybridTransformer)
def vit_conv_stem() -> HybridConfig:
    """A ViT of 3 blocks and 4 heads behind four 3x3 convolutions and a 1x1, as "Early Convolutions" builds its stems."""
    return HybridConfig(stem_widths=(24, 48, 96, 96), stem_strides=(1, 2, 2, 1), pool="mean")
