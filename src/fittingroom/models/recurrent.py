"""Recurrent networks with attention, the state of the art before the Transformer: a bidirectional encoder and a decoder.

`attention="additive"`: "Neural Machine Translation by Jointly Learning to Align and Translate" (Bahdanau et al. 2015, arXiv
1409.0473). `attention="multiplicative"`: "Effective Approaches to Attention-based NMT" (Luong et al. 2015, arXiv 1508.04025).

    Bahdanau, section 3, appendix A.2            here
    h_j, forward and backward state (A.2.1)      `encode`: (batch, src, 2 * hidden_dim)
    s_0 = tanh(W_s h_1 backward) (A.2.2)         bridge
    e_ij = v tanh(W s_i-1 + U h_j), alpha (6)    attention: score, query, keys
    c_i (5), s_i = f(s_i-1, y_i-1, c_i)          decoder: reads the symbol and the context
    t_i, a layer over s_i-1, y_i-1, c_i          readout: reads s_i; tanh replaces the paper's maxout
    Luong, section 3.1                           here
    score = h_t W h_s ("general"), h~_t (5)      attention: keys; readout

Deviations: both attentions share one encoder. Encoder and decoder have `depth` layers; the bridge gives each decoder layer its
own first state, and an LSTM's cell starts at zero. Luong's decoder has no "input feeding" (3.3), so `forward` computes all
targets at once.
Initialisation: recurrent matrices orthogonal gate by gate, as in Bahdanau; other matrices Xavier uniform; biases 0, except an
LSTM's forget gate, 1.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fittingroom.core.config import config_dataclass
from fittingroom.models.layers.attention import AttentionCore, masked_softmax
from fittingroom.models.layers.dropout import Dropout
from fittingroom.models.layers.tokens import TokenEmbed
from fittingroom.models.registry import check_positive, check_rate, sequence_variant
from fittingroom.models.roles import Roles

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}
NUM_GATES = {"gru": 3, "lstm": 4}


@config_dataclass
class RecurrentConfig:
    """The shape of a recurrent encoder and decoder."""

    src_vocab_size: int = 32
    """Number of source symbols: 26 letters, apostrophe, hyphen, and pad, bos, eos, unk."""
    tgt_vocab_size: int = 43
    """Number of target symbols: 39 phonemes, and pad, bos, eos, unk."""
    cell: Literal["gru", "lstm"] = "gru"
    """Recurrent unit: gru or lstm."""
    attention: Literal["additive", "multiplicative"] = "additive"
    """additive (Bahdanau) or multiplicative (Luong)."""
    embed_dim: int = 192
    """Width of a symbol's vector."""
    hidden_dim: int = 224
    """Width of a state. The encoder has one state for each direction."""
    depth: int = 2
    """Recurrent layers in the encoder, and in the decoder."""
    tie_output: bool = True
    """Use the target's embedding table as the output layer."""
    drop_rate: float = 0.1
    """Dropout after embeddings, between layers and before the output layer."""

    def __post_init__(self) -> None:
        check_positive(
            src_vocab_size=self.src_vocab_size,
            tgt_vocab_size=self.tgt_vocab_size,
            embed_dim=self.embed_dim,
            hidden_dim=self.hidden_dim,
            depth=self.depth,
        )
        check_rate("drop_rate", self.drop_rate)


class MultiplicativeAttention(AttentionCore):
    """Luong's "general" attention: one head with the unscaled scores `s W h`. The values are the memory itself."""

    def __init__(self, dim: int, memory_dim: int) -> None:
        super().__init__(dim, num_heads=1, path="explicit")
        self.keys = nn.Linear(memory_dim, dim, bias=False)

    def weights(self, q_BHNK: Tensor, k_BHMK: Tensor, mask: Tensor | None) -> Tensor:
        """Softmax of the scores, (batch, 1, queries, keys)."""
        return masked_softmax(q_BHNK @ k_BHMK.transpose(-2, -1), mask)

    def attend(self, q_BHNK: Tensor, k_BHMK: Tensor, v_BHMK: Tensor, mask: Tensor | None) -> Tensor:
        """The context: the weighted mean of the memory."""
        return self.weights(q_BHNK, k_BHMK, mask) @ v_BHMK

    def forward(self, states_BNK: Tensor, keys_B1MK: Tensor, values_B1MK: Tensor, mask: Tensor) -> Tensor:
        """The context of each decoder state."""
        return self.multi_head(states_BNK[:, None], keys_B1MK, values_B1MK, mask)


