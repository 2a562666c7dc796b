"""Edit distance against its definition, and the rates against words scored by hand."""

import subprocess
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.evaluation.error_rates import alignment, confusions, edit_distance, error_rates

WORDS = st.text("abc", max_size=6)


@cache
def naive(one: str, other: str) -> int:
    """The textbook definition."""
    if not one or not other:
        return len(one) + len(other)
    return min(
        naive(one[1:], other) + 1, naive(one, other[1:]) + 1, naive(one[1:], other[1:]) + (one[0] != other[0])
    )  # fmt: skip


@given(WORDS, WORDS)
def test_the_distance_is_what_its_definition_says(one: str, other: str) -> None:
    assert edit_distance(one, other) == naive(one, other)


@given(WORDS, WORDS, WORDS)
def test_the_distance_is_a_metric(one: str, other: str, third: str) -> None:
    assert (edit_distance(one, other) == 0) == (one == other)
    assert edit_distance(one, other) == edit_distance(other, one)
    assert edit_distance(one, third) <= edit_distance(one, other) + edit_distance(other, third)


def test_tuples_and_lists_of_equal_symbols_are_equal() -> None:
    assert edit_distance(("AH", "B"), ["AH", "B"]) == 0
    assert edit_distance(("AH", "B"), ("A", "HB")) == 2


@given(WORDS, WORDS)
def test_an_alignment_spells_both_words_and_costs_the_distance(one: str, other: str) -> None:
    pairs = alignment(one, other)
    assert "".join(str(wanted) for wanted, _ in pairs if wanted is not None) == one
    assert "".join(str(found) for _, found in pairs if found is not None) == other
    assert sum(wanted != found for wanted, found in pairs) == edit_distance(one, other)


def test_rates_of_words_scored_by_hand() -> None:
    references = [["abc"], ["ab", "abcd"], ["a"], ["xyz", "xy"]]
    rates = error_rates(["abc", "abce", "bb", ""], references)
    assert rates.edits.tolist() == [0, 1, 2, 2]
    assert rates.reference_lengths.tolist() == [3, 4, 1, 2]
    assert rates.closest.tolist() == [0, 1, 0, 1]
    assert rates.wrong.tolist() == [False, True, True, True]
    assert rates.phoneme_error_rate == pytest.approx(5 / 10)
    assert rates.word_error_rate == pytest.approx(3 / 4)


def test_any_reference_makes_a_word_right_and_of_equally_close_ones_the_first_counts() -> None:
    rates = error_rates(["ab", "ab", "zz"], [["xy", "ab"], ["ab", "ab"], ["aaa", "bb", "cc"]])
    assert rates.wrong.tolist() == [False, False, True]
    assert rates.closest.tolist() == [1, 0, 1]
    assert error_rates(["zz"], [["ab", "cde", "f"]]).closest.tolist() == [0]


@given(st.lists(st.tuples(WORDS, st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=3)), min_size=1))
def test_the_arrays_give_the_rates_for_any_choice_of_words(words: list[tuple[str, list[str]]]) -> None:
    rates = error_rates(*zip(*words, strict=True))
    expected = [min(naive(reference, predicted) for reference in references) for predicted, references in words]
    assert np.array_equal(rates.edits, expected)
    assert rates.word_error_rate == np.mean([predicted not in references for predicted, references in words])
    half = slice(0, None, 2)
    assert error_rates(*zip(*words[half], strict=True)).edits.tolist() == rates.edits[half].tolist()


def test_confusions_name_what_stood_for_what_most_frequent_first() -> None:
    found = confusions(["axc", "x", "ab", "abb"], ["abc", "b", "abc", "ab"])
    assert found == [(("b", "x"), 2), (("c", None), 1), ((None, "b"), 1)]


def test_a_word_without_reference_or_prediction_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="without reference"):
        error_rates(["a"], [[]])
    with pytest.raises(AssertionError, match="one prediction a word"):
        error_rates(["a"], [])


def test_scoring_imports_no_torch() -> None:
    script = "import sys, fittingroom.evaluation.error_rates; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
