"""Decode sequences greedily or by beam search, with any decoder that reads one symbol per row at a time.

    model.eval()
    state = model.start(model.encode(src, src_mask), src_mask)
    best = greedy(model.step, model.reorder, state, torch.full((len(src),), bos_id), eos_id=eos_id, max_len=40)

`step(ids, state) -> (logits, state)` reads one id per row. `reorder(state, index)` returns the state of the rows in `index`.
The length of a sequence is the number of its predictions: the end mark counts, the begin mark does not.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from fittingroom.core.errors import FittingRoomError

Step = Callable[[Tensor, Any], tuple[Tensor, Any]]
Reorder = Callable[[Any, Tensor], Any]
# Greedy drops finished rows once the unfinished share falls below this. It waits until then because copying the state is slow.
SHRINK_BELOW = 0.75


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One decoded sequence."""

    ids: tuple[int, ...]
    """The ids without begin and end marks."""
    log_prob: float
    """Log-probability of all symbols, including the end mark if there is one."""
    score: float
    """The value used for ranking: `log_prob` divided by the length penalty."""
    finished: bool
    """True if the sequence ended with the end mark, False if it was cut at max_len."""


def length_penalty(length: int, alpha: float) -> float:
    """`((5 + length) / 6) ** alpha`: "Google's Neural Machine Translation System" (arXiv 1609.08144), equation 14.

    The probability of a sequence falls with its length, so without the penalty (alpha 0) beam search prefers short sequences.
    "Attention Is All You Need" uses alpha 0.6 with 4 beams (section 6.1).
    """
    return ((5 + length) / 6) ** alpha


@torch.inference_mode()
def greedy(
    step: Step, reorder: Reorder, state: Any, first_ids: Tensor, *, eos_id: int, max_len: int
) -> list[Hypothesis]:
    """Choose the most probable symbol at each step, until the end mark or `max_len` predictions.

    `first_ids` (rows,) holds the begin mark of each row. Returns one hypothesis per row, in order.
    """
    _check(max_len=max_len)
    ids, num_rows, device = first_ids, len(first_ids), first_ids.device
    written = torch.full((num_rows, max_len), eos_id, device=device)
    log_probs = torch.zeros(num_rows, device=device)
    rows = torch.arange(num_rows, device=device)  # maps rows of the state to rows of `written`
    writes = torch.ones(num_rows, dtype=torch.bool, device=device)
    for position in range(max_len):
        if not len(rows):
            break
        logits, state = step(ids, state)
        best, ids = logits.float().log_softmax(dim=-1).max(dim=-1)
        ids = torch.where(writes, ids, eos_id)
        written[rows, position] = ids
        log_probs[rows] += torch.where(writes, best, 0.0)
        writes = writes & (ids != eos_id)
        num_left = int(writes.sum())
        if num_left == 0:
            break
        if num_left < SHRINK_BELOW * len(rows):
            kept = writes.nonzero().squeeze(1)
            state, rows, ids, writes = reorder(state, kept), rows[kept], ids[kept], writes[kept]
    return [
        _hypothesis(ids, log_prob, eos_id, alpha=0.0)
        for ids, log_prob in zip(written.tolist(), log_probs.tolist(), strict=True)
    ]


@dataclass
class _Beams:
    """The running hypotheses of all unfinished rows, `num_beams` slots for each row."""

    rows: Tensor
    """(rows,): position of each row in the original batch."""
    ids: Tensor
    """(rows, beams, length): ids of each hypothesis, starting with the begin mark."""
    log_probs: Tensor
    """(rows, beams): minus infinity in empty slots."""
    finished: list[list[Hypothesis]] = field(default_factory=list)
    """The best finished hypotheses of each row of the original batch, best first."""


@torch.inference_mode()
def beam_search(
    step: Step,
    reorder: Reorder,
    state: Any,
    first_ids: Tensor,
    *,
    eos_id: int,
    max_len: int,
    num_beams: int = 4,
    alpha: float = 0.6,
) -> list[list[Hypothesis]]:
    """Return up to `num_beams` different hypotheses per row, best first. With one beam, the result equals `greedy`.

    A wider beam never returns a first hypothesis with a lower score. Plain beam search does not promise that: the additional
    hypotheses may push out the prefix of the best one. Here each slot extends only hypotheses of its own and of earlier slots
    (`_fill`), so a beam searches everything that a narrower beam searches (Lemons and others, "Beam Search: Faster and
    Monotonic", ICAPS 2022). A slot that writes the end mark is empty until an earlier hypothesis has an extension to spare.

    A row ends when no running hypothesis can reach the scores of the `num_beams` best finished ones, or after `max_len`
    predictions. Hypotheses that are unfinished at `max_len` are cut and ranked with the others.
    """
    _check(max_len=max_len, num_beams=num_beams)
    num_rows, device = len(first_ids), first_ids.device
    beams = _Beams(
        rows=torch.arange(num_rows, device=device),
        ids=first_ids[:, None, None].expand(num_rows, num_beams, 1),
        log_probs=torch.full((num_rows, num_beams), -torch.inf, device=device),
        finished=[[] for _ in range(num_rows)],
    )
    beams.log_probs[:, 0] = 0.0
    state = reorder(state, beams.rows.repeat_interleave(num_beams))
    for length in range(1, max_len + 1):
        if not len(beams.rows):
            break
        logits, state = step(beams.ids[:, :, -1].flatten(), state)
        beams, parents = _extend(beams, logits.float().log_softmax(dim=-1), eos_id, alpha)
        kept = _may_win(beams, length, max_len, alpha).nonzero().squeeze(1)
        beams = _Beams(beams.rows[kept], beams.ids[kept], beams.log_probs[kept], beams.finished)
        state = reorder(state, parents[kept].flatten())
    return [_rank(beams, row, num_beams, eos_id, alpha) for row in range(num_rows)]


