"""Pairs are split by source only, the split never changes, and the test part is sealed."""

from collections import Counter
from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.splits import one_file, part_of, split_pairs, three_files
from fittingroom.data.seq2seq.tsv import group

LINES = [(f"word{number}", (f"P{number % 7}", "Q")) for number in range(400)]


class Refused(Exception):
    """A log that cannot be written."""


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line.replace(" -> ", "\t") + "\n" for line in lines), encoding="utf-8")
    return path


def test_the_part_of_a_word_is_fixed_for_ever() -> None:
    # If the rule changed, networks trained earlier would have seen some of the new test words. SHA-256 modulo 100 of these
    # words includes the limits of the parts: 89, 90, 94 and 95.
    parts = {
        "train": ["aardvark", "θάλασσα", "adman"],
        "val": ["abedi", "abels", "shirt", "horse"],
        "test": ["abele", "sneaker", "moon"],
    }
    assert {name: [part_of(word) for word in words] for name, words in parts.items()} == {
        name: [name] * len(words) for name, words in parts.items()
    }


def test_ninety_of_a_hundred_train_five_validate_five_test() -> None:
    counts = Counter(part_of(f"word{number}") for number in range(40_000))
    for name, share in (("train", 0.90), ("val", 0.05), ("test", 0.05)):
        assert abs(counts[name] / 40_000 - share) < 0.005  # 4.6 standard deviations of 5 %


def test_the_parts_share_no_source_and_lose_none() -> None:
    pairs = group([*LINES, *[(source, ("R",)) for source, _ in LINES]])
    splits = split_pairs("toy", lambda: pairs)
    test = splits.open_test(lambda why: None, "a test of the split")
    parts = [splits.train, splits.val, test]
    assert sorted(source for some in parts for source in some.sources) == sorted(pairs.sources)
    assert all(len(targets) == 2 for some in parts for targets in some.targets)  # both targets of a source stay with it


def test_another_order_of_lines_gives_the_same_parts() -> None:
    there = split_pairs("toy", lambda: group(LINES))
    back = split_pairs("toy", lambda: group(LINES[::-1]))
    assert set(there.train.sources) == set(back.train.sources)
    assert there.train.sources == back.train.sources[::-1]


def test_the_test_part_opens_only_after_its_log_has_been_written() -> None:
    loaded = []

    def load():
        loaded.append(len(loaded))
        return group(LINES)

    splits = split_pairs("toy", load)

    def refuse(why: str) -> None:
        raise Refused(why)

    with pytest.raises(Refused, match="final epoch"):
        splits.open_test(refuse, "final epoch")
    assert loaded == [0]
    with pytest.raises(AssertionError, match="say why"):
        splits.open_test(lambda why: None, " ")
    reads: list[str] = []
    assert len(splits.open_test(reads.append, "final epoch")) > 0
    assert (reads, loaded) == (["final epoch"], [0, 1])


def test_too_few_sources_to_split_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "few.tsv", "ab -> A B", "ba -> B A", "aa -> A A")
    with pytest.raises(
        FittingRoomError, match=r"few.tsv: 3 different sources are too few to split 90/5/5, the \w+ part"
    ):
        one_file(path)


def test_three_files_are_the_three_parts(tmp_path: Path) -> None:
    train = write(tmp_path / "train.tsv", "ab -> A B", "ba -> B A")
    dev, test = write(tmp_path / "dev.tsv", "aa -> A A"), write(tmp_path / "test.tsv", "bb -> B B", "c -> C")
    splits = three_files(train, dev, test)
    assert (splits.train.sources, splits.val.sources, splits.num_left_out) == (("ab", "ba"), ("aa",), 0)
    reads: list[str] = []
    assert splits.open_test(reads.append, "final epoch").targets == ((("B", "B"),), (("C",),))
    assert reads == ["final epoch"]


def test_a_training_source_that_validation_or_test_holds_is_left_out(tmp_path: Path) -> None:
    train = write(tmp_path / "train.tsv", "ab -> A B", "ba -> B A", "aa -> A A", "bb -> X")
    dev, test = write(tmp_path / "dev.tsv", "aa -> A A"), write(tmp_path / "test.tsv", "bb -> B B")
    splits = three_files(train, dev, test)
    assert (splits.train.sources, splits.num_left_out) == (("ab", "ba"), 2)
    assert splits.val.sources == ("aa",)
    with pytest.raises(FittingRoomError, match=r"train.tsv: every source is also in .*train.tsv or .*test.tsv"):
        three_files(train, train, test)
