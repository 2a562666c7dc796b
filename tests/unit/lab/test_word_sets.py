"""The words that claims about heads and positions are measured with: what the parts hold, and that no test word is there."""

import pytest

from fittingroom.data.seq2seq.splits import part_of
from fittingroom.data.seq2seq.tsv import Pairs, group
from lab.benchmarks.word_sets import SHORT, lines, word_sets

pytestmark = pytest.mark.thorough

Sets = dict[str, dict[str, Pairs]]


@pytest.fixture(scope="module")
def sets() -> Sets:
    return word_sets()


@pytest.mark.thorough
def test_every_test_word_is_longer_than_any_trained_on(sets: Sets) -> None:
    short = sets["short"]
    assert max(len(word) for part in ("train", "dev") for word in short[part].sources) == SHORT
    assert min(map(len, short["test"].sources)) == SHORT + 1


def test_choosing_and_judging_words_are_cmudicts_validation_words_and_none_of_its_test_words(sets: Sets) -> None:
    for parts in sets.values():
        assert {part_of(word) for word in parts["train"].sources} == {"train"}
        for part in ("dev", "test"):
            assert {part_of(word) for word in parts[part].sources} == {"val"}
        assert not set(parts["dev"].sources) & set(parts["test"].sources)
    assert {name: len(parts["dev"]) + len(parts["test"]) for name, parts in sets.items()} == {
        "all": 6387,
        "short": 6387,
    }


def test_a_line_holds_one_pronunciation() -> None:
    assert lines(group([("read", ("R", "EH", "D")), ("read", ("R", "IY", "D"))])) == "read\tR EH D\nread\tR IY D\n"
