"""Greedy and beam search against plain loops and exhaustive search. The decoder has random logits for each prefix."""

import itertools
import math
import random
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.evaluation.decoding import Hypothesis, beam_search, greedy, length_penalty

BOS, EOS = 1, 2
SEEDS = st.integers(0, 10_000)
Ids = tuple[int, ...]


class RandomDecoder:
    """The logits depend on (seed, row, all ids read). The state holds the ids that each row has read."""

    def __init__(self, seed: int, vocab_size: int, sharpness: float = 2.0) -> None:
        self.seed, self.vocab_size, self.sharpness = seed, vocab_size, sharpness
        self.rows_a_step: list[int] = []

    def logits(self, row: int, read: Ids) -> list[float]:
        draw = random.Random(f"{self.seed} {row} {read}")
        return [draw.gauss(0, self.sharpness) for _ in range(self.vocab_size)]

    def log_probs(self, row: int, read: Ids) -> list[float]:
        return torch.tensor(self.logits(row, read)).log_softmax(dim=0).tolist()

    def step(self, ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        self.rows_a_step.append(len(ids))
        state = [(row, (*read, symbol)) for (row, read), symbol in zip(state, ids.tolist(), strict=True)]
        return torch.tensor([self.logits(*each) for each in state]), state

    def reorder(self, state: Any, index: torch.Tensor) -> Any:
        return [state[place] for place in index.tolist()]

    def greedy(self, num_rows: int, max_len: int, first_row: int = 0) -> list[Hypothesis]:
        state = [(row, ()) for row in range(first_row, first_row + num_rows)]
        return greedy(self.step, self.reorder, state, torch.full((num_rows,), BOS), eos_id=EOS, max_len=max_len)

    def beam(self, num_rows: int, max_len: int, *, first_row: int = 0, **options: Any) -> list[list[Hypothesis]]:
        state, first = [(row, ()) for row in range(first_row, first_row + num_rows)], torch.full((num_rows,), BOS)
        return beam_search(self.step, self.reorder, state, first, eos_id=EOS, max_len=max_len, **options)

    def log_prob(self, row: int, found: Hypothesis) -> float:
        """The log-probability of a hypothesis, added up symbol by symbol."""
        written = (*found.ids, EOS) if found.finished else found.ids
        return sum(self.log_probs(row, (BOS, *written[:place]))[each] for place, each in enumerate(written))


def ranked(found: list[tuple[float, bool, Ids]]) -> list[tuple[Ids, bool]]:
    """Sort (score, finished, ids) by score and return (ids, finished), best first."""
    return [(ids, finished) for _, finished, ids in sorted(found, reverse=True)]


def exhaustive(decoder: RandomDecoder, row: int, max_len: int, alpha: float) -> list[tuple[Ids, bool]]:
    """Every sequence that can be written in `max_len` predictions, ranked."""
    symbols, every = [each for each in range(decoder.vocab_size) if each != EOS], []
    for length in range(max_len + 1):
        for ids in itertools.product(symbols, repeat=length):
            finished = length < max_len
            log_prob = decoder.log_prob(row, Hypothesis(ids=ids, log_prob=0, score=0, finished=finished))
            every.append((log_prob / ((5 + length + finished) / 6) ** alpha, finished, ids))
    return ranked(every)


def plain_beam(decoder: RandomDecoder, row: int, max_len: int, width: int, alpha: float) -> list[tuple[Ids, bool]]:
    """The same search for one row, as a plain loop that never stops early."""
    slots: list[tuple[float, Ids] | None] = [(0.0, ())]
    ended: list[tuple[float, bool, Ids]] = []
    for length in range(1, max_len + 1):
        children: list[tuple[float, Ids]] = []
        filled: list[tuple[float, Ids] | None] = []
        for slot in range(width):
            if slot < len(slots) and (running := slots[slot]) is not None:
                total, ids = running
                after = decoder.log_probs(row, (BOS, *ids))
                children += [(total + more, (*ids, symbol)) for symbol, more in enumerate(after)]
            filled.append(max(children, default=None))
            if filled[-1] is not None:
                children.remove(filled[-1])
        ended += [
            (each[0] / ((5 + length) / 6) ** alpha, True, each[1][:-1])
            for each in filled
            if each and each[1][-1] == EOS
        ]
        slots = [each if each and each[1][-1] != EOS else None for each in filled]
    left = [(each[0] / ((5 + max_len) / 6) ** alpha, False, each[1]) for each in slots if each]
    return ranked(ended + left)[:width]


@given(seed=SEEDS, vocab_size=st.integers(3, 6), max_len=st.integers(1, 7), num_rows=st.integers(1, 6))
def test_greedy_takes_the_likeliest_each_time(seed: int, vocab_size: int, max_len: int, num_rows: int) -> None:
    decoder = RandomDecoder(seed, vocab_size)
    for row, found in enumerate(decoder.greedy(num_rows, max_len)):
        ids: Ids = ()
        while len(ids) < max_len and EOS not in ids:
            logits = decoder.logits(row, (BOS, *ids))
            ids = (*ids, logits.index(max(logits)))
        assert found.finished == (EOS in ids)
        assert found.ids == (ids[:-1] if found.finished else ids)
        assert found.log_prob == found.score == pytest.approx(decoder.log_prob(row, found), abs=1e-4)


@given(seed=SEEDS, vocab_size=st.integers(3, 6), max_len=st.integers(1, 7), alpha=st.sampled_from([0.0, 0.6, 2.0]))
def test_one_beam_is_greedy(seed: int, vocab_size: int, max_len: int, alpha: float) -> None:
    decoder = RandomDecoder(seed, vocab_size)
    beams = decoder.beam(4, max_len, num_beams=1, alpha=alpha)
    found, expected = [row[0] for row in beams], decoder.greedy(4, max_len)
    assert [len(row) for row in beams] == [1] * 4
    assert [(each.ids, each.finished) for each in found] == [(each.ids, each.finished) for each in expected]
    assert [each.log_prob for each in found] == pytest.approx([each.log_prob for each in expected], abs=1e-5)


@pytest.mark.thorough
@given(seed=SEEDS, vocab_size=st.integers(3, 4), max_len=st.integers(1, 4), alpha=st.sampled_from([0.0, 0.6, 2.0]))
def test_a_beam_wide_enough_finds_what_exhaustive_search_finds(
    seed: int, vocab_size: int, max_len: int, alpha: float
) -> None:
    decoder = RandomDecoder(seed, vocab_size)
    width = 2 * (vocab_size - 1) ** max_len
    for row, found in enumerate(decoder.beam(2, max_len, num_beams=width, alpha=alpha)):
        expected = exhaustive(decoder, row, max_len, alpha)
        assert [(each.ids, each.finished) for each in found] == expected[:width]


@given(
    seed=SEEDS, vocab_size=st.integers(3, 7), max_len=st.integers(1, 6), width=st.integers(1, 5),
    alpha=st.sampled_from([0.0, 0.6, 2.0]),
)  # fmt: skip
def test_any_beam_finds_what_a_plain_loop_finds(
    seed: int, vocab_size: int, max_len: int, width: int, alpha: float
) -> None:
    decoder = RandomDecoder(seed, vocab_size)
    for row, found in enumerate(decoder.beam(3, max_len, num_beams=width, alpha=alpha)):
        assert [(each.ids, each.finished) for each in found] == plain_beam(decoder, row, max_len, width, alpha)


@pytest.mark.thorough
@given(
    seed=SEEDS, vocab_size=st.integers(3, 7), max_len=st.integers(1, 7), sharpness=st.sampled_from([0.3, 1.0, 3.0]),
    alpha=st.sampled_from([0.0, 0.6, 2.0]),
)  # fmt: skip
def test_a_wider_beam_never_returns_a_worse_first_answer(
    seed: int, vocab_size: int, max_len: int, sharpness: float, alpha: float
) -> None:
    decoder = RandomDecoder(seed, vocab_size, sharpness)
    scores = [
        [found[0].score for found in decoder.beam(3, max_len, num_beams=width, alpha=alpha)] for width in range(1, 6)
    ]
    for narrow, wide in itertools.pairwise(scores):
        assert all(more >= less for less, more in zip(narrow, wide, strict=True))


def test_a_beam_goes_on_while_an_open_hypothesis_can_still_win() -> None:
    def step(ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        # Two answers end early, `()` with .3 and `(3,)` with .07 * .9. The best one, `(4, 4, 4, 4)`, is longer.
        after = {BOS: [1e-9, 1e-9, 0.3, 0.07, 0.63], 3: [1e-9, 1e-9, 0.9, 0.1, 1e-9], 4: [1e-9, 1e-9, 0.1, 1e-9, 0.9]}
        return torch.tensor([after.get(each, [0.2] * 5) for each in ids.tolist()]).log(), state

    (found,) = beam_search(
        step, lambda s, _: s, None, torch.tensor([BOS]), eos_id=EOS, max_len=4, num_beams=2, alpha=2.0
    )
    assert found[0].ids == (4, 4, 4, 4)
    assert found[0].score == pytest.approx(math.log(0.63 * 0.9**3) / 1.5**2, rel=1e-5)


def test_a_beam_goes_on_while_only_a_much_longer_answer_can_win() -> None:
    """`(4, 5)` is behind both ended answers, and with any one more symbol, too; ten more sure ones make it the best."""
    num_symbols = 46
    favoured = {BOS: {EOS: 0.3, 4: 0.63}, 4: {EOS: 0.029, 5: 0.03}, 5: {EOS: 1e-9, 6: 0.03}, 6: {6: 1 - 1e-6}}

    def log_probs(last: int) -> list[float]:
        known = favoured.get(last, {})
        rest = (1 - sum(known.values())) / (num_symbols - len(known))
        return [math.log(known.get(symbol, rest)) for symbol in range(num_symbols)]

    def step(ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        return torch.tensor([log_probs(each) for each in ids.tolist()]), state

    (found,) = beam_search(
        step, lambda s, _: s, None, torch.tensor([BOS]), eos_id=EOS, max_len=12, num_beams=2, alpha=2.0
    )
    assert found[0].ids == (4, 5, *[6] * 10)
    assert found[0].score == pytest.approx(math.log(0.63 * 0.03**2) / (17 / 6) ** 2, rel=1e-4)
    assert found[1].ids == ()


@given(seed=SEEDS, width=st.integers(2, 5), max_len=st.integers(2, 6))
def test_the_n_best_are_sorted_different_and_truly_scored(seed: int, width: int, max_len: int) -> None:
    decoder = RandomDecoder(seed, 6)
    for row, found in enumerate(decoder.beam(3, max_len, num_beams=width)):
        assert len(found) == width
        assert len({(each.ids, each.finished) for each in found}) == width
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        for each in found:
            assert each.log_prob == pytest.approx(decoder.log_prob(row, each), abs=1e-4)
            length = len(each.ids) + each.finished
            assert each.score == pytest.approx(each.log_prob / ((5 + length) / 6) ** 0.6)
            assert EOS not in each.ids


@pytest.mark.thorough
@given(seed=SEEDS, max_len=st.integers(1, 6))
def test_a_row_is_written_as_if_it_were_alone(seed: int, max_len: int) -> None:
    decoder = RandomDecoder(seed, 4)
    for row, (found, beams) in enumerate(zip(decoder.greedy(5, max_len), decoder.beam(5, max_len), strict=True)):
        assert decoder.greedy(1, max_len, first_row=row) == [found]
        assert decoder.beam(1, max_len, first_row=row) == [beams]


def test_the_penalty_is_the_formula_and_favours_length() -> None:
    assert length_penalty(1, 0.6) == 1
    assert length_penalty(7, 0.6) == pytest.approx(2**0.6)
    assert length_penalty(13, 1.0) == pytest.approx(3)
    assert length_penalty(9, 0.0) == 1

    def step(ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        # It ends at once with probability .4 or writes a 3 with .6. After a 3 it ends with .6. This gives .4 against .36.
        after_bos, after_3 = [1e-9, 1e-9, 0.4, 0.6], [0.4, 1e-9, 0.6, 1e-9]
        return torch.tensor([after_3 if each == 3 else after_bos for each in ids.tolist()]).log(), state

    for alpha, ids in ((0.0, ()), (2.0, (3,))):
        found = beam_search(
            step, lambda s, _: s, None, torch.tensor([BOS]), eos_id=EOS, max_len=3, num_beams=2, alpha=alpha
        )
        assert found[0][0].ids == ids
    assert found[0][0].score == pytest.approx(math.log(0.36) / (7 / 6) ** 2, rel=1e-5)


def test_rows_that_have_ended_are_no_longer_computed() -> None:
    class Countdown(RandomDecoder):
        """Row i always ends at its prediction i + 1."""

        def logits(self, row: int, read: Ids) -> list[float]:
            return [0.0, 0.0, 50.0 if len(read) > row else -50.0, 1.0]

    decoder = Countdown(0, 4)
    assert [len(each.ids) for each in decoder.greedy(8, 20)] == list(range(8))
    assert decoder.rows_a_step == [8, 8, 8, 5, 5, 3, 2, 1]  # dropped when fewer than three quarters are left
    decoder = Countdown(0, 4)
    decoder.beam(8, 20, num_beams=1)
    assert decoder.rows_a_step == list(range(8, 0, -1))


def test_a_sequence_that_never_ends_is_cut_and_says_so() -> None:
    def step(ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Any]:
        return torch.tensor([0.0, 0.0, -90.0, 5.0]).expand(len(ids), 4), state

    arguments: Any = (step, lambda state, _: state, None, torch.tensor([BOS, BOS]))
    for found in (greedy(*arguments, eos_id=EOS, max_len=4)[1], beam_search(*arguments, eos_id=EOS, max_len=4)[1][0]):
        assert found.ids == (3, 3, 3, 3)
        assert not found.finished
        assert found.log_prob == pytest.approx(-4 * math.log(1 + 2 * math.exp(-5)), abs=1e-5)


def test_nothing_to_write_and_no_room_to_write() -> None:
    decoder = RandomDecoder(0, 4)
    assert decoder.greedy(0, 5) == []
    assert decoder.beam(0, 5) == []
    with pytest.raises(FittingRoomError, match="max_len 0 is too small"):
        decoder.greedy(2, 0)
    with pytest.raises(FittingRoomError, match="num_beams 0 is too small"):
        decoder.beam(2, 5, num_beams=0)
