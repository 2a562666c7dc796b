"""Two settings of one model, and several training sizes, in one comparison; more candidates join it later."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.command import call, call_json
from tests.own_images import write_images

pytestmark = pytest.mark.usefixtures("torch_as_before")

NAMES = ["vit", "vit@patch_size=7", "cnn@widths=[8,16]@blocks=[0,1]"]
FILES = ("config.json", "data.json", "metrics.csv", "model.safetensors", "predictions.npz", "state.json")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """800 grey images of 28 x 28 pixels; 544 of them are for training."""
    return write_images(tmp_path_factory.mktemp("own") / "mine.npz", number=800, size=(28, 28), channels=1)


def compare(images: Path, models: str, folder: Path, *more: str) -> tuple[str, ...]:
    """The command of a comparison that takes one step."""
    words = ("compare", "--models", models, "--data", str(images), "--seeds", "1", "--epochs", "0.1")
    return (*words, *more, "--out", str(folder))


def times(folder: Path) -> dict[Path, int]:
    """When each file of each run was written."""
    return {path: path.stat().st_mtime_ns for path in (folder / "runs").rglob("*") if path.name in FILES}


@pytest.fixture(scope="module")
def two(images: Path) -> tuple[Path, dict[Path, int], str]:
    """A comparison of two candidates: its folder, the times of its files, what was printed."""
    folder = images.parent / "compared"
    code, out, err = call(*compare(images, f"{NAMES[0]},{NAMES[1]}", folder))
    assert code == 0, err
    return folder, times(folder), out


@pytest.fixture(scope="module")
def three(images: Path, two: tuple[Path, dict[Path, int], str]) -> dict[str, Any]:
    """What the same comparison prints when a third candidate joins it."""
    return call_json(*compare(images, ",".join(NAMES), two[0]))


@pytest.mark.slow
def test_two_settings_of_one_model_have_names_and_titles_of_their_own(two: tuple[Path, dict[Path, int], str]) -> None:
    out = " ".join(two[2].split())
    assert "ViT (patch_size=7)" in out and "separates ViT" in out


@pytest.mark.slow
def test_a_third_candidate_joins_and_finished_runs_stay(
    two: tuple[Path, dict[Path, int], str], three: dict[str, Any]
) -> None:
    folder, before, _ = two
    assert len(before) == 2 * len(FILES)
    after = times(folder)
    assert {path: after[path] for path in before} == before
    assert [row["run"] for row in three["runs"]] == [f"{name}-seed0" for name in NAMES]
    assert {row["status"] for row in three["runs"]} == {"finished"}
    assert {(each["a"], each["b"]) for each in three["contrasts"]} == {
        (NAMES[2], NAMES[0]), (NAMES[2], NAMES[1]), (NAMES[0], NAMES[1]),
    }  # fmt: skip


@pytest.mark.slow
def test_each_candidate_is_recorded_with_its_settings_folder_and_plan(
    two: tuple[Path, dict[Path, int], str], three: dict[str, Any]
) -> None:
    folder = two[0]
    record = json.loads((folder / "comparison.json").read_text())
    found = {each["name"]: each for each in record["candidates"]}
    assert [found[name]["title"] for name in NAMES] == [
        "ViT",
        "ViT (patch_size=7)",
        "CNN (widths=[8,16], blocks=[0,1])",
    ]
    assert [found[name]["model"] for name in NAMES] == ["vit", "vit", "cnn"]
    assert [found[name]["settings"] for name in NAMES] == [
        {},
        {"patch_size": "7"},
        {"widths": "[8,16]", "blocks": "[0,1]"},
    ]
    assert found["vit"]["num_params"] != found["vit@patch_size=7"]["num_params"]
    assert set(record["plans"]) == set(NAMES)
    for row in record["runs"]:
        run = folder / row["folder"]
        assert run.name == f"{row['candidate']}-seed0"
        assert json.loads((run / "environment.json").read_text())["plan"] == record["plans"][row["candidate"]]
        patch = json.loads((run / "config.json").read_text())["model_config"].get("patch_size")
        assert patch == {"vit": 4, "vit@patch_size=7": 7}.get(row["candidate"])
    page = (folder / "report.html").read_text()
    assert all(each["title"] in page for each in three["candidates"])


@pytest.mark.slow
def test_a_candidate_for_each_training_size(images: Path, tmp_path: Path) -> None:
    words = compare(images, "vit@patch_size=14@depth=1", tmp_path, "--train-sizes", "200,400")
    summary = call_json(*words)
    names = [f"vit@patch_size=14@depth=1@num_train={size}" for size in (200, 400)]
    assert [each["name"] for each in summary["candidates"]] == names
    assert [each["num_train"] for each in summary["candidates"]] == [200, 400]
    assert summary["candidates"][1]["title"] == "ViT (patch_size=14, depth=1, 400 training items)"
    assert [(row["run"], row["num_train"]) for row in summary["runs"]] == [
        (f"{name}-seed0", size) for name, size in zip(names, (200, 400), strict=True)
    ]
    for row in summary["runs"]:
        run = tmp_path / row["folder"]
        assert json.loads((run / "config.json").read_text())["num_train"] == row["num_train"]
        assert json.loads((run / "data.json").read_text())["split"]["num_train"] == row["num_train"]
    record = json.loads((tmp_path / "comparison.json").read_text())
    assert [each["num_train"] for each in record["candidates"]] == [200, 400]
    assert record["data"]["num_train"] is None, "there is not one number for all"
    assert "--train-sizes 200,400" in record["command"]
    before = times(tmp_path)
    assert call_json(*words)["verdict"] == summary["verdict"] and times(tmp_path) == before


@pytest.mark.parametrize(
    ("models", "more", "said"),
    [
        ("vit,vit@patch_size", (), "write MODEL@SETTING=VALUE, such as vit@patch_size=7"),
        ("vit,vit@patchsize=7", (), "unknown key 'patchsize' for vit: did you mean 'patch_size'?"),
        ("vit,vit@patch_size=4", (), "vit and vit@patch_size=4 are the same: name each candidate once"),
        ("vit@patch_size=5", (), "patch_size 5"),
        ("vit", ("--train-sizes", "200,many"), "--train-sizes '200,many': write whole numbers above 0"),
        ("vit", ("--train-sizes", "200,545"), "num_train 545 is more than there are: choose at most 544"),
        ("vit", ("--train-sizes", "200,200"), "are the same"),
    ],
)
def test_a_candidate_that_cannot_be_costs_one_line(
    models: str, more: tuple[str, ...], said: str, images: Path, tmp_path: Path
) -> None:
    code, out, err = call(*compare(images, models, tmp_path / "x", *more))
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
    assert not (tmp_path / "x").exists()
