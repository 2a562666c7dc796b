"""The Transformer: "Attention Is All You Need" (Vaswani et al. 2017, arXiv 1706.03762), encoder and decoder.

    paper                                   here
    N, d_model, h, d_ff (3.1 to 3.3)        depth_encoder and depth_decoder, embed_dim, num_heads, mlp_ratio * embed_dim
    embedding * sqrt(d_model), PE (3.4, 5)  src_embed, tgt_embed: `table` and `pos_embed`
    encoder layer (3.1)                     encoder.N: norm1 attn norm2 mlp
    decoder layer (3.1)                     decoder.N: norm1 self_attn norm2 cross_attn norm3 mlp
    W^Q W^K W^V, W^O (3.2.2)                attn.qkv (for cross-attention q and kv), attn.proj
    d_k = d_v = d_model / h (3.2.2)         head_dim
    outputs, shifted right (figure 1)       `tgt_in` of data/seq2seq/batches.py: bos, then the target without its end
    pre-softmax linear transformation (3.4) head; with `tie_output` the target's table
    P_drop, label smoothing (5.4)           drop_rate: on outputs of sub-layers and embeddings; label_smoothing of the run

`norm="post"` is the paper: `LayerNorm(x + Sublayer(x))`, without a norm after the last block. `norm="pre"`, the default, is the
later standard (Xiong et al. 2020, arXiv 2002.04745): `x + Sublayer(LayerNorm(x))`, with one more norm after each stack.
Deviations: source, target and output each have their own table; `share_embeddings` and `tie_output` make it one, as in the
paper. Our projections have biases (`qkv_bias`).
Initialisation: Xavier uniform; queries, keys, values with gain 1 / sqrt(2), as in fairseq; embeddings normal, 1 / sqrt(d_model).
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.models.layers.attention import AttentionPath, CrossAttention, KeysValues, SelfAttention, causal_mask
from fittingroom.models.layers.blocks import NORM_EPSILON, Activation, Mlp
from fittingroom.models.layers.dropout import Dropout
from fittingroom.models.layers.tokens import TokenEmbed
from fittingroom.models.registry import check_divides, check_mlp_ratio, check_positive, check_rate, sequence_variant
from fittingroom.models.roles import Roles


@config_dataclass
class TransformerConfig:
    """The shape of an encoder and a decoder."""

    src_vocab_size: int = 32
    """Number of source symbols: 26 letters, apostrophe, hyphen, and pad, bos, eos, unk."""
    tgt_vocab_size: int = 43
    """Number of target symbols: 39 phonemes, and pad, bos, eos, unk."""
    max_len: int = 64
    """Longest sequence, in symbols. For targets bos counts too."""
    embed_dim: int = 192
    """Width d_model of a token."""
    depth_encoder: int = 3
    """Blocks in the encoder."""
    depth_decoder: int = 3
    """Blocks in the decoder."""
    num_heads: int = 4
    """Attention heads h; must divide embed_dim."""
    mlp_ratio: float = 3.0
    """Hidden width d_ff of the MLP, as a multiple of embed_dim."""
    norm: Literal["pre", "post"] = "pre"
    """Normalise the input of a sub-layer (pre), or the sum after it (post, as in the paper)."""
    activation: Activation = "relu"
    """Activation of the MLP: relu (the paper) or gelu."""
    positions: Literal["sincos1d", "learned"] = "sincos1d"
    """Sinusoids, or a learned vector for each position. In the paper both do equally well (table 3, row E)."""
    share_embeddings: bool = False
    """Share one table and one set of positions between source and target. They need the same vocabulary."""
    tie_output: bool = False
    """Use the target's embedding table as the output layer, as in the paper."""
    qkv_bias: bool = True
    """Add a bias to queries, keys and values."""
    drop_rate: float = 0.1
    """Dropout P_drop."""
    attention_path: AttentionPath = "auto"
    """explicit, fused, or auto: explicit on a CPU, fused on other devices."""

    def __post_init__(self) -> None:
        check_positive(
            src_vocab_size=self.src_vocab_size,
            tgt_vocab_size=self.tgt_vocab_size,
            max_len=self.max_len,
            embed_dim=self.embed_dim,
            depth_encoder=self.depth_encoder,
            depth_decoder=self.depth_decoder,
        )
        check_divides("embed_dim", self.embed_dim, "num_heads", self.num_heads)
        check_mlp_ratio(self.mlp_ratio, self.embed_dim)
        check_rate("drop_rate", self.drop_rate)
        if self.share_embeddings and self.src_vocab_size != self.tgt_vocab_size:
            raise FittingRoomError(
                f"share_embeddings needs one vocabulary, but src_vocab_size is {self.src_vocab_size} and "
                f"tgt_vocab_size {self.tgt_vocab_size}: make them equal or set share_embeddings to false"
            )


