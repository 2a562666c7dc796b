"""Comparison folders that were edited, copied or half finished, and names that no page expects."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import CandidateSummary, read_summary
from fittingroom.core.text import END, ISOLATE
from fittingroom.report.figures import short_titles
from fittingroom.report.load import load
from fittingroom.report.page import write_report
from fittingroom.report.sections.images import class_names
from tests.comparison_fixture import CLASS_NAMES, write_images

pytestmark = pytest.mark.thorough

Change = Callable[[dict[str, Any]], Any]


def edit(folder: Path, change: Change) -> Path:
    path = folder / "comparison.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))
    return folder


def small(folder: Path, **options: Any) -> Path:
    return write_images(folder, **{"num_test": 60, "num_val": 20, **options})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda it: it.update(candidates=[]), "it has no candidates"),
        (lambda it: it["candidates"].append(it["candidates"][0]), "candidates name vit twice"),
        (lambda it: it["candidates"][0].update(name="vit2"), "vit-seed0 is a run of vit, which is not among"),
        (lambda it: it["runs"].append(it["runs"][0]), "runs have vit with seed 0 twice"),
        (lambda it: it["runs"][0].update(folder="runs/vit-seed1"), "runs have the folder runs/vit-seed1 twice"),
        (lambda it: it.update(seeds=[0]), "vit-seed1 has seed 1, which is not among the seeds"),
        (lambda it: it.update(seeds=[0, 1, 0]), "seeds name 0 twice"),
        *((lambda it, folds=folds: it["data"].update(facts={"folds": folds}), f"folds is {folds!r}") for folds in (0, "2", None)),
    ],
)  # fmt: skip
def test_a_comparison_that_contradicts_itself_is_refused(tmp_path: Path, change: Change, named: str) -> None:
    edit(small(tmp_path, num_test=4, num_val=4), change)
    with pytest.raises(FittingRoomError, match=r"comparison\.json contradicts itself") as caught:
        load(tmp_path)
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_a_whole_number_beyond_all_floats_is_named(tmp_path: Path) -> None:
    edit(small(tmp_path, num_test=4, num_val=4), lambda it: it["candidates"][0].update(num_params=10**400))
    with pytest.raises(FittingRoomError, match=r"num_params: expected a finite number, got one of 1,329 bits"):
        load(tmp_path)


def test_a_copy_of_one_run_does_not_pass_for_another(tmp_path: Path) -> None:
    small(tmp_path, num_test=4, num_val=4)
    shutil.rmtree(tmp_path / "runs" / "vit-seed1")
    shutil.copytree(tmp_path / "runs" / "vit-seed0", tmp_path / "runs" / "vit-seed1")
    with pytest.raises(FittingRoomError, match=r"runs/vit-seed1 holds another run \(vit-seed0, seed 0\)"):
        load(tmp_path)


def test_names_that_no_drawing_can_hold_are_escaped(tmp_path: Path) -> None:
    names = ("\x1b[31mred\x07", "a\0b", "caf\udce9", "two\nlines", "a\uffffb", "\u202eexe.gnp")
    small(tmp_path, class_names=names, num_seeds=1)
    edit(tmp_path, lambda it: it["candidates"][0].update(title="".join(names)))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert not {"\x1b", "\x07", "\0", "\uffff", "\u202e"} & set(page)
    assert read_summary(tmp_path).candidates[0].title in page


def test_names_without_ink_are_told_apart(tmp_path: Path) -> None:
    small(tmp_path, class_names=("", "  ", "\N{ZERO WIDTH SPACE}", *CLASS_NAMES[3:]), num_test=4, num_val=4)
    edit(tmp_path, lambda it: it["candidates"][0].update(title=" "))
    found = load(tmp_path)
    assert class_names(found)[:4] == ("class 0", "class 1", "class 2", "Dress")
    assert found.summary.candidates[0].title == "vit" and "vit" in found.summary.verdict.sentence


def test_a_name_from_right_to_left_does_not_move_the_numbers_beside_it(tmp_path: Path) -> None:
    shoes = "נעליים"
    edit(small(tmp_path, num_test=4, num_val=4), lambda it: it["candidates"][0].update(title=shoes))
    summary = load(tmp_path).summary
    assert f"{ISOLATE}{shoes}{END}" in summary.verdict.sentence
    long = CandidateSummary(name="x" * 20, title=f"{ISOLATE}{shoes * 9}{END}", family="")
    (shown,) = short_titles([CandidateSummary(name=long.title, title=long.title, family="")]).values()
    assert shown.endswith(f"…{END}"), "a cut name that is not closed would turn the rest of the label"


def test_long_names_that_begin_alike_are_told_apart_in_figures() -> None:
    def titles(*names: str) -> list[str]:
        return list(
            short_titles(
                [CandidateSummary(name=name, title=f"A model named {name}", family="") for name in names]
            ).values()
        )

    assert titles("vit", "cnn") == ["vit", "cnn"]
    assert titles("vit@patch_size=7", "vit@patch_size=4") == ["vit@…_size=7", "vit@…_size=4"]
    middle = titles("vit@patch_size=4@heads=2222", "vit@patch_size=7@heads=2222", "cnn")
    assert middle == ["1: vit@pat…", "2: vit@pat…", "cnn"] and max(map(len, middle)) <= 12


def test_a_gallery_with_other_labels_than_the_runs_is_refused(tmp_path: Path) -> None:
    path = small(tmp_path, num_seeds=1) / "gallery.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, "labels": (arrays["labels"] + 1) % len(CLASS_NAMES)})
    with pytest.raises(FittingRoomError, match=r"gallery\.npz is damaged \(its labels are not those of the runs\)"):
        write_report(tmp_path)


def test_a_page_speaks_of_the_seeds_that_finished_not_of_those_planned(tmp_path: Path) -> None:
    later = [f"{name}-seed{seed}" for name in ("vit", "cnn", "hybrid") for seed in (1, 2)]
    page = write_report(small(tmp_path, num_seeds=3, missing=later)).read_text(encoding="utf-8")
    assert "one seed says nothing about other seeds" in page and "1 of 3 seeds" in page
    for claim in ("mean over seeds", "standard deviation over seeds", "Thin lines", "summed over the seeds"):
        assert claim not in page


def test_a_file_in_place_of_the_folder_is_not_to_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    path.write_text("{}")
    with pytest.raises(FittingRoomError, match=r"comparison\.json is a file: give the folder") as caught:
        load(path)
    assert "delete" not in str(caught.value)