def _extend(beams: _Beams, log_probs_next: Tensor, eos_id: int, alpha: float) -> tuple[_Beams, Tensor]:
    """Fill the slots with extensions of the running hypotheses, and move ended ones to `finished`.

    Also returns (rows, beams): the index of the state row that each slot continues.
    """
    num_rows, num_beams, length = beams.ids.shape
    totals = beams.log_probs[..., None] + log_probs_next.view(num_rows, num_beams, -1)
    best, parents, symbols = _fill(totals)
    ends = (symbols == eos_id) & (best > -torch.inf)
    for row, place in ends.nonzero().tolist():
        prefix = beams.ids[row, parents[row, place], 1:].tolist()
        found = beams.finished[int(beams.rows[row])]
        found.append(_hypothesis([*prefix, eos_id], float(best[row, place]), eos_id, alpha))
        found.sort(key=_by_score)
        del found[num_beams:]
    best = best.masked_fill(ends, -torch.inf)
    ids = torch.cat([beams.ids.gather(1, parents[..., None].expand(-1, -1, length)), symbols[..., None]], dim=2)
    state_rows = torch.arange(num_rows, device=best.device)[:, None] * num_beams + parents
    return _Beams(beams.rows, ids, best, beams.finished), state_rows


def _fill(totals: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Let each slot take the most probable extension that is left, of the hypotheses in its own and in earlier slots.

    `totals` is (rows, beams, vocabulary). Returns log-probabilities, parents and symbols, each (rows, beams).
    """
    num_beams, vocab_size = totals.shape[1:]
    left = totals.flatten(1).clone()
    taken = []
    for slot in range(num_beams):
        best, place = left[:, : (slot + 1) * vocab_size].max(dim=1)
        left.scatter_(1, place[:, None], -torch.inf)
        taken.append((best, place))
    best, places = (torch.stack(each, dim=1) for each in zip(*taken, strict=True))
    return best, places // vocab_size, places % vocab_size


def _may_win(beams: _Beams, length: int, max_len: int, alpha: float) -> Tensor:
    """(rows,): whether a running hypothesis of `length` predictions may still beat the row's last finished one.

    Further symbols only lower a log-probability, so no score can exceed it at the most favourable of the possible lengths.
    """
    num_beams, best = beams.log_probs.shape[1], beams.log_probs.max(dim=1).values
    weights = [1 / length_penalty(each, alpha) for each in (min(length + 1, max_len), max_len)]
    reachable = best * min(weights)
    found = [beams.finished[row] for row in beams.rows.tolist()]
    lowest = [each[-1].score if len(each) >= num_beams else -torch.inf for each in found]
    return reachable > torch.tensor(lowest, dtype=reachable.dtype, device=reachable.device)


def _rank(beams: _Beams, row: int, num_beams: int, eos_id: int, alpha: float) -> list[Hypothesis]:
    """The best hypotheses of a row, ended or cut."""
    found = list(beams.finished[row])
    for place in (beams.rows == row).nonzero().flatten().tolist():
        for ids, log_prob in zip(beams.ids[place, :, 1:].tolist(), beams.log_probs[place].tolist(), strict=True):
            if log_prob > -torch.inf:
                found.append(_hypothesis(ids, log_prob, eos_id, alpha))
    return sorted(found, key=_by_score)[:num_beams]


def _by_score(found: Hypothesis) -> float:
    return -found.score


def _hypothesis(ids: list[int], log_prob: float, eos_id: int, alpha: float) -> Hypothesis:
    """Make a hypothesis from decoded ids. It includes everything before the end mark; ids after the mark are ignored."""
    finished = eos_id in ids
    symbols = ids[: ids.index(eos_id)] if finished else ids
    score = log_prob / length_penalty(len(symbols) + finished, alpha)
    return Hypothesis(ids=tuple(symbols), log_prob=log_prob, score=score, finished=finished)


def _check(**values: int) -> None:
    for name, value in values.items():
        if value < 1:
            raise FittingRoomError(f"{name} {value} is too small: it must be at least 1")
