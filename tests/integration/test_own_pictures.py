"""A user's own folder of pictures, from training to the report; then moved, changed, and damaged."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.command import call, call_json
from tests.pictures_fixture import pixels, save, write_folder

pytestmark = pytest.mark.usefixtures("torch_as_before")

TINY_CNN = "cnn@widths=[4,8]@blocks=[0,1]"
SETTINGS = ("--set", "batch_size=8", "--set", "widths=[4,8]", "--set", "blocks=[0,1]")


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of grey pictures, the last with a quarter of the pictures of the others; two cannot be read."""
    folder = write_folder(tmp_path_factory.mktemp("own") / "pets", ("cat", "dog"), number=40, channels=1)
    for each in range(10):
        save(folder / "owl" / f"{each}.png", pixels(2, each, channels=1))
    (folder / "cat" / "bad.jpg").write_text("no picture")
    (folder / "dog" / "bad.png").touch()
    return folder


@pytest.fixture(scope="module")
def trained(root: Path) -> Path:
    folder = root.parent / "trained"
    code, out, err = call(
        "train", "cnn", "--data", str(root), "--skip-bad", "--epochs", "3", *SETTINGS, "--out", str(folder)
    )
    assert code == 0, err
    assert "note: pets: 90 pictures of 3 classes" in err and "cat/bad.jpg (" in err
    assert "pixels become 12x12 grey" in err
    assert "balanced accuracy" in out and "macro F1" in out
    return folder


def test_bad_pictures_are_refused_before_anything_is_written(root: Path) -> None:
    code, out, err = call("train", "cnn", "--data", str(root), "--epochs", "1", "--out", str(root.parent / "none"))
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "2 of 92 pictures cannot be read: cat/bad.jpg (" in err and "--skip-bad" in err
    assert not (root.parent / "none").exists()


def test_a_run_describes_its_pictures_and_its_split(trained: Path) -> None:
    data = json.loads((trained / "data.json").read_text())
    spec = data["spec"]
    assert spec["class_names"] == ["cat", "dog", "owl"] and (spec["channels"], spec["height"], spec["width"]) == (
        1,
        12,
        12,
    )
    assert spec["preprocessing"]["resize"] == "crop" and len(spec["skipped"]) == 2
    rows = list(csv.DictReader((trained / "split.csv").read_text().splitlines()))
    counts = {part: sum(row["split"] == part for row in rows) for part in ("train", "val", "test")}
    assert counts == {part: data["split"][f"num_{part}"] for part in counts} and sum(counts.values()) == 90
    assert {row["path"] for row in rows if row["split"] == "none"} == {"cat/bad.jpg", "dog/bad.png"}


def test_it_is_evaluated_explained_and_used_again(trained: Path, root: Path, tmp_path: Path) -> None:
    row = call_json("evaluate", str(trained), "--split", "test")
    state = json.loads((trained / "state.json").read_text())
    assert row["test_accuracy"] == state["evals"]["test"]["accuracy"]
    assert row["balanced_accuracy"] == pytest.approx(state["extras"]["balanced_accuracy"])
    found = call_json("explain", str(trained), "--out", str(tmp_path / "x"))
    assert [image["label"] for image in found["images"]] == ["cat", "dog", "owl"]
    parts = {row["path"]: row["split"] for row in csv.DictReader((trained / "split.csv").read_text().splitlines())}
    files = [image["file"] for image in found["images"]]
    assert [Path(each).parent.name for each in files] == ["cat", "dog", "owl"] and {*map(parts.get, files)} == {"val"}
    assert f"from the files {', '.join(files)}" in found["notes"]
    own = call_json("explain", str(trained), "--image", str(root / "owl" / "1.png"), "--out", str(tmp_path / "y"))
    assert own["images"][0]["name"] == "1.png"
    words = ("--data", str(root), "--split-file", str(trained / "split.csv"), "--seed", "5")
    again = tmp_path / "again"
    call_json("train", "cnn", *words, "--epochs", "1", *SETTINGS, "--out", str(again))
    kept = [row for row in (trained / "split.csv").read_text().splitlines() if not row.endswith(",none")]
    assert sorted((again / "split.csv").read_text().splitlines()) == sorted(kept)


def test_moved_pictures_are_found_and_changed_ones_refused(trained: Path, root: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(root, moved)
    known = call_json("evaluate", str(trained))
    assert call_json("evaluate", str(trained), "--data", str(moved)) == known
    save(moved / "cat" / "0.png", pixels(1, 99, channels=1))
    code, out, err = call("evaluate", str(trained), "--data", str(moved))
    assert (code, out) == (2, "") and "has changed since" in err and err.count("\n") == 1


def test_a_run_of_data_that_has_changed_is_not_taken_for_the_same(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "x")
    words = ("train", "cnn", "--data", str(root), "--epochs", "3", *SETTINGS, "--out", str(tmp_path / "run"))
    call_json(*words)
    save(root / "cat" / "0.png", pixels(1, 99))
    code, out, err = call(*words, "--resume")
    assert (code, out) == (2, "") and "has changed since the run in" in err


def test_a_comparison_of_own_pictures_is_reported(root: Path, tmp_path: Path) -> None:
    models = f"{TINY_CNN},vit@embed_dim=16@depth=1@num_heads=2"
    words = ("--data", str(root), "--skip-bad", "--group", r"[0-9]+", "--seeds", "1", "--epochs", "1")
    code, out, err = call("compare", "--models", models, *words, "--set", "batch_size=8", "--out", str(tmp_path / "c"))
    assert code == 0, err
    table = " ".join(out.split())
    assert "Measured on pets with 1 epoch" in table
    assert "Macro" in table and "Balanced" in table
    record = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert any("without dividing a group" in line for line in record["protocol"])
    assert "--skip-bad" in record["command"] and "--group" in record["command"]
    page = (tmp_path / "c" / "report.html").read_text()
    assert "balanced accuracy" in page and "owl" in page
    with np.load(tmp_path / "c" / "gallery.npz") as gallery:
        assert gallery["images"].shape[1:] == (12, 12)
