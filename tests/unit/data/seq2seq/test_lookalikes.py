"""Texts are read with the symbols that training knows. What training knows is never changed."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.data.seq2seq.batches import encode
from fittingroom.data.seq2seq.lookalikes import as_known
from fittingroom.data.seq2seq.tsv import group
from fittingroom.data.seq2seq.vocabulary import EOS_ID, UNK_ID, Vocabulary, build_both
from fittingroom.evaluation.generate import num_read_as_known

LATIN = Vocabulary(tuple("'-abcdefghijklmnopqrstuvwxyzé한"))
DECOMPOSED = Vocabulary(tuple("abce\u0301HTN’"))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("don’t", "don't"),
        ("re\u2010do", "re-do"),
        ("cafe\u0301", "café"),
        ("CAFÉ", "café"),
        ("ＡＢ", "ab"),
        ("ﬁn", "fin"),
        ("co\u00adop", "coop"),
        ("\u1112\u1161\u11ab", "한"),
    ],
)
def test_look_alikes_and_other_forms_are_read_as_known(given: str, read: str) -> None:
    assert "".join(as_known(given, LATIN).symbols) == read


def test_what_training_knows_decides_the_direction() -> None:
    assert as_known("caf\u00e9", DECOMPOSED).symbols == ("c", "a", "f", "e", "\u0301")
    assert as_known("hat'n", DECOMPOSED).symbols == ("H", "a", "T", "’", "N")


@pytest.mark.parametrize("text", ["naïve", "\u0301", "\u200d", "İ", "😀", "x\u0331", "\udcff", "5"])
def test_what_has_no_known_form_stays(text: str) -> None:
    found = as_known(text, LATIN)
    assert "".join(found.symbols) == text and not found.replaced


def test_every_change_is_listed_once_and_case_is_no_surprise() -> None:
    found = as_known("D’A’a", LATIN)
    assert found.replaced == (("D", "d"), ("’", "'"), ("A", "a"))
    assert found.surprising == (("’", "'"),)


def test_a_reading_is_never_longer_than_the_model_reads() -> None:
    assert as_known("éé", DECOMPOSED, 4).symbols == ("e", "\u0301", "e", "\u0301")
    assert as_known("éé", DECOMPOSED, 3).symbols == ("é", "é")


@given(st.text(max_size=12), st.text(max_size=12))
def test_known_symbols_are_never_changed_and_nothing_crashes(text: str, known: str) -> None:
    vocabulary = Vocabulary(tuple(sorted(set(known))))
    found = as_known(text, vocabulary)
    if set(text) <= set(known):
        assert found.symbols == tuple(text) and not found.replaced
    assert len(vocabulary.unknown([found.symbols])) <= len(vocabulary.unknown([tuple(text)]))


@given(st.text("aeé\u0301'’x😀", min_size=1, max_size=6))
def test_evaluation_reads_words_as_pronounce_does(word: str) -> None:
    source, target = build_both(group([("ae\u00e9'", ("A", "B"))]))
    encoded = encode(group([(word, ("A", "C"))]), source, target)
    assert encoded.sources.ids.tolist() == [*source.encode(as_known(word, source).symbols), EOS_ID]
    assert encoded.targets.ids.tolist() == [4, UNK_ID]
    assert UNK_ID not in source.encode(as_known(unicodedata.normalize("NFD", "é’"), source).symbols)


def test_evaluation_counts_the_words_that_it_reads_in_another_way() -> None:
    pairs = group([(word, ("A",)) for word in ("don’t", "don't", "cafe\u0301", "naïve")])
    assert num_read_as_known(pairs, LATIN, max_len=20) == 2
    assert num_read_as_known(pairs.subset([1]), LATIN, max_len=None) == 0
