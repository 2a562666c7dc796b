"""Attention: "Attention Is All You Need" (Vaswani et al. 2017, arXiv 1706.03762), section 3.2. Functions first, then classes.

    paper                       here
    equation 1                  scaled_dot_product_attention; its weights alone: attention_weights
    Concat(head_1, ...) (3.2.2) merge_heads
    W^Q W^K W^V, W^O (3.2.2)    qkv (for cross-attention q and kv), proj

Shape suffixes: B batch | H heads | N query tokens | M key tokens | K head_dim | D embed_dim
A mask is boolean: True means "may attend". It broadcasts to (B, H, N, M).

Two paths give the same output. `explicit` computes the weights and then the sum, as in equation 1; with few tokens it trains
faster on a CPU. `fused` is a single torch kernel: less memory and faster on a GPU, but the weights stay hidden.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models.registry import check_divides

AttentionPath = Literal["auto", "explicit", "fused"]
KeysValues = tuple[Tensor, Tensor]
"""Keys and values (B, H, M, K). A decoder keeps them from step to step."""


def attention_weights(
    q_BHNK: Float[Tensor, "batch heads queries head_dim"],
    k_BHMK: Float[Tensor, "batch heads keys head_dim"],
    mask: Bool[Tensor, "..."] | None = None,
) -> Float[Tensor, "batch heads queries keys"]:
    """`softmax(q k^T / sqrt(head_dim))`, the weights of equation 1. Rows sum to 1, or to 0 if the mask hides every key.

    Why divide by the root (3.2.1): if entries are independent with mean 0 and variance 1, `q . k` has variance head_dim. Without
    the root the softmax saturates and its gradients vanish.
    """
    scale = q_BHNK.shape[-1] ** -0.5
    return masked_softmax((q_BHNK * scale) @ k_BHMK.transpose(-2, -1), mask)


def masked_softmax(
    scores_BHNM: Float[Tensor, "batch heads queries keys"], mask: Bool[Tensor, "..."] | None = None
) -> Float[Tensor, "batch heads queries keys"]:
    """Softmax over the keys that a query may attend to. Hidden keys get exactly 0, also in rows that hide every key."""
    if mask is None:
        return scores_BHNM.softmax(dim=-1)
    lowest = torch.finfo(scores_BHNM.dtype).min
    return scores_BHNM.masked_fill(~mask, lowest).softmax(dim=-1).masked_fill(~mask, 0.0)


def scaled_dot_product_attention(
    q_BHNK: Float[Tensor, "batch heads queries head_dim"],
    k_BHMK: Float[Tensor, "batch heads keys head_dim"],
    v_BHMK: Float[Tensor, "batch heads keys head_dim"],
    mask: Bool[Tensor, "..."] | None = None,
    path: AttentionPath = "auto",
) -> Float[Tensor, "batch heads queries head_dim"]:
    """Equation 1: `softmax(q k^T / sqrt(head_dim)) v`. `auto` is explicit on a CPU and fused on other devices."""
    if path == "fused" or (path == "auto" and q_BHNK.device.type != "cpu"):
        return F.scaled_dot_product_attention(q_BHNK, k_BHMK, v_BHMK, attn_mask=mask)
    return attention_weights(q_BHNK, k_BHMK, mask) @ v_BHMK


def causal_mask(num_tokens: int) -> Bool[Tensor, "queries keys"]:
    """Token i may attend to tokens 0..i (section 3.2.3)."""
    return torch.ones(num_tokens, num_tokens, dtype=torch.bool).tril()


def split_heads(
    x_BND: Float[Tensor, "batch tokens dim"], num_heads: int
) -> Float[Tensor, "batch heads tokens head_dim"]:
    """Split the last dimension into heads, and move them in front of the tokens."""
    batch, tokens, dim = x_BND.shape
    return x_BND.view(batch, tokens, num_heads, dim // num_heads).transpose(1, 2)


def merge_heads(x_BHNK: Float[Tensor, "batch heads tokens head_dim"]) -> Float[Tensor, "batch tokens dim"]:
    """The inverse of `split_heads`: the Concat of section 3.2.2."""
    return x_BHNK.transpose(1, 2).flatten(2)


ONE_AT_A_TIME = threading.RLock()
"""Held by whoever changes a network for a while, such as to capture its attention: a web service may ask from many threads."""


class AttentionCore(nn.Module):
    """The base of every attention layer: it chooses the path and captures weights on request.

    A subclass with scores other than scaled dot products overrides `weights` and `attend`.
    """

    def __init__(self, dim: int, num_heads: int, path: AttentionPath = "auto") -> None:
        super().__init__()
        check_divides("embed_dim", dim, "num_heads", num_heads)
        self.num_heads = num_heads
        self.path: AttentionPath = path
        self.captured: list[Tensor] | None = None
        self.capturing_thread = 0
        self.keep_graph = False

    def weights(self, q_BHNK: Tensor, k_BHMK: Tensor, mask: Tensor | None) -> Tensor:
        """The attention weights (B, H, N, M)."""
        return attention_weights(q_BHNK, k_BHMK, mask)

    def attend(self, q_BHNK: Tensor, k_BHMK: Tensor, v_BHMK: Tensor, mask: Tensor | None) -> Tensor:
        """The values' weighted sum (B, H, N, K), by the chosen path."""
        return scaled_dot_product_attention(q_BHNK, k_BHMK, v_BHMK, mask, self.path)

    def multi_head(self, q_BHNK: Tensor, k_BHMK: Tensor, v_BHMK: Tensor, mask: Tensor | None) -> Tensor:
        """Attend in every head and merge the heads. While capturing, also keep the weights, in float32 or better."""
        captured = self.captured
        # Another thread may use the network at the same time, on other images.
        if captured is None or self.capturing_thread != threading.get_ident():
            return merge_heads(self.attend(q_BHNK, k_BHMK, v_BHMK, mask))
        dtype = torch.promote_types(q_BHNK.dtype, torch.float32)
        with torch.autocast(q_BHNK.device.type, enabled=False):
            weights_BHNM = self.weights(q_BHNK.to(dtype), k_BHMK.to(dtype), mask)
        captured.append(weights_BHNM if self.keep_graph else weights_BHNM.detach())
        return merge_heads(weights_BHNM.to(v_BHMK.dtype) @ v_BHMK)


