"""Words and answers: how words are read, that answers do not depend on other words, and which words are refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, UNK_ID, Vocabulary
from fittingroom.evaluation.decoding import beam_search
from fittingroom.evaluation.pronounce import Answer, longest, pronounce
from fittingroom.tasks.load import load_run
from fittingroom.tasks.seq2seq.training import read_vocabularies
from tests.sequence_fixture import LETTERS, PHONEMES, TINY, write_sequence_run

EVERY_MODEL = pytest.mark.parametrize("name", list(TINY))
WORDS = st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=9), min_size=1, max_size=5)
Asked = tuple[Any, Vocabulary, Vocabulary]


@pytest.fixture(scope="module", autouse=True)
def _short() -> Iterator[None]:
    """Limit the length of answers. Untrained models without positions would otherwise write up to the data's maximum length."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fittingroom.evaluation.pronounce.MAX_SYMBOLS", 10)
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Asked]:
    folder = tmp_path_factory.mktemp("runs")
    return {name: opened(write_sequence_run(folder / name, name, sharp=2.0)) for name in TINY}


def opened(folder: Path) -> Asked:
    return (load_run(folder, "seq2seq").model, *read_vocabularies(folder))


def symbols(answers: list[Answer]) -> list[tuple[str, ...]]:
    return [answer.pronunciations[0].symbols for answer in answers]


@pytest.mark.slow
@pytest.mark.thorough
@EVERY_MODEL
@settings(max_examples=20)
@given(words=WORDS)
def test_one_beam_is_greedy_and_beam_search_with_one_beam(
    models: dict[str, Asked], name: str, words: list[str]
) -> None:
    model, source, target = models[name]
    for answer in pronounce(model, source, target, words):
        src = torch.tensor([answer.ids])
        mask = torch.ones_like(src, dtype=torch.bool)
        state = model.start(model.encode(src, mask), mask)
        begin = torch.tensor([BOS_ID])
        (expected,), = beam_search(
            model.step, model.reorder, state, begin, eos_id=EOS_ID, max_len=longest(model), num_beams=1
        )  # fmt: skip
        (found,) = answer.pronunciations
        assert found.ids == expected.ids and found.finished == expected.finished
        assert found.log_prob == pytest.approx(expected.log_prob, abs=1e-4)


@pytest.mark.slow
@pytest.mark.thorough
@EVERY_MODEL
@settings(max_examples=20)
@given(words=WORDS, data=st.data())
def test_neither_order_nor_company_changes_an_answer(
    models: dict[str, Asked], name: str, words: list[str], data: st.DataObject
) -> None:
    asked = models[name]
    together = pronounce(*asked, words)
    order = data.draw(st.permutations(range(len(words))))
    assert symbols(pronounce(*asked, [words[place] for place in order])) == [symbols(together)[p] for p in order]
    assert symbols([pronounce(*asked, [word])[0] for word in words]) == symbols(together)


@EVERY_MODEL
def test_a_beam_gives_several_different_answers_best_first(models: dict[str, Asked], name: str) -> None:
    for answer in pronounce(*models[name], ["hello", "a"], num_beams=3):
        assert len({found.ids for found in answer.pronunciations}) == 3
        assert all(found.log_prob <= 0 for found in answer.pronunciations)


def test_the_probability_is_that_of_the_symbols_and_the_end(models: dict[str, Asked]) -> None:
    model, source, target = models["transformer"]
    for answer in pronounce(model, source, target, ["hello", "to"], num_beams=2):
        for found in answer.pronunciations:
            written = (*found.ids, EOS_ID) if found.finished else found.ids
            src = torch.tensor([answer.ids])
            logits = model(src, torch.ones_like(src, dtype=torch.bool), torch.tensor([[BOS_ID, *written[:-1]]]))
            each = logits[0].log_softmax(dim=-1).gather(1, torch.tensor(written)[:, None])
            assert found.log_prob == pytest.approx(each.sum().item(), abs=1e-4)