class AdditiveAttention(MultiplicativeAttention):
    """Bahdanau's attention: the scores are `v tanh(W s + U h)`, a network with one hidden layer. `keys` is U."""

    weight_roles: ClassVar[Roles] = {"score": "head"}

    def __init__(self, dim: int, memory_dim: int) -> None:
        super().__init__(dim, memory_dim)
        self.query = nn.Linear(dim, dim, bias=False)
        self.score = nn.Linear(dim, 1, bias=False)

    def weights(self, q_BHNK: Tensor, k_BHMK: Tensor, mask: Tensor | None) -> Tensor:
        """Softmax of the scores, (batch, 1, queries, keys)."""
        hidden_BHNMK = (q_BHNK[..., None, :] + k_BHMK[..., None, :, :]).tanh()
        return masked_softmax(self.score(hidden_BHNMK).squeeze(-1), mask)

    def forward(self, states_BNK: Tensor, keys_B1MK: Tensor, values_B1MK: Tensor, mask: Tensor) -> Tensor:
        """The context of each decoder state."""
        return super().forward(self.query(states_BNK), keys_B1MK, values_B1MK, mask)


@dataclass(frozen=True)
class RecurrentState:
    """What a decoder keeps between steps."""

    hidden: tuple[Float[Tensor, "depth batch dim"], ...]
    """The state of every layer, and for an LSTM also the cell."""
    keys: Float[Tensor, "batch 1 src dim"]
    values: Float[Tensor, "batch 1 src memory_dim"]
    src_mask: Bool[Tensor, "batch 1 1 src"]


