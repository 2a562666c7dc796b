"""Augmentation for few pairs: join pairs end to end, and hide symbols from the decoder. Both happen in training only.

A network that has few words learns them by heart. Joined words are new words, and put known letters at new places ("Data
Augmentation by Concatenation for Low-Resource Translation", arXiv 2105.01691). A decoder that does not see some of the earlier
symbols must read the source (word dropout, arXiv 1511.06349, section 3.3).
"""

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.vocabulary import BOS_ID, PAD_ID, UNK_ID

Ids = Int64[Tensor, "batch length"]
Mask = Bool[Tensor, "batch length"]


@config_dataclass
class PairAugmentConfig:
    """Augmentation of pairs. 0 turns a part off."""

    join_rate: float = 0.0
    """Share of pairs that are followed by another pair of their batch. Only for data where two joined sources have the joined
    targets, such as spelling and sound."""
    hide_rate: float = 0.0
    """Share of the earlier target symbols that the decoder sees as the unknown symbol."""

    def __post_init__(self) -> None:
        for name, rate in vars(self).items():
            if not 0 <= rate < 1:
                raise FittingRoomError(f"augment.{name} {rate} must be at least 0 and below 1")


def join(
    src: tuple[Ids, Mask], tgt: tuple[Ids, Mask], chosen: Bool[Tensor, " batch"], most: int | None
) -> tuple[tuple[Ids, Mask], tuple[Ids, Mask]]:
    """Each chosen row, without its end mark, followed by the row after it (the first row after the last one).

    `src` and `tgt` are rows that end with the end mark, and their masks. A row stays as it is if a side would have more than
    `most` symbols.
    """
    if most is not None:
        for _, mask in (src, tgt):
            lengths = mask.sum(1)
            chosen = chosen & (lengths + lengths.roll(-1) - 1 <= most)
    return _join_side(*src, chosen), _join_side(*tgt, chosen)


def _join_side(ids: Ids, mask: Mask, chosen: Bool[Tensor, " batch"]) -> tuple[Ids, Mask]:
    lengths = mask.sum(1)
    first = torch.where(chosen, lengths - 1, lengths)  # without the end mark
    total = torch.where(chosen, first + lengths.roll(-1), lengths)
    place = torch.arange(int(total.max())).expand(len(ids), -1)
    in_first, row = place < first[:, None], torch.arange(len(ids))[:, None]
    row = torch.where(in_first, row, (row + 1) % len(ids))
    column = torch.where(in_first, place, place - first[:, None])
    joined_mask = place < total[:, None]
    joined = ids[row, column.clamp(0, ids.shape[1] - 1)]
    return torch.where(joined_mask, joined, PAD_ID), joined_mask


def decoder_input(tgt_out: Ids, tgt_mask: Mask) -> Ids:
    """BOS_ID, then the symbols before each place."""
    shifted = torch.cat([torch.full((len(tgt_out), 1), BOS_ID), tgt_out[:, :-1]], 1)
    return torch.where(tgt_mask, shifted, PAD_ID)


def hide(tgt_in: Ids, chosen: Mask) -> Ids:
    """The chosen symbols as UNK_ID. Start marks and padding stay."""
    return torch.where(chosen & (tgt_in != BOS_ID) & (tgt_in != PAD_ID), UNK_ID, tgt_in)
