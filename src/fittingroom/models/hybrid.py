"""Hybrids: convolutions make the tokens, a Transformer relates them.

CCT: "Escaping the Big Data Paradigm with Compact Transformers" (Hassani et al. 2021, arXiv 2104.05704). A convolutional
tokenizer, an encoder, and sequence pooling: a learned softmax over the tokens replaces the class token (equations 3 to 5).
Deviations: batch norm follows each convolution; some convolutions keep the size of the map; positions are fixed and 2-D.
ViT with a convolutional stem: "Early Convolutions Help Transformers See Better" (Xiao et al. 2021, arXiv 2106.14881). Four 3x3
convolutions and a 1x1 replace the patch projection. Pooling is the mean, as in our ViT.
Initialisation: linear layers as in ViT, convolutions He normal.
"""

from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.models.image_size import ImageSize, check_image_size, height_width
from fittingroom.models.layers.attention import AttentionPath
from fittingroom.models.layers.blocks import NORM_EPSILON, Block, drop_path_rates, init_transformer
from fittingroom.models.layers.patches import ConvTokenizer, to_tokens
from fittingroom.models.layers.positions import PositionKind, add_position_embedding
from fittingroom.models.registry import check_divides, check_mlp_ratio, check_positive, check_rate, variant
from fittingroom.models.roles import Roles


@config_dataclass
class HybridConfig:
    """The shape of a hybrid: a convolutional tokenizer, then an encoder."""

    img_size: ImageSize = 28
    """Size of the images, pixels: one number for squares, or [height, width]."""
    in_chans: int = 1
    """Colour channels of the images."""
    num_classes: int = 10
    """Number of classes."""
    stem_widths: tuple[int, ...] = (32, 64, 64, 128)
    """Channels of each 3x3 convolution in the tokenizer."""
    stem_strides: tuple[int, ...] = (1, 2, 1, 2)
    """Stride of each convolution. Their product is the side, in pixels, of the area that one token covers."""
    stem_downsample: Literal["stride", "pool"] = "stride"
    """How the tokenizer shrinks the map: by strided convolutions, or by max-pooling after them, as in CCT."""
    embed_dim: int = 128
    """Width D of a token. If the last stem width differs, a 1x1 convolution maps it to D."""
    depth: int = 3
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
    pool: Literal["sequence", "mean"] = "sequence"
    """A learned weighted mean of the tokens (CCT), or the plain mean."""
    attention_path: AttentionPath = "auto"
    """explicit, fused, or auto: explicit on a CPU, fused on other devices."""

    def __post_init__(self) -> None:
        check_image_size(self.img_size)
        check_positive(in_chans=self.in_chans, num_classes=self.num_classes, depth=self.depth, embed_dim=self.embed_dim)
        if len(self.stem_widths) != len(self.stem_strides) or not self.stem_widths:
            raise FittingRoomError(
                f"stem_widths {self.stem_widths} and stem_strides {self.stem_strides} must have the same length, at least 1"
            )
        for index, (width, stride) in enumerate(zip(self.stem_widths, self.stem_strides, strict=True)):
            check_positive(**{f"stem_widths[{index}]": width, f"stem_strides[{index}]": stride})
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
        """Rows and columns of the tokenizer's map. Each stride rounds up."""
        rows, columns = self.image_size
        for stride in self.stem_strides:
            rows, columns = -(-rows // stride), -(-columns // stride)
        return rows, columns


class SequencePool(nn.Module):
    """CCT, equations 3 to 5: the mean of the tokens with weights `softmax(g(x))`, where `g` is one linear layer."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.attention = nn.Linear(dim, 1)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch dim"]:
        """One vector per image."""
        weights = self.attention(tokens).softmax(dim=1)
        return (weights.transpose(1, 2) @ tokens).squeeze(1)


class HybridTransformer(nn.Module):
    """Convolutional tokenizer, `depth` pre-norm blocks, pooling, linear head."""

    pos_embed: Tensor | None
    weight_roles: ClassVar[Roles] = {
        "tokenizer": "hidden",
        "tokenizer.0": "input",
        "join": "hidden",
        "pos_embed": "vector",
        "blocks": "hidden",
        "norm": "vector",
        "pool": "head",
        "head": "head",
    }

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.config = config
        dim = config.embed_dim
        self.tokenizer = ConvTokenizer(config.in_chans, config.stem_widths, config.stem_strides, config.stem_downsample)
        last = config.stem_widths[-1]
        self.join = nn.Conv2d(last, dim, kernel_size=1) if last != dim else nn.Identity()
        add_position_embedding(self, config.positions, grid=config.grid, dim=dim)
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

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        return self.config.image_size

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tokens."""
        return self.config.grid

    def forward_features(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch tokens dim"]:
        """The normalised tokens of the last block."""
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
    """Four 3x3 convolutions and a 1x1, as in "Early Convolutions", then a ViT with 3 blocks of 4 heads."""
    return HybridConfig(stem_widths=(24, 48, 96, 96), stem_strides=(1, 2, 2, 1), pool="mean")