class Recurrent(nn.Module):
    """Encoder, attention, decoder. A `models.sequence.SequenceModel`."""

    weight_roles: ClassVar[Roles] = {
        "encoder": "hidden",
        "bridge": "hidden",
        "attention": "hidden",
        "decoder": "hidden",
        "readout": "hidden",
        "head": "head",
    }

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.config = config
        self.is_additive = config.attention == "additive"
        self.fused_blocks = dict.fromkeys(("encoder", "decoder"), NUM_GATES[config.cell])
        dim, hidden, drop = config.embed_dim, config.hidden_dim, config.drop_rate
        cell = CELLS[config.cell]
        between = drop if config.depth > 1 else 0.0  # torch warns about dropout between layers if there is one layer
        self.src_embed = TokenEmbed(config.src_vocab_size, dim, positions="none", drop_rate=drop)
        self.encoder = cell(dim, hidden, config.depth, batch_first=True, dropout=between, bidirectional=True)
        self.bridge = nn.Linear(hidden, config.depth * hidden)
        self.tgt_embed = TokenEmbed(config.tgt_vocab_size, dim, positions="none", drop_rate=drop)
        attention = AdditiveAttention if self.is_additive else MultiplicativeAttention
        self.attention = attention(hidden, 2 * hidden)
        seen = dim + 2 * hidden if self.is_additive else dim
        self.decoder = cell(seen, hidden, config.depth, batch_first=True, dropout=between)
        self.readout = nn.Linear(3 * hidden + (dim if self.is_additive else 0), dim)
        self.drop = Dropout(drop)
        self.head = None if config.tie_output else nn.Linear(dim, config.tgt_vocab_size, bias=False)
        self.apply(init_recurrent)

    def forward(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"], tgt_in: Int[Tensor, "batch tgt"]
    ) -> Float[Tensor, "batch tgt vocab"]:
        """Logits of the symbol after each symbol of `tgt_in`."""
        return self._read(tgt_in, self.start(self.encode(src, src_mask), src_mask))[0]

    def encode(
        self, src: Int[Tensor, "batch src"], src_mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src dim"]:
        """The states of both directions, zero at padding. The backward direction starts at each source's own last symbol."""
        packed = pack_padded_sequence(
            self.src_embed(src), src_mask.sum(dim=1).cpu(), batch_first=True, enforce_sorted=False
        )
        return pad_packed_sequence(self.encoder(packed)[0], batch_first=True, total_length=src.shape[1])[0]

    def start(self, memory: Float[Tensor, "batch src dim"], src_mask: Bool[Tensor, "batch src"]) -> RecurrentState:
        """The first state, from the backward state at the first symbol, which has read the whole source; and the keys."""
        batch, depth, dim = len(memory), self.config.depth, self.config.hidden_dim
        backward = memory[:, 0, dim:]
        first = self.bridge(backward).tanh().view(batch, depth, dim).transpose(0, 1).contiguous()
        hidden = (first, torch.zeros_like(first)) if self.config.cell == "lstm" else (first,)
        return RecurrentState(hidden, self.attention.keys(memory)[:, None], memory[:, None], src_mask[:, None, None])

    def step(
        self, ids: Int[Tensor, " batch"], state: RecurrentState
    ) -> tuple[Float[Tensor, "batch vocab"], RecurrentState]:
        """Logits of the symbol after `ids`."""
        logits, state = self._read(ids[:, None], state)
        return logits[:, 0], state

    def reorder(self, state: RecurrentState, index: Int[Tensor, " rows"]) -> RecurrentState:
        """The state of the rows in `index`."""
        hidden = tuple(part[:, index] for part in state.hidden)
        return RecurrentState(hidden, state.keys[index], state.values[index], state.src_mask[index])

    def _read(self, ids: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        """Logits after each symbol of `ids`, and the state after the last."""
        symbols, hidden = self.tgt_embed(ids), state.hidden
        if not self.is_additive:
            states, hidden = self._recur(symbols, hidden)
            seen = [states, self._context(states, state)]
        else:  # each state needs the context before it, so symbols go one by one
            states, contexts = [], []
            for symbol in symbols.split(1, dim=1):
                contexts.append(self._context(hidden[0][-1][:, None], state))
                after, hidden = self._recur(torch.cat([symbol, contexts[-1].to(symbol.dtype)], dim=-1), hidden)
                states.append(after)
            seen = [torch.cat(states, dim=1), torch.cat(contexts, dim=1), symbols]
        read = self.drop(self.readout(torch.cat([part.to(symbols.dtype) for part in seen], dim=-1)).tanh())
        logits = F.linear(read, self.tgt_embed.table.weight) if self.head is None else self.head(read)
        return logits, RecurrentState(hidden, state.keys, state.values, state.src_mask)

    def _recur(self, x: Tensor, hidden: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        hidden = tuple(part.to(x.dtype) for part in hidden)
        if self.config.cell == "lstm":
            return self.decoder(x, hidden)
        states, last = self.decoder(x, hidden[0])
        return states, (last,)

    def _context(self, states: Tensor, state: RecurrentState) -> Tensor:
        return self.attention(states, state.keys, state.values, state.src_mask)


def init_recurrent(module: nn.Module) -> None:
    """The initialisation above, for use with `apply`. Embeddings initialise themselves."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    if not isinstance(module, nn.GRU | nn.LSTM):
        return
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(parameter)
                if isinstance(module, nn.LSTM) and name.startswith("bias_ih"):
                    parameter.chunk(4)[1].fill_(1.0)  # input, forget, cell, output
                continue
            for gate in parameter.split(module.hidden_size):
                (nn.init.orthogonal_ if "_hh_" in name else nn.init.xavier_uniform_)(gate)


@sequence_variant("recurrent", family="recurrent", title="RNN with attention", source="Bahdanau 2015", build=Recurrent)
def recurrent() -> RecurrentConfig:
    """The recommended recurrent network: encoder and decoder of two GRU layers each, additive attention, tied output."""
    return RecurrentConfig()
