"""Which letters a sequence model looks at while it writes each symbol: the attention from decoder to encoder.

In "Neural Machine Translation by Jointly Learning to Align and Translate" (arXiv 1409.0473, figure 3) these weights are the
alignment; in "Attention Is All You Need" (arXiv 1706.03762, section 3.2.3) there are as many as layers times heads. They
show what is gathered, not what decides.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID
from fittingroom.evaluation.pronounce import Answer
from fittingroom.explain.capture import capture_attention
from fittingroom.explain.eval_mode import eval_mode
from fittingroom.explain.findings import END, Alignment
from fittingroom.models.layers.attention import AttentionCore, SelfAttention


def cross_attention(
    model: nn.Module,
    src: Int[Tensor, "batch src"],
    src_mask: Bool[Tensor, "batch src"],
    tgt_in: Int[Tensor, "batch tgt"],
) -> Float[Tensor, "batch layers heads tgt src"]:
    """Weights with which the symbol after each of `tgt_in` looks at the source, float32, first layer first; no gradient.

    `model` is a SequenceModel and is given the symbols (teacher forcing). Rows sum to 1, and are 0 at padding of the source.
    Raises FittingRoomError where no layer looks from the target to the source.
    """
    modules = dict(model.named_modules())
    with eval_mode(model), torch.no_grad(), capture_attention(model) as weights:
        model(src, src_mask, tgt_in)
    # A decoder that must write one symbol after the other has attended once a symbol: calls follow one another as queries.
    layers = [torch.cat(calls, dim=2).float().cpu() for name, calls in weights.items() if _is_cross(modules[name])]
    if not layers:
        raise FittingRoomError(f"{type(model).__name__} looks from no target to a source: choose a sequence model")
    return torch.stack(layers, dim=1)


def align(model: Any, answer: Answer, place: int = 0) -> Alignment:
    """What `model` looked at when it gave pronunciation `place` of `answer`: its symbols are given to it once more."""
    found = answer.pronunciations[place]
    written = (*found.ids, EOS_ID) if found.finished else found.ids
    src = torch.tensor([answer.ids], dtype=torch.int64)
    tgt_in = torch.tensor([[BOS_ID, *written[:-1]]], dtype=torch.int64)
    weights = cross_attention(model, src, torch.ones_like(src, dtype=torch.bool), tgt_in)
    return Alignment(
        word=answer.word,
        letters=(*answer.read, END),
        phonemes=(*found.symbols, END) if found.finished else found.symbols,
        weights=weights[0].numpy(),
    )


def _is_cross(module: nn.Module) -> bool:
    return isinstance(module, AttentionCore) and not isinstance(module, SelfAttention)
