"""Symbols and ids: special ids are fixed, decoding is exact, and unknown symbols are counted but never correct."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.tsv import group
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNK_ID, UNKNOWN, Vocabulary, build, build_both

SYMBOLS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=3)


def test_the_special_ids_are_those_that_models_know() -> None:
    assert (PAD_ID, BOS_ID, EOS_ID, UNK_ID) == (0, 1, 2, 3)
    assert build(["ba"]).encode("ab") == [4, 5]
    assert len(build(["ba"])) == 6


@given(st.lists(st.lists(SYMBOLS, max_size=6), min_size=1, max_size=6))
def test_encoding_and_json_have_an_exact_way_back(rows: list[list[str]]) -> None:
    vocabulary = Vocabulary.from_list(json.loads(json.dumps(build(rows).to_list())), "test")
    assert vocabulary == build(rows)
    for row in rows:
        ids = vocabulary.encode(row)
        assert min(ids, default=4) >= 4
        assert vocabulary.decode([BOS_ID, *ids, EOS_ID, *ids, PAD_ID]) == tuple(row)


@given(st.permutations(["ab", "ca", "", "dd"]))
def test_ids_do_not_depend_on_the_order_of_lines(rows: list[str]) -> None:
    assert build(rows).symbols == ("a", "b", "c", "d")


def test_unknown_symbols_are_counted_and_equal_no_symbol() -> None:
    vocabulary = build(["ab"])
    assert vocabulary.encode("axb") == [4, UNK_ID, 5]
    assert vocabulary.unknown(["axb", "xxy", "ab"]) == {"x": 3, "y": 1}
    (symbol,) = vocabulary.decode([UNK_ID])
    assert symbol == UNKNOWN and " " in symbol  # a target's symbols are split at spaces: none can hold one


def test_symbols_that_look_like_special_ones_are_ordinary_symbols() -> None:
    vocabulary = build([["<pad>", "<eos>", "<unk>"]])
    ids = vocabulary.encode(["<eos>", "<pad>", "<unk>"])
    assert sorted(ids) == [4, 5, 6]
    assert vocabulary.decode(ids) == ("<eos>", "<pad>", "<unk>")


def test_both_sides_have_vocabularies_of_their_own() -> None:
    source, target = build_both(group([("ab", ("X", "Y")), ("c", ("Z",)), ("c", ("a",))]))
    assert (source.symbols, target.symbols) == (("a", "b", "c"), ("X", "Y", "Z", "a"))


@pytest.mark.parametrize("bad", ["ab", {"a": 4}, ["a", 5], ["a", ""], [["a"]], None, ["a", "b", "a"]])
def test_a_list_that_is_no_vocabulary_is_refused_by_name(bad: Any) -> None:
    with pytest.raises(FittingRoomError, match=r"^runs/x/vocabulary.json: "):
        Vocabulary.from_list(bad, "runs/x/vocabulary.json")
