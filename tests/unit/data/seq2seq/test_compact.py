"""Compact pairs behave like tuples of tuples, whatever is packed, merged or taken."""

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.data.seq2seq.batches import encode
from fittingroom.data.seq2seq.compact import Texts
from fittingroom.data.seq2seq.splits import one_file
from fittingroom.data.seq2seq.tsv import group, read_pairs
from fittingroom.data.seq2seq.vocabulary import build_both

WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
LINES = st.lists(
    st.tuples(st.sampled_from(["a", "ab", "é", "😀b"]) | WORDS, st.lists(WORDS, min_size=1, max_size=3).map(tuple)),
    max_size=12,
)


def plain_group(lines: list[tuple[str, tuple[str, ...]]]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """What `group` does, with dictionaries."""
    targets: dict[str, dict[tuple[str, ...], None]] = {}
    for source, target in lines:
        targets.setdefault(source, {})[target] = None
    return {source: tuple(several) for source, several in targets.items()}


@given(LINES)
def test_pairs_are_grouped_as_dictionaries_group_them(lines: list[tuple[str, tuple[str, ...]]]) -> None:
    pairs, expected = group(lines), plain_group(lines)
    assert pairs.sources == tuple(expected)
    assert pairs.targets == tuple(expected.values())
    assert pairs.num_pairs == sum(map(len, expected.values()))
    assert pairs.longest_source == max(map(len, expected), default=0)
    assert pairs.targets.flat.symbols() == {symbol for _, target in lines for symbol in target}


@pytest.mark.thorough
@given(LINES, st.data())
def test_any_places_are_taken_in_their_order(lines: list[tuple[str, tuple[str, ...]]], data: st.DataObject) -> None:
    pairs = group(lines)
    places = data.draw(st.lists(st.integers(0, len(pairs) - 1))) if len(pairs) else []
    found = pairs.subset(places)
    assert list(found.sources) == [pairs.sources[place] for place in places]
    assert list(found.targets) == [pairs.targets[place] for place in places]


def test_texts_are_read_like_a_tuple() -> None:
    texts = Texts.of(["ab", "", "ç"])
    assert (texts[0], texts[-1], texts[1:], len(texts)) == ("ab", "ç", ("", "ç"), 3)
    assert texts == ("ab", "", "ç") and texts != ("ab", "", "c") and "ab" in texts
    assert texts.lengths.tolist() == [2, 0, 1]


def test_a_pair_takes_a_few_bytes_per_symbol() -> None:
    pairs = group((f"word{number}", ("W", "ER1", "D", *str(number))) for number in range(20_000))
    held = [pairs.sources.ends, pairs.targets.ends, pairs.targets.flat.ends, pairs.targets.flat.ids]
    assert pairs.targets.flat.ids.dtype == np.uint8
    assert sum(each.nbytes for each in held) + sys.getsizeof(pairs.sources.text) < 45 * len(pairs)


@pytest.mark.thorough
def test_loading_never_holds_a_python_object_for_each_symbol(tmp_path: Path) -> None:
    # Lists of lists took 480 bytes a line at their peak, so two runs on two million lines did not fit beside each other.
    path, num = tmp_path / "pairs.tsv", 5_000
    path.write_text("".join(f"word{number}\tW ER1 D {' '.join(str(number))}\n" for number in range(num)))
    read_pairs(path)  # what is imported and cached once
    tracemalloc.start()
    try:
        splits = one_file(path)
        encode(splits.train, *build_both(splits.train))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / num < 350
