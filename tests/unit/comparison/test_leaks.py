"""Near-duplicates of test pictures: which leak, and the verdict without them."""

from pathlib import Path

import numpy as np
import pytest

import fittingroom as fr
from fittingroom.comparison.leaks import FILE
from fittingroom.comparison.pictures.leaks import with_twin_in_another_group
from fittingroom.comparison.summary import read_runs, summarise
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_comparison, read_summary
from fittingroom.core.rundir import write_json
from fittingroom.report.page import write_report
from tests.comparison_fixture import write_images
from tests.pictures_fixture import pixels, save, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_images(tmp_path / "comparison", num_test=300)


def leak(folder: Path, index: list[int], digest: str | None = None) -> None:
    """Note these test pictures as leaks."""
    known = read_comparison(folder).data.digest
    write_json(folder / FILE, {"digest": known if digest is None else digest, "test_index": index})


def test_the_summary_gives_the_verdict_without_leaks(folder: Path) -> None:
    before = summarise(folder)
    runs = read_runs(folder, read_comparison(folder))
    wrong = [found["test"] for found in runs["cnn"].values()]
    missed = np.flatnonzero(np.any([each.probs.argmax(axis=1) != each.labels for each in wrong], axis=0))
    leak(folder, wrong[0].index[missed].tolist())  # without what the CNN gets wrong, it is always right
    after = summarise(folder)
    assert after.verdict == before.verdict and after.contrasts == before.contrasts
    (note,) = set(after.notes) - set(before.notes)
    assert note.startswith(
        f"leaks: {len(missed)} of 300 test pictures have a near-duplicate in training or validation. Without them: CNN beats"
    )


@pytest.mark.thorough
def test_the_report_gives_it_too(folder: Path) -> None:
    leak(folder, [0, 1, 2])
    page = " ".join(write_report(folder).read_text().split())
    said = "leaks: 3 of 300 test pictures have a near-duplicate in training or validation. Without them: "
    assert said in page and any(note.startswith(said) for note in read_summary(folder).notes)


def test_without_a_leak_or_with_other_data_nothing_is_said(folder: Path) -> None:
    before = summarise(folder)
    leak(folder, [])
    assert summarise(folder) == before
    leak(folder, [1, 2, 3], digest="another")
    assert summarise(folder) == before


def test_if_all_test_pictures_leak_there_is_no_verdict_without_them(folder: Path) -> None:
    leak(folder, list(range(300)))
    assert summarise(folder).notes[-1] == (
        "leaks: 300 of 300 test pictures have a near-duplicate in training or validation, so the scores say little about new "
        "pictures"
    )


@pytest.mark.parametrize("text", ["{}", '{"test_index": ["a"]}', '{"test_index": 3}', "[]"])
def test_a_damaged_file_is_named(folder: Path, text: str) -> None:
    (folder / FILE).write_text(text)
    with pytest.raises(FittingRoomError, match=r"leaks\.json"):
        summarise(folder)


def test_in_a_cross_validation_a_near_duplicate_leaks_unless_it_has_the_same_group(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "pets", number=12)
    save(root / "cat" / "dim.png", pixels(0, 3) // 2)
    check = fr.check_data(root).check
    rows = list(range(len(check.scan.good)))
    names = [check.name(row) for row in rows]
    twins = {row for row in rows if names[row] in ("cat/3.png", "cat/dim.png")}
    assert len(twins) == 2
    alone = with_twin_in_another_group(check, rows, np.arange(len(rows)))
    assert set(np.flatnonzero(alone)) == twins
    together = np.array([-1 if row in twins else row for row in rows])
    assert not with_twin_in_another_group(check, rows, together).any()
