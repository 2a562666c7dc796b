"""TSV files of pairs: any script is read without loss, and equal sources are merged. Faults: tests/faults/test_pair_files.py."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.tsv import Pairs, demand_learnable, group, read_lines, read_pairs

KITAB = "\u0643\u0650\u062a\u064e\u0627\u0628"  # Arabic "book", with the marks of two short vowels
NFD = "\u03b1\u0301"  # alpha, then an acute accent: two code points where NFC has one


# All characters that a file may contain: no control characters, byte order marks or lone surrogates.
CHARACTERS = st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff")
SOURCES = st.text(CHARACTERS, min_size=1, max_size=8).filter(lambda text: text == text.strip() != "")
TARGETS = st.lists(st.text(CHARACTERS, min_size=1, max_size=3).filter(lambda text: text.split() == [text]), min_size=1)


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "pairs.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs_of(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    return [(line.source, line.target) for line in read_lines(path)]


def test_greek_korean_and_arabic_with_combining_marks_are_read_code_point_by_code_point(tmp_path: Path) -> None:
    pairs = read_pairs(
        write(tmp_path, f"θάλασσα\tθ a l a s a\n한국어\th a n g u ɡ ʌ\n{KITAB}\tk i t aː b\n{NFD}\ta˦\n")
    )
    assert pairs.sources == ("θάλασσα", "한국어", KITAB, NFD)
    assert list(pairs.sources[2]) == ["\u0643", "\u0650", "\u062a", "\u064e", "\u0627", "\u0628"]
    assert len(pairs.sources[3]) == 2  # no Unicode normalisation
    assert pairs.targets[1:] == ((("h", "a", "n", "g", "u", "ɡ", "ʌ"),), (("k", "i", "t", "aː", "b"),), (("a˦",),))


def test_a_source_on_several_lines_keeps_all_its_targets_in_order_and_each_once() -> None:
    pairs = group([("read", ("R", "IY", "D")), ("a", ("AH",)), ("read", ("R", "EH", "D")), ("read", ("R", "IY", "D"))])
    assert pairs.sources == ("read", "a")
    assert pairs.targets == ((("R", "IY", "D"), ("R", "EH", "D")), (("AH",),))
    assert (len(pairs), pairs.num_pairs) == (2, 3)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfab\tX Y\nc\tZ\n",
        b"ab\tX Y\r\nc\tZ\r\n",
        b"ab\tX Y\n\n  \nc\tZ",
        b"  ab \t  X   Y \nc\tZ\n",
        "ab\tX\u3000Y\nc\tZ\n".encode(),
    ],
    ids=["byte order mark", "CRLF", "blank lines, no last line end", "white space", "ideographic space"],
)
def test_what_editors_do_to_a_file_changes_nothing(content: bytes, tmp_path: Path) -> None:
    assert pairs_of(write(tmp_path, content)) == [("ab", ("X", "Y")), ("c", ("Z",))]


def test_a_space_within_a_source_is_one_of_its_symbols(tmp_path: Path) -> None:
    assert read_pairs(write(tmp_path, "New York\tN Y\n")).sources == ("New York",)


@given(st.lists(st.tuples(SOURCES, TARGETS.map(tuple)), min_size=1, max_size=5))
def test_whatever_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, tuple[str, ...]]]
) -> None:
    text = "".join(f"{source}\t{' '.join(target)}\n" for source, target in lines)
    assert pairs_of(write(tmp_path_factory.getbasetemp(), text)) == lines


def test_every_bad_line_is_numbered_as_an_editor_numbers_it(tmp_path: Path) -> None:
    lines = ["a\tA", "", "no tab", "b\tB", *["again"] * 8]
    with pytest.raises(FittingRoomError) as caught:
        read_pairs(write(tmp_path, "\n".join(lines)))
    message = str(caught.value)
    assert f"{tmp_path / 'pairs.tsv'}, line 3 has no tab ('no tab'): write source TAB target" in message
    assert message.endswith("(8 more bad lines: 5, 6, 7, 8, 9, …)")


def test_a_subset_keeps_sources_and_targets_together() -> None:
    pairs = group([("a", ("A",)), ("b", ("B",)), ("c", ("C",))]).subset([2, 0])
    assert (pairs.sources, pairs.targets) == (("c", "a"), ((("C",),), (("A",),)))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([("ab", ("X",)), ("b", ("X", "X"))], "here: the training pairs hold only one target symbol, 'X'"),
        ([("a", ("X",)), ("aa", ("X", "Y"))], "here: the training pairs hold only one source symbol, 'a'"),
    ],
)
def test_pairs_that_teach_nothing_are_refused(lines: list[tuple[str, tuple[str, ...]]], said: str) -> None:
    with pytest.raises(FittingRoomError, match=said):
        demand_learnable(group(lines), "here")


def test_two_symbols_on_each_side_are_enough() -> None:
    pairs = group([("ab", ("X",)), ("b", ("Y",))])
    assert demand_learnable(pairs, "here") is pairs


def test_sources_without_targets_are_no_pairs() -> None:
    with pytest.raises(AssertionError):
        Pairs(group([("a", ("A",)), ("b", ("A",))]).sources, group([("a", ("A",))]).targets)
