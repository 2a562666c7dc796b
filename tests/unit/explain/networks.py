"""Tiny networks for the tests of explain/: ours, and those of others as they call torch's attention."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fittingroom.models import build_model

SIDE = 8
TINY = {"img_size": SIDE, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 4}
SHAPES: dict[str, dict[str, Any]] = {
    "vit": {**TINY, "patch_size": 2},
    "vit_cls": {**TINY, "patch_size": 2},
    "hybrid": {**TINY, "stem_widths": (4, 8), "stem_strides": (2, 1)},
    "vit_conv_stem": {**TINY, "stem_widths": (4, 8), "stem_strides": (2, 1)},
    "cnn": {"img_size": SIDE, "widths": (4, 8), "blocks": (0, 1), "num_classes": 4},
    "resnet20": {"img_size": SIDE, "widths": (4, 8), "blocks": (1, 1), "num_classes": 4},
    "efficientnet_lite0": {"img_size": SIDE, "num_classes": 4},
}
TOKENS = ["vit", "vit_cls", "hybrid", "vit_conv_stem"]
CNNS = ["cnn", "resnet20", "efficientnet_lite0"]


def tiny(name: str, **values: Any) -> nn.Module:
    """A small network of that variant in evaluation mode, its weights large enough for attention to be uneven."""
    torch.manual_seed(0)
    model = build_model(name, {**SHAPES[name], **values})
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.6)
    return model.eval()


def draw_images(num: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(num, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


class TimmAttention(nn.Module):
    """As timm's `Attention` with `fused_attn`, dropout included."""

    def __init__(self, dim: int, num_heads: int, drop_rate: float = 0.0) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.attn_drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, dim // self.num_heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        x = F.scaled_dot_product_attention(q, k, v, dropout_p=self.attn_drop.p if self.training else 0.0)
        return self.proj(x.transpose(1, 2).reshape(batch, tokens, dim))


class TimmBlock(nn.Module):
    def __init__(self, dim: int, num_heads: int, drop_rate: float) -> None:
        super().__init__()
        self.norm1, self.attn = nn.LayerNorm(dim), TimmAttention(dim, num_heads, drop_rate)
        self.norm2, self.mlp = nn.LayerNorm(dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TimmPatches(nn.Module):
    """As timm's `PatchEmbed`: `grid_size` is the grid of the size that it was built for, whatever comes in."""

    def __init__(self, dim: int, size: tuple[int, int], pad: bool) -> None:
        super().__init__()
        self.img_size, self.patch_size, self.grid_size = size, (2, 2), (size[0] // 2, size[1] // 2)
        self.dynamic_img_pad = pad
        self.proj = nn.Conv2d(1, dim, 2, 2)

    def forward(self, images: Tensor) -> Tensor:
        if self.dynamic_img_pad:
            images = F.pad(images, (0, images.shape[3] % 2, 0, images.shape[2] % 2))
        return self.proj(images)


class TimmViT(nn.Module):
    """With the attributes of timm's VisionTransformer with `dynamic_img_size`: it takes images of any size."""

    def __init__(
        self, drop_rate: float = 0.0, size: tuple[int, int] = (SIDE, SIDE), reg_tokens: int = 0, pad: bool = False
    ) -> None:
        super().__init__()
        self.num_prefix_tokens, self.global_pool = 1 + reg_tokens, "token"
        self.patch_embed = TimmPatches(16, size, pad)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 16))
        self.reg_token = nn.Parameter(torch.randn(1, reg_tokens, 16))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + reg_tokens + size[0] * size[1] // 4, 16))
        self.blocks = nn.Sequential(*(TimmBlock(16, 2, drop_rate) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 4)

    def positions(self, grid: tuple[int, int]) -> Tensor:
        """The table, its patches interpolated to this grid."""
        prefix, patches = self.pos_embed.split(
            [self.num_prefix_tokens, self.pos_embed.shape[1] - self.num_prefix_tokens], 1
        )
        built_for = self.patch_embed.grid_size
        if grid != built_for:
            table = patches.transpose(1, 2).unflatten(2, built_for)
            patches = F.interpolate(table, size=grid, mode="bicubic").flatten(2).transpose(1, 2)
        return torch.cat([prefix, patches], dim=1)

    def forward(self, images: Tensor) -> Tensor:
        found = self.patch_embed(images)
        batch = len(images)
        prefix = [self.cls_token.expand(batch, -1, -1), self.reg_token.expand(batch, -1, -1)]
        tokens = torch.cat([*prefix, found.flatten(2).transpose(1, 2)], dim=1)
        tokens = tokens + self.positions((found.shape[2], found.shape[3]))
        return self.head(self.norm(self.blocks(tokens))[:, 0])


def timm_like(
    drop_rate: float = 0.0, size: tuple[int, int] = (SIDE, SIDE), reg_tokens: int = 0, pad: bool = False
) -> TimmViT:
    torch.manual_seed(0)
    return TimmViT(drop_rate, size, reg_tokens, pad).eval()


def hugging_face(attention: str = "sdpa") -> nn.Module:
    """Hugging Face's ViT with random weights, fused attention on."""
    from transformers import ViTConfig, ViTForImageClassification

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=SIDE, patch_size=2,
        num_channels=1, num_labels=4, attn_implementation=attention, initializer_range=0.6,  # type: ignore[call-arg]
    )  # fmt: skip
    return ViTForImageClassification(config).eval()
