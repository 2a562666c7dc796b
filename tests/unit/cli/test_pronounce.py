"""The lines that `pronounce` prints: answers, and notes beneath them."""

import math

from fittingroom.cli.pronounce import _answer, _notes
from fittingroom.evaluation.pronounce import Answer, Pronunciation


def test_an_answer_without_symbols_is_no_empty_line() -> None:
    found = Pronunciation(symbols=(), ids=(), log_prob=-1.0, score=-1.0, finished=True)
    assert _answer(found, several=False) == "(nothing)"
    assert _answer(found, several=True) == " 36.8 %  (nothing)"


def answer(*probs: float, replaced: tuple[tuple[str, str], ...] = (), finished: bool = True) -> Answer:
    """Answers with these probabilities, best first."""
    found = tuple(
        Pronunciation(symbols=("A",), ids=(4,), log_prob=math.log(prob), score=-place, finished=finished)
        for place, prob in enumerate(probs)
    )
    return Answer(word="don’t", read=("d",), replaced=replaced, ids=(4,), unknown=(), pronunciations=found)


def test_an_order_that_is_not_that_of_the_printed_probabilities_is_explained() -> None:
    assert _notes([answer(0.5, 0.3, 0.1)]) == []
    (note,) = _notes([answer(0.5, 0.3), answer(0.2, 0.4)])
    assert note.startswith("answers are ordered by probability for their length, log p / ((5 + length) / 6) ^ 0.6")


def test_a_look_alike_that_was_read_as_a_known_letter_is_noted() -> None:
    (note,) = _notes([answer(0.5, replaced=(("’", "'"),))])
    assert note == "don’t: ’ (U+2019) was read as ' (U+0027); the model does not know it"
    (note,) = _notes([answer(0.5, replaced=(("\xad", ""),))])
    assert "was left out" in note


def test_an_answer_that_was_cut_is_noted() -> None:
    assert _notes([answer(0.5, finished=False)]) == ["cut off at the model's maximum length: don’t"]
