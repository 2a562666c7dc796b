"""Which letters a sequence model attends to while it writes each symbol: the attention from decoder to encoder.

In "Neural Machine Translation by Jointly Learning to Align and Translate" (arXiv 1409.0473, figure 3) these weights are the
alignment. In "Attention Is All You Need" (arXiv 1706.03762, section 3.2.3) every head of every layer has its own. They show
where information is gathered, not what decides the answer.
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
    """The attention from each symbol of `tgt_in` to the source: float32, first layer first, no gradient.

    `model` is a SequenceModel and reads the given symbols (teacher forcing). Rows sum to 1 and are 0 at padding of the source.
    Raises FittingRoomError if no layer attends from the target to the source.
    """
    modules = dict(model.named_modules())
    with eval_mode(model), torch.no_grad(), capture_attention(model) as weights:
        model(src, src_mask, tgt_in)
    # A decoder that writes symbol by symbol attends once per symbol: join its calls along the queries.
    layers = [torch.cat(calls, dim=2).float().cpu() for name, calls in weights.items() if _is_cross(modules[name])]
    if not layers:
        raise FittingRoomError(
            f"{type(model).__name__} has no attention from a target to a source: choose a sequence model"
        )
    return torch.stack(layers, dim=1)


def align(model: Any, answer: Answer, place: int = 0) -> Alignment:
    """What `model` attended to when it gave pronunciation `place` of `answer`. The model reads its symbols once more."""
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