class Residual(nn.Module):
    """A residual around a sub-layer f: `LayerNorm(x + drop(f(x)))` (section 5.4), or `x + drop(f(LayerNorm(x)))` (pre-norm)."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.is_pre = config.norm == "pre"
        self.drop = Dropout(config.drop_rate)

    def before(self, norm: nn.Module, x: Tensor) -> Tensor:
        """The input of f."""
        return norm(x) if self.is_pre else x

    def add(self, norm: nn.Module, x: Tensor, output: Tensor) -> Tensor:
        """The sum of `x` and f's output."""
        x = x + self.drop(output)
        return x if self.is_pre else norm(x)


class EncoderBlock(Residual):
    """Section 3.1: self-attention, then the MLP."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.norm1 = new_norm(config)
        self.attn = SelfAttention(
            config.embed_dim, config.num_heads, qkv_bias=config.qkv_bias, path=config.attention_path
        )
        self.norm2 = new_norm(config)
        self.mlp = new_mlp(config)

    def forward(self, x: Tensor, src_mask: Tensor) -> Tensor:
        """(batch, src, dim) in and out."""
        x = self.add(self.norm1, x, self.attn(self.before(self.norm1, x), src_mask))
        return self.add(self.norm2, x, self.mlp(self.before(self.norm2, x)))


class DecoderBlock(Residual):
    """Section 3.1: self-attention over the target so far, cross-attention to the source, then the MLP."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        dim, heads, bias, path = config.embed_dim, config.num_heads, config.qkv_bias, config.attention_path
        self.norm1 = new_norm(config)
        self.self_attn = SelfAttention(dim, heads, qkv_bias=bias, path=path)
        self.norm2 = new_norm(config)
        self.cross_attn = CrossAttention(dim, heads, qkv_bias=bias, path=path)
        self.norm3 = new_norm(config)
        self.mlp = new_mlp(config)

    def forward(self, x: Tensor, memory: KeysValues, causal: Tensor, src_mask: Tensor) -> Tensor:
        """All target tokens at once. `causal` hides later tokens from each."""
        return self._finish(x, self.self_attn(self.before(self.norm1, x), causal), memory, src_mask)

    def step(
        self, x: Tensor, memory: KeysValues, src_mask: Tensor, past: KeysValues | None
    ) -> tuple[Tensor, KeysValues]:
        """One target token, with the keys and values of the tokens before it."""
        attended, past = self.self_attn.step(self.before(self.norm1, x), past)
        return self._finish(x, attended, memory, src_mask), past

    def _finish(self, x: Tensor, attended: Tensor, memory: KeysValues, src_mask: Tensor) -> Tensor:
        x = self.add(self.norm1, x, attended)
        x = self.add(self.norm2, x, self.cross_attn.forward_cached(self.before(self.norm2, x), memory, src_mask))
        return self.add(self.norm3, x, self.mlp(self.before(self.norm3, x)))


def new_norm(config: TransformerConfig) -> nn.Module:
    """LayerNorm over the entries of a token."""
    return nn.LayerNorm(config.embed_dim, eps=NORM_EPSILON)


def new_mlp(config: TransformerConfig) -> nn.Module:
    """Equation 2, without dropout inside."""
    return Mlp(config.embed_dim, int(config.embed_dim * config.mlp_ratio), activation=config.activation)


@dataclass(frozen=True)
class TransformerState:
    """What a decoder keeps between steps: keys and values for each block."""

    src_mask: Bool[Tensor, "batch 1 1 src"]
    memory: list[KeysValues]
    """Of the source, for cross-attention. Computed once."""
    past: list[KeysValues] | None
    """Of the target so far, for self-attention. Each step appends one token."""


