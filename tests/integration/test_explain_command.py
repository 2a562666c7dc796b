"""`fittingroom explain` as a user calls it: pictures on disk, numbers in explain.json, no training needed."""

import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fittingroom.cli.main import main
from tests.command import run

OF_TOKENS = ["heads", "rollout", "head-statistics", "positions", "filters"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("explain")
    code, out, err = run("explain", "--index", "12", "--out", "mine", cwd=folder)
    assert code == 0, err
    return folder / "mine", out


class Here:
    """The program in this process, in an empty folder: what a new process adds is tested once, above."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def run(self, *words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = self.capsys.readouterr()
        return code, out, err

    def run_json(self, *words: str) -> dict[str, Any]:
        code, out, err = self.run(*words, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    monkeypatch.chdir(tmp_path)
    return Here(capsys)


def test_the_shipped_networks_are_explained_at_once(finished: tuple[Path, str]) -> None:
    folder, out = finished
    names = [f"{name}-{kind}.png" for name in ("vit", "hybrid") for kind in OF_TOKENS]
    assert {path.name for path in folder.iterdir()} == {"panel.png", "cnn-filters.png", "explain.json", *names}
    assert out.splitlines()[0].split() == ["truth", "vit", "hybrid", "cnn"]
    assert "validation image 12" in out and "start with panel.png" in out
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width == 900 and np.asarray(picture.convert("L")).std() > 10, path


def test_the_numbers_are_in_explain_json(finished: tuple[Path, str]) -> None:
    record = json.loads((finished[0] / "explain.json").read_text())
    assert record["command"][:4] == ["fittingroom", "explain", "--index", "12"]
    assert [network["method"] for network in record["networks"]] == ["relevance", "relevance", "gradcam"]
    for network in record["networks"]:
        assert sum(network["probs"][0]) == pytest.approx(1, abs=1e-3) and network["caption"].endswith(".")
    assert np.shape(record["networks"][0]["attention_distance_pixels"]) == (4, 8)


def test_a_picture_of_ones_own_as_svg_with_json_on_standard_output(tmp_path: Path, here: Here) -> None:
    Image.new("RGB", (90, 60), "white").save(tmp_path / "nothing.png")
    found = here.run_json("explain", "cnn", "--image", "nothing.png", "--format", "svg")
    assert found["images"] == [{"name": "nothing.png", "label": None}]
    folder = tmp_path / "runs" / "explain-cnn-nothing"
    assert [Path(path).name for path in found["files"]] == ["panel.svg", "cnn-filters.svg", "explain.json"]
    assert (folder / "panel.svg").read_text().startswith("<?xml")


@pytest.mark.slow
def test_two_questions_never_share_a_folder(tmp_path: Path, here: Here) -> None:
    for folder, brightness in (("a", 200), ("b", 255)):
        (tmp_path / folder).mkdir()
        image = np.zeros((40, 40), np.uint8)
        image[10:30, 10:30] = brightness
        Image.fromarray(image).save(tmp_path / folder / "x.png")

    def folder_of(*words: str) -> str:
        return Path(here.run_json("explain", "cnn", *words)["files"][0]).parent.name

    assert folder_of("--image", "a/x.png") == folder_of("--image", "a/x.png") == "explain-cnn-x"
    assert folder_of("--image", "b/x.png") == "explain-cnn-x-2"
    assert folder_of("--image", "a/x.png", "--method", "random") == "explain-cnn-x-random"
    assert folder_of("--image", "a/x.png", "--target", "bag") == "explain-cnn-x-Bag"
    code, _, err = here.run("explain", "cnn", "--image", "b/x.png", "--out", "runs/explain-cnn-x")
    assert code == 2 and "holds pictures for other networks, images or options" in err


def test_a_class_of_ones_choice_is_explained(tmp_path: Path, here: Here) -> None:
    Image.effect_noise((28, 28), 90).save(tmp_path / "x.png")
    first, second = (here.run_json("explain", "cnn", "--image", "x.png", "--target", each) for each in ("Sneaker", "0"))
    assert (first["question"]["target"], second["question"]["target"]) == (7, 0)
    assert any("the maps are for the class Sneaker" in note for note in first["notes"])
    assert first["networks"] == second["networks"], "the answer is the same, whatever the maps explain"
    panels = [Path(each["files"][0]).read_bytes() for each in (first, second)]
    assert panels[0] != panels[1]
    for words, said in (
        (("--target", "sneeker"), "did you mean 'Sneaker'?"),
        (("--target", "bag", "--method", "rollout"), "are the same for every class"),
    ):
        code, out, err = here.run("explain", "cnn", "--image", "x.png", *words)
        assert code == 2 and said in err and not out


@pytest.mark.slow
def test_names_of_any_bytes_reach_the_terminal_and_a_folder(
    tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a terminal that knows ASCII only. The names: another script, too long for a folder's name with more in it, no UTF-8."""
    image = np.zeros((40, 40), np.uint8)
    image[10:30, 10:30] = 220
    for name in ("日本語 😀.png", "長" * 83 + ".png", os.fsdecode(b"a\xff\xfeb.png")):
        Image.fromarray(image).save(tmp_path / name)
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
        assert main(["explain", "cnn", "--image", name]) == 0
        sys.stdout.flush()
        assert b"pictures and explain.json in" in sys.stdout.buffer.getvalue()  # type: ignore[attr-defined]
    assert here.capsys.readouterr().err.count("Traceback") == 0
    folders = list((tmp_path / "runs").iterdir())
    assert len(folders) == 3 and all((folder / "panel.png").is_file() for folder in folders)
    assert all(folder.name.isprintable() and len(folder.name.encode()) <= 200 for folder in folders)


@pytest.mark.slow
def test_a_method_without_merit_says_so_in_its_picture(here: Here) -> None:
    """Grad-CAM on the shipped hybrid does not beat random maps (results/explain): the caption must not hide it."""
    found = here.run_json("explain", "hybrid", "vit", "--index", "0", "--method", "gradcam", "--out", "x")
    captions = {network["name"]: network["caption"] for network in found["networks"]}
    assert "not shown to do better here than a random map" in captions["hybrid"]
    assert "random map" not in captions["vit"]


@pytest.mark.slow
def test_measuring_says_what_was_found(tmp_path: Path, here: Here) -> None:
    code, out, err = here.run("explain", "cnn", "--index", "3", "--faithfulness", "6", "--out", "x")
    assert code == 0, err
    assert "random on 6 images; deletion" in out and "cnn: measuring grad-cam" in err
    measured = json.loads((tmp_path / "x" / "explain.json").read_text())["networks"][0]["faithfulness"]
    assert set(measured["scores"]) == {"gradcam", "random"}
    assert len(measured["rank_correlations"]["gradcam"]) == len(measured["randomised_layers"])
    assert {path.name for path in (tmp_path / "x").glob("cnn-*.png")} == {
        "cnn-filters.png", "cnn-faithfulness.png", "cnn-randomisation.png"
    }  # fmt: skip


@pytest.mark.slow
def test_a_run_of_ones_own_and_its_test_reads(tmp_path: Path, here: Here) -> None:
    small = [
        word
        for setting in ("train_images=320", "embed_dim=16", "depth=1", "patch_size=14")
        for word in ("--set", setting)
    ]
    assert here.run("train", "vit_cls", "--epochs", "1", *small, "--out", "mine")[0] == 0
    found = here.run_json("explain", "mine", "--index", "5", "--split", "test", "--out", "x")
    assert found["networks"][0]["name"] == "mine" and found["networks"][0]["positions"]["kind"] == "learned"
    reads = json.loads((tmp_path / "mine" / "state.json").read_text())["test_reads"]
    assert [read["why"] for read in reads][1:] == ["explain, index"]


def test_a_file_in_the_way_is_named_and_kept(tmp_path: Path, here: Here) -> None:
    (tmp_path / "x").write_text("I was here first")
    code, out, err = here.run("explain", "cnn", "--index", "5", "--out", "x")
    assert (code, out) == (2, "") and "x" in err.splitlines()[-1] and "Traceback" not in err
    assert (tmp_path / "x").read_text() == "I was here first"


@pytest.mark.slow
def test_one_image_is_explained_within_a_second_after_loading() -> None:
    """Every shipped network, its default method, everything that `examine` finds; the best of three."""
    import torch

    from fittingroom.evaluation.shipped import shipped
    from fittingroom.explain.examine import examine
    from fittingroom.tasks.load import load_run

    for name in shipped("classification"):
        model = load_run(name).model
        seconds = []
        for _ in range(3):
            began = time.perf_counter()
            examine(model, torch.randn(1, 1, 28, 28), name=name)
            seconds.append(time.perf_counter() - began)
        assert min(seconds) < 1, name
