"""`check_data` from Python, and which test pictures leak."""

from pathlib import Path

import numpy as np
import pytest

import fittingroom as fr
from fittingroom.comparison.pictures.leaks import with_twin_outside
from tests.pictures_fixture import pixels, save, write_folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_folder(tmp_path_factory.mktemp("api") / "pets", number=12, parts=("train", "test"))
    save(root / "train" / "cat" / "dim.png", pixels(0, 103) // 2)
    save(root / "train" / "dog" / "copy.bmp", pixels(1, 104))
    save(root / "test" / "dog" / "again.png", pixels(1, 105) // 2)
    return root


def test_findings_have_names_and_files_are_written(root: Path, tmp_path: Path) -> None:
    check = fr.check_data(root)
    near = check.finding("near-duplicates-in-two-parts")
    assert near is not None and [[check.names[place] for place in each] for each in near.sets] == [
        ["test/cat/3.png", "train/cat/dim.png"]
    ]
    assert check.ok and check.finding("dark") is None
    assert repr(check).startswith("DataCheck(pets: copies-in-two-parts 1, near-duplicates-in-two-parts 1")
    assert check.write_html(tmp_path / "check.html").read_text().startswith("<!doctype html>")
    assert check.write_clean(tmp_path / "clean.csv") == 2
    assert check.to_dict()["findings"][0]["kind"] == "copies-in-two-parts"


def test_only_near_duplicates_outside_test_leak(root: Path) -> None:
    check = fr.check_data(root).check
    rows = [place for place, each in enumerate(check.scan.good) if each.part == "test"]
    found = with_twin_outside(check, rows)
    assert [check.name(row) for row, leaking in zip(rows, found, strict=True) if leaking] == ["test/cat/3.png"]


def test_arrays_are_checked_and_have_no_clean_table(tmp_path: Path) -> None:
    images = np.stack([pixels(label, number) for number in range(20) for label in (0, 1)])
    images[6] = images[8]
    check = fr.check_data(fr.load_data(images, np.arange(40) % 2))
    assert sum(each.number for each in check.findings if each.kind.startswith("copies")) == 1
    with pytest.raises(fr.FittingRoomError, match="holds arrays"):
        check.write_clean(tmp_path / "clean.csv")


def test_wrong_calls_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(fr.FittingRoomError, match="checks images, and cmudict holds none"):
        fr.check_data("cmudict")
    with pytest.raises(fr.FittingRoomError, match="give it only with labels=True"):
        fr.check_data(root, epochs=3)
    with pytest.raises(fr.FittingRoomError, match=r"config\.json is missing"):
        fr.check_data(root, run=tmp_path)
