"""`fittingroom data check` on pairs: counts, overlap between parts, and symbols that training lacks."""

import json
from pathlib import Path

import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq import integrity as pair_integrity


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(line.replace(" -> ", "\t") + "\n" for line in lines), encoding="utf-8")
    return path


def test_three_files_are_counted_and_what_they_share_is_found(tmp_path: Path) -> None:
    train = write(tmp_path / "train.tsv", "ab -> A B", "ab -> A B B", "ab -> A B", "ba -> B A", "cab -> A")
    dev = write(tmp_path / "dev.tsv", "ba -> B A", "xa -> A")
    test = write(tmp_path / "test.tsv", "xa -> A", "cab -> Z", "dada -> A A Z")
    report = pair_integrity.check_three_files(train, dev, test)
    assert json.loads(json.dumps(report)) == report
    assert (report["num_lines"], report["num_merged"]) == (10, 1)
    assert report["overlap"] == {"train_val": 1, "train_test": 1, "val_test": 1}
    assert report["parts"]["train"] == {
        "num_sources": 3, "num_pairs": 4, "num_with_several": 1, "most_targets": 2, "num_source_symbols": 3,
        "num_target_symbols": 2, "longest_source": 3, "longest_target": 3, "unknown": {"source": {}, "target": {}},
    }  # fmt: skip
    assert report["parts"]["val"]["unknown"] == {"source": {"x": 1}, "target": {}}
    left_out = {"c": 1}  # only cab holds it, and cab is left out of training
    assert report["parts"]["test"]["unknown"] == {"source": {"x": 1, "d": 2, **left_out}, "target": {"Z": 2}}
    assert report["all"]["num_sources"] == 5
    assert report["test_reads"] == [pair_integrity.WHY]


def test_one_file_is_split_as_training_would_split_it(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "moon -> M UW N", "shirt -> SH ER T", "adman -> AE D", "aardvark -> AA R D")
    report = pair_integrity.check_file(path)
    assert {name: part["num_sources"] for name, part in report["parts"].items()} == {"train": 2, "val": 1, "test": 1}
    assert set(report["overlap"].values()) == {0}


def test_sources_that_differ_in_unicode_form_alone_are_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "\u03ac -> A", "\u03b1\u0301 -> A B", "b -> B")
    assert pair_integrity.check_file(path)["num_unicode_twins"] == 1


@pytest.mark.thorough
def test_cmudict_with_stress_is_what_the_pages_say() -> None:
    # Without stress: tests/unit/data/test_pronunciation.py
    report = pair_integrity.check_dictionary(keep_stress=True)
    assert (report["num_lines"], report["dropped"]) == (135_166, {"full stop in the word": 127})
    assert (report["num_merged"], report["all"]["num_pairs"]) == (2, 135_166 - 127 - 2)
    assert report["all"]["num_sources"] == 125_938
    assert {part["num_target_symbols"] for part in report["parts"].values()} == {69}
    assert set(report["overlap"].values()) == {0}
    assert all(not any(part["unknown"].values()) for part in report["parts"].values())


def test_what_training_would_refuse_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "few.tsv", "ab -> A B", "ba -> B A")
    (hint,) = pair_integrity.check_file(path)["hints"]
    assert hint.startswith(f"{path}: 2 different sources are too few to split 90/5/5")
    with pytest.raises(FittingRoomError, match="every source is also in"):
        pair_integrity.check_three_files(path, path, path)
    one = write(tmp_path / "dev.tsv", "ab -> A B")
    with pytest.raises(FittingRoomError, match="all training pairs have the target 'B A'"):
        pair_integrity.check_three_files(path, one, one)