def test_upper_case_is_read_as_lower_case_where_only_that_is_known(models: dict[str, Asked], tmp_path: Path) -> None:
    (upper, lower) = pronounce(*models["transformer"], ["HeLLo", " hello "])
    assert upper.ids == lower.ids and upper.read == tuple("hello") and upper.unknown == () and lower.word == "hello"
    both = opened(write_sequence_run(tmp_path / "both", source=["A", "a", "b"]))
    (answer,) = pronounce(*both, ["ABİ"])  # İ has two code points in lower case
    assert answer.read == ("A", "b", "İ") and answer.unknown == ("İ",)


def test_unknown_symbols_are_named_once_and_read_as_unknown(models: dict[str, Asked]) -> None:
    (answer,) = pronounce(*models["recurrent"], ["naïve ïß"])
    assert answer.unknown == ("ï", " ", "ß")
    assert [number == UNK_ID for number in answer.ids] == [False, False, True, False, False, True, True, True, False]
    assert answer.ids[-1] == EOS_ID


def test_a_letter_that_was_read_as_a_known_one_is_told(models: dict[str, Asked]) -> None:
    (answer,) = pronounce(*models["recurrent"], ["D\N{RIGHT SINGLE QUOTATION MARK}a"])
    assert answer.read == ("d", "'", "a") and answer.unknown == ()
    assert answer.replaced == (("\N{RIGHT SINGLE QUOTATION MARK}", "'"),), "upper case is no surprise"


def test_the_longest_word_is_read_and_one_symbol_more_is_refused(models: dict[str, Asked]) -> None:
    for asked in models.values():
        most = longest(asked[0]) - 1
        assert len(pronounce(*asked, ["a" * most])[0].ids) == most + 1
        with pytest.raises(FittingRoomError, match=rf"has {most + 1} symbols: this model reads at most {most}"):
            pronounce(*asked, ["b", "a" * (most + 1)])


@pytest.mark.parametrize("words", [[""], ["a", " \t"]])
def test_an_empty_word_is_refused(models: dict[str, Asked], words: list[str]) -> None:
    with pytest.raises(FittingRoomError, match="a word is empty"):
        pronounce(*models["transformer"], words)


@pytest.mark.parametrize(
    "word", [5, float("nan"), None, b"ab", ["ab"], np.zeros((9, 9))], ids=lambda word: type(word).__name__
)
def test_a_word_that_is_no_text_is_refused(models: dict[str, Asked], word: Any) -> None:
    with pytest.raises(FittingRoomError, match=rf"is of type {type(word).__name__}: give words as text"):
        pronounce(*models["recurrent"], ["ab", word])


def test_no_words_and_bad_beams_are_refused(models: dict[str, Asked]) -> None:
    with pytest.raises(FittingRoomError, match="no word to pronounce"):
        pronounce(*models["transformer"], [])
    for beams in (0, -1, 101):
        with pytest.raises(FittingRoomError, match=f"{beams} beams: choose 1"):
            pronounce(*models["transformer"], ["a"], num_beams=beams)


def test_what_no_model_should_write_is_shown_for_what_it_is(models: dict[str, Asked]) -> None:
    model, source, target = models["transformer"]

    class Rambler:
        """Writes padding, begin, unknown, a symbol, and ends."""

        config = model.config
        encode, reorder = model.encode, staticmethod(lambda state, index: state)

        def start(self, memory: torch.Tensor, src_mask: torch.Tensor) -> list[int]:
            return [0, 1, 3, 4, EOS_ID]

        def step(self, ids: torch.Tensor, state: list[int]) -> tuple[torch.Tensor, list[int]]:
            logits = torch.zeros(len(ids), len(target))
            logits[:, state[0]] = 9.0
            return logits, state[1:]

    rambler: Any = Rambler()
    assert symbols(pronounce(rambler, source, target, ["a"])) == [("<padding>", "<begin>", "<unknown>", PHONEMES[0])]
