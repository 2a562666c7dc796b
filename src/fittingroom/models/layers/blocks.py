"""The Transformer encoder block, pre-norm, with stochastic depth. Names are timm's: norm1 attn norm2 mlp.fc1 mlp.fc2."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fittingroom.models.layers.attention import AttentionPath, SelfAttention
from fittingroom.models.layers.fused import linear_then

NORM_EPSILON = 1e-6  # timm's value for ViT; torch's default is 1e-5
Activation = Literal["gelu", "relu"]
ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU}


class Mlp(nn.Module):
    """Section 3.3 of "Attention Is All You Need", with ReLU. ViT uses GELU."""

    def __init__(self, dim: int, hidden_dim: int, drop_rate: float = 0.0, activation: Activation = "gelu") -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = ACTIVATIONS[activation]()
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The same two layers for every token."""
        return self.drop(self.fc2(self.drop(linear_then(self.act, self.fc1, x))))


class DropPath(nn.Module):
    """Stochastic depth (arXiv 1603.09382): in training, drop an image's whole branch at this rate and scale up the others."""

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """The branch, unchanged in evaluation and at rate 0."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        return x * torch.empty(x.shape[0], 1, 1, dtype=x.dtype, device=x.device).bernoulli_(keep).div_(keep)


class Block(nn.Module):
    """ViT (arXiv 2010.11929), equations 2 and 3: `x + MSA(LN(x))`, then `x + MLP(LN(x))`."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        path: AttentionPath = "auto",
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.attn = SelfAttention(dim, num_heads, qkv_bias=qkv_bias, drop_rate=drop_rate, path=path)
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPSILON)
        self.mlp = Mlp(dim, int(dim * mlp_ratio), drop_rate)
        self.drop_path = DropPath(drop_path_rate)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """Attention, then the MLP."""
        x = x + self.drop_path(self.attn(self.norm1(x), mask))
        return x + self.drop_path(self.mlp(self.norm2(x)))


def drop_path_rates(highest: float, depth: int) -> list[float]:
    """Linear from 0 at the first block to `highest` at the last, as in timm. The paper's first block has highest / depth."""
    return [highest * index / (depth - 1) for index in range(depth)] if depth > 1 else [highest]


def init_transformer(module: nn.Module) -> None:
    """timm's initialisation for ViT: linear weights truncated normal with deviation 0.02, biases 0. Use with `apply`."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