class SelfAttention(AttentionCore):
    """Multi-head self-attention (section 3.2.2). One matrix `qkv` makes queries, keys and values, as in timm."""

    fused_blocks: ClassVar[dict[str, int]] = {"qkv": 3}

    def __init__(
        self, dim: int, num_heads: int, *, qkv_bias: bool = True, drop_rate: float = 0.0, path: AttentionPath = "auto"
    ) -> None:
        super().__init__(dim, num_heads, path)
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(drop_rate)

    def forward(
        self, x_BND: Float[Tensor, "batch tokens dim"], mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """Every token attends to every token that `mask` allows."""
        q_BHNK, k_BHNK, v_BHNK = (split_heads(part, self.num_heads) for part in self.qkv(x_BND).chunk(3, dim=-1))
        return self.proj_drop(self.proj(self.multi_head(q_BHNK, k_BHNK, v_BHNK, mask)))

    def step(
        self, x_B1D: Float[Tensor, "batch 1 dim"], past: KeysValues | None
    ) -> tuple[Float[Tensor, "batch 1 dim"], KeysValues]:
        """One more token: it attends to itself and to the tokens of `past`. Returns `past` with this token appended.

        Equal to the last row of `forward` with a causal mask, without computing the earlier rows again.
        """
        q_BH1K, k_BHMK, v_BHMK = (split_heads(part, self.num_heads) for part in self.qkv(x_B1D).chunk(3, dim=-1))
        if past is not None:
            k_BHMK, v_BHMK = torch.cat([past[0], k_BHMK], dim=2), torch.cat([past[1], v_BHMK], dim=2)
        return self.proj_drop(self.proj(self.multi_head(q_BH1K, k_BHMK, v_BHMK, None))), (k_BHMK, v_BHMK)


class CrossAttention(AttentionCore):
    """Multi-head attention from one sequence to another: queries from `x`, keys and values from `memory` (section 3.2.3)."""

    fused_blocks: ClassVar[dict[str, int]] = {"kv": 2}

    def __init__(
        self, dim: int, num_heads: int, *, qkv_bias: bool = True, drop_rate: float = 0.0, path: AttentionPath = "auto"
    ) -> None:
        super().__init__(dim, num_heads, path)
        self.q = nn.Linear(dim, dim, bias=qkv_bias)
        self.kv = nn.Linear(dim, 2 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(drop_rate)

    def forward(
        self,
        x_BND: Float[Tensor, "batch queries dim"],
        memory_BMD: Float[Tensor, "batch keys dim"],
        mask: Bool[Tensor, "..."] | None = None,
    ) -> Float[Tensor, "batch queries dim"]:
        """Every token of `x` attends to every token of `memory` that `mask` allows."""
        return self.forward_cached(x_BND, self.keys_values(memory_BMD), mask)

    def keys_values(self, memory_BMD: Float[Tensor, "batch keys dim"]) -> KeysValues:
        """Keys and values of `memory`. They are the same for every query, so a decoder computes them once."""
        k_BHMK, v_BHMK = (split_heads(part, self.num_heads) for part in self.kv(memory_BMD).chunk(2, dim=-1))
        return k_BHMK, v_BHMK

    def forward_cached(
        self, x_BND: Float[Tensor, "batch queries dim"], memory: KeysValues, mask: Bool[Tensor, "..."] | None = None
    ) -> Float[Tensor, "batch queries dim"]:
        """`forward` with keys and values that are already computed."""
        q_BHNK = split_heads(self.q(x_BND), self.num_heads)
        return self.proj_drop(self.proj(self.multi_head(q_BHNK, *memory, mask)))


@contextmanager
def capture_attention(model: nn.Module, *, keep_graph: bool = False) -> Iterator[dict[str, list[Tensor]]]:
    """Capture the attention weights of every forward pass in this block: module name -> one (B, H, N, M) tensor per call.

    The dictionary is filled when the block ends. `keep_graph` keeps the graph, for gradients with respect to the weights.
    Raises FittingRoomError if nothing was captured.
    """
    modules = {name: module for name, module in model.named_modules() if isinstance(module, AttentionCore)}
    if not modules:
        raise FittingRoomError(f"{type(model).__name__} has no attention to capture: choose a vit or a hybrid")
    weights: dict[str, list[Tensor]] = {}
    with ONE_AT_A_TIME:
        for module in modules.values():
            module.captured, module.keep_graph, module.capturing_thread = [], keep_graph, threading.get_ident()
        try:
            yield weights
            weights.update({name: module.captured for name, module in modules.items() if module.captured})
        finally:
            for module in modules.values():
                module.captured, module.keep_graph = None, False
    if not weights:
        raise FittingRoomError(
            "no attention was captured: run the model inside the `with capture_attention(...)` block"
        )
