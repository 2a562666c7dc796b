"""Words in the gallery: which answer stands for a model, what of it is wrong, which words come first."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.records import CandidateSummary
from fittingroom.data.seq2seq.compact import Target
from fittingroom.data.seq2seq.vocabulary import UNKNOWN
from fittingroom.evaluation.error_rates import edit_distance
from fittingroom.report.word_gallery import MOST_WORDS, SHOWN_UNKNOWN, Mark, marks, word_cards, word_filters
from fittingroom.tasks.seq2seq.scoring import SequencePredictions

THREE = [
    CandidateSummary(name=name, title=title, family=name)
    for name, title in (("transformer", "Transformer"), ("recurrent", "RNN"), ("small", "Small"))
]
MODELS = THREE[:2]
TRUTHS = {"cat": "K AE T", "dog": "D AO G|D AA G", "fox": "F AA K S", "owl": "AW L"}


def run(*written: tuple[str, float]) -> SequencePredictions:
    """What was written for the first words of `TRUTHS`, each with its probability."""
    words = list(TRUTHS)[: len(written)]
    return SequencePredictions(
        sources=tuple(words),
        predicted=tuple(tuple(text.split()) for text, _ in written),
        references=tuple(tuple(tuple(answer.split()) for answer in TRUTHS[word].split("|")) for word in words),
        log_probs=np.log([probability for _, probability in written]),
    )


RIGHT = {word: answers.split("|")[0] for word, answers in TRUTHS.items()}


def test_the_most_instructive_words_come_first() -> None:
    one = run(("K AE", 0.9), (RIGHT["dog"], 0.9), (RIGHT["fox"], 0.9), ("AW", 0.8))
    other = run(("K AH T", 0.9), ("D AA G", 0.9), ("F AA K", 0.6), (RIGHT["owl"], 0.9))
    cards = word_cards({"transformer": {0: one}, "recurrent": {0: other}}, MODELS)
    assert [card.word for card in cards] == ["owl", "fox", "cat", "dog"]
    assert [card.tags for card in cards] == ["all errors 1", "all errors 0", "all errors none", "all"]


def test_an_answer_of_all_seeds_goes_before_a_slip_of_one() -> None:
    seeds = {
        0: run(("K AE", 0.6), ("D", 0.99)),
        1: run(("K AE", 0.6), ("G", 0.9)),
        2: run(("K AE", 0.6), ("G AO", 0.9)),
    }
    right = run((RIGHT["cat"], 0.9), (RIGHT["dog"], 0.9))
    cards = word_cards({"transformer": seeds, "recurrent": {0: right}}, MODELS)
    assert [card.word for card in cards] == ["cat", "dog"]


def test_the_answer_of_most_seeds_stands_for_the_model_and_of_equals_the_surest() -> None:
    seeds = {
        0: run(("K AH T", 0.1), ("D", 0.3)),
        1: run(("K AE T", 0.9), ("G", 0.8)),
        2: run(("K AH T", 0.3), ("", 0.1)),
    }
    cards = {card.word: card.answers[0] for card in word_cards({"transformer": seeds}, MODELS)}
    cat, dog = cards["cat"], cards["dog"]
    assert (cat.symbols, cat.right, cat.seeds, cat.percent) == (("K", "AH", "T"), False, "2 of 3 seeds", "20 %")
    assert (dog.symbols, dog.seeds, dog.percent) == (("G",), "1 of 3 seeds", "80 %")
    (alone,) = word_cards({"transformer": {0: run(("K AE T", 0.999))}}, MODELS)
    assert (alone.answers[0].seeds, alone.answers[0].percent) == ("", "over 99 %")


def test_any_right_answer_is_right() -> None:
    (card, _) = word_cards({"transformer": {0: run(("K", 0.9), ("D AA G", 0.9))}}, MODELS)[::-1]
    assert card.word == "dog" and card.answers[0].right and card.truths == ("D AO G", "D AA G")


def test_filters_count_what_they_show_and_empty_ones_are_left_out() -> None:
    one = run(("K AE", 0.9), (RIGHT["dog"], 0.9), (RIGHT["fox"], 0.9), (RIGHT["owl"], 0.8))
    other = run(("K AH T", 0.9), ("D AA G", 0.9), ("F AA K", 0.6), (RIGHT["owl"], 0.9))
    cards = word_cards({"transformer": {0: one}, "recurrent": {0: other}}, MODELS)
    found = [(choice.value, choice.text, choice.number) for choice in word_filters(cards, MODELS)]
    assert found == [
        ("errors", "With an error", 2),
        ("0", "Transformer right, RNN wrong", 1),
        ("none", "No model is right", 1),
        ("all", "All words", 4),
    ]


def test_three_models_are_right_or_not_each_for_itself() -> None:
    answers = {
        "transformer": {0: run(("K AE", 0.9))},
        "recurrent": {0: run((RIGHT["cat"], 0.9))},
        "small": {0: run(("", 0.5))},
    }
    texts = [choice.text for choice in word_filters(word_cards(answers, THREE), THREE)]
    assert texts == ["With an error", "RNN is right", "All words"]


def test_no_answers_are_no_cards() -> None:
    assert word_cards({}, MODELS) == []


def test_a_large_test_part_is_cut() -> None:
    many = SequencePredictions(
        sources=tuple(map(str, range(MOST_WORDS + 5))),
        predicted=(("A",),) * (MOST_WORDS + 5),
        references=((("A",),),) * (MOST_WORDS + 5),
        log_probs=np.zeros(MOST_WORDS + 5),
    )
    assert len(word_cards({"transformer": {0: many}}, MODELS)) == MOST_WORDS


def test_marks_say_what_is_exchanged_added_and_left_out() -> None:
    assert marks(("N", "AY", "T", "S"), ("K", "N", "IY", "T")) == [
        Mark(kind="more", symbol="K"),
        Mark(kind="same", symbol="N", wanted="N"),
        Mark(kind="other", symbol="IY", wanted="AY"),
        Mark(kind="same", symbol="T", wanted="T"),
        Mark(kind="less", symbol="S"),
    ]


def test_an_unknown_symbol_is_shown_as_one_sign() -> None:
    (found,) = marks(("A",), (UNKNOWN,))
    assert (found.kind, found.symbol, found.wanted) == ("other", SHOWN_UNKNOWN, "A")


SYMBOLS = st.lists(st.sampled_from(["A", "B", "C"]), max_size=6).map(tuple)


@given(SYMBOLS, SYMBOLS)
def test_marks_hold_both_sides_and_as_many_errors_as_edits(reference: Target, written: Target) -> None:
    found = marks(reference, written)
    assert tuple(mark.symbol for mark in found if mark.kind != "less") == written
    wanted = tuple(mark.wanted if mark.kind == "other" else mark.symbol for mark in found if mark.kind != "more")
    assert wanted == reference
    assert sum(mark.kind != "same" for mark in found) == edit_distance(reference, written)


@pytest.mark.parametrize(
    ("probability", "shown"), [(1e-300, "under 1 %"), (0.004, "under 1 %"), (0.87, "87 %"), (1.0, "100 %")]
)
def test_only_what_is_certain_is_written_as_certain(probability: float, shown: str) -> None:
    answer = run(("K AE T", probability))
    (card,) = word_cards({"transformer": {0: answer}}, MODELS)
    assert card.answers[0].percent == shown
