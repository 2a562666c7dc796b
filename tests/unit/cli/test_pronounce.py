"""The lines that `pronounce` prints."""

from fittingroom.cli.pronounce import _answer
from fittingroom.evaluation.pronounce import Pronunciation


def test_an_answer_without_symbols_is_no_empty_line() -> None:
    found = Pronunciation(symbols=(), ids=(), log_prob=-1.0, score=-1.0, finished=True)
    assert _answer(found, several=False) == "(nothing)"
    assert _answer(found, several=True) == " 36.8 %  (nothing)"