class Transformer(nn.Module):
    """Figure 1 of the paper. A `models.sequence.SequenceModel`."""

    weight_roles: ClassVar[Roles] = {  # TokenEmbed declares the embeddings
        "encoder": "hidden", "encoder_norm": "vector", "decoder": "hidden", "decoder_norm": "vector", "head": "head",
    }  # fmt: skip

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        is_pre = config.norm == "pre"
        self.src_embed = self._new_embed(config.src_vocab_size)
        # None, not a second name for one module: safetensors cannot save a weight under two names.
        self.tgt_embed = None if config.share_embeddings else self._new_embed(config.tgt_vocab_size)
        self.encoder = nn.ModuleList(EncoderBlock(config) for _ in range(config.depth_encoder))
        self.encoder_norm = new_norm(config) if is_pre else nn.Identity()
        self.decoder = nn.ModuleList(DecoderBlock(config) for _ in range(config.depth_decoder))
        self.decoder_norm = new_norm(config) if is_pre else nn.Identity()
        self.head = None if config.tie_output else nn.Linear(config.embed_dim, config.tgt_vocab_size, bias=False)
        self.apply(init_paper)

    def forward(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> Float[Tensor, "batch tgt vocab"]:
        """Logits of the symbol after each symbol of `tgt_in`."""
        memory = self.encode(src, src_mask)
        causal, seen = causal_mask(tgt_in.shape[1]).to(tgt_in.device), src_mask[:, None, None]
        x = self._target(tgt_in)
        for block in self.decoder:
            x = block(x, block.cross_attn.keys_values(memory), causal, seen)  # type: ignore[union-attr, operator]
        return self._logits(x)

    def encode(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src dim"]:
        """The encoder's output. Nothing attends to padding, so its rows do not matter."""
        x = self.src_embed(src)
        for block in self.encoder:
            x = block(x, src_mask[:, None, None])
        return self.encoder_norm(x)

    def start(self, memory: Float[Tensor, "batch src dim"], src_mask: Bool[Tensor, "batch src"]) -> TransformerState:
        """The keys and values of the source, for every block."""
        pairs = [block.cross_attn.keys_values(memory) for block in self.decoder]  # type: ignore[union-attr, operator]
        return TransformerState(src_mask[:, None, None], pairs, None)

    def step(
        self, ids: Int[Tensor, " batch"], state: TransformerState
    ) -> tuple[Float[Tensor, "batch vocab"], TransformerState]:
        """Logits of the symbol after `ids`, and the new state."""
        first = 0 if state.past is None else state.past[0][0].shape[2]
        x, pasts = self._target(ids[:, None], first), []
        for index, block in enumerate(self.decoder):
            before = None if state.past is None else state.past[index]
            x, past = block.step(x, state.memory[index], state.src_mask, before)  # type: ignore[operator]
            pasts.append(past)
        return self._logits(x)[:, 0], TransformerState(state.src_mask, state.memory, pasts)

    def reorder(self, state: TransformerState, index: Int[Tensor, " rows"]) -> TransformerState:
        """The state of the rows in `index`."""
        past = None if state.past is None else [(k[index], v[index]) for k, v in state.past]
        return TransformerState(state.src_mask[index], [(k[index], v[index]) for k, v in state.memory], past)

    def _new_embed(self, vocab_size: int) -> TokenEmbed:
        config = self.config
        return TokenEmbed(
            vocab_size,
            config.embed_dim,
            positions=config.positions,
            max_len=config.max_len,
            drop_rate=config.drop_rate,
        )

    def _target(self, ids: Tensor, first: int = 0) -> Tensor:
        return (self.tgt_embed or self.src_embed)(ids, first)

    def _logits(self, x: Tensor) -> Tensor:
        x = self.decoder_norm(x)
        return F.linear(x, (self.tgt_embed or self.src_embed).table.weight) if self.head is None else self.head(x)


def init_paper(module: nn.Module) -> None:
    """The initialisation above, for use with `apply`. Embeddings initialise themselves."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    # `apply` visits a module after its children: here each part of a fused matrix is drawn again, as a matrix of its own.
    if isinstance(module, SelfAttention):
        parts = module.qkv.weight.chunk(3)
    elif isinstance(module, CrossAttention):
        parts = (module.q.weight, *module.kv.weight.chunk(2))
    else:
        return
    with torch.no_grad():
        for part in parts:
            nn.init.xavier_uniform_(part, gain=2**-0.5)


@sequence_variant("transformer", family="transformer", title="Transformer", source="Vaswani 2017", build=Transformer)
def transformer() -> TransformerConfig:
    """The recommended Transformer: 3 + 3 blocks of width 192, pre-norm, ReLU, sinusoidal positions."""
    return TransformerConfig()


@sequence_variant(
    "transformer_1head", family="transformer", title="Transformer (1 head)", source="Vaswani 2017", build=Transformer
)
def transformer_1head() -> TransformerConfig:
    """One head as wide as the four heads of `transformer` together (table 3, row A). Size and cost are the same."""
    return TransformerConfig(num_heads=1)


@sequence_variant(
    "transformer_learned", family="transformer", title="Transformer (learned positions)", source="Vaswani 2017", build=Transformer
)  # fmt: skip
def transformer_learned() -> TransformerConfig:
    """A learned vector for each position instead of sinusoids (table 3, row E)."""
    return TransformerConfig(positions="learned")
