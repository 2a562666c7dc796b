"""A user's own colour images, 64 pixels high and 40 wide, from training to the report."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command import call, call_json
from tests.own_images import write_images

pytestmark = pytest.mark.usefixtures("torch_as_before")

SMALL_VIT = ("embed_dim=32", "depth=1", "patch_size=8")
PNG = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_images(tmp_path_factory.mktemp("own") / "mine.npz")


@pytest.fixture(scope="module")
def trained(images: Path) -> Path:
    folder = images.parent / "trained"
    words = [word for setting in ("batch_size=16", *SMALL_VIT) for word in ("--set", setting)]
    row = call_json("train", "vit", "--data", str(images), "--epochs", "20", *words, "--out", str(folder))
    assert row["val_accuracy"] > 0.7, "bars in different places and colours are easily told apart"
    return folder


@pytest.fixture(scope="module")
def compared(images: Path) -> Path:
    """Both networks, their shapes taken from the images, after a step or two."""
    folder = images.parent / "compared"
    names = f"{'@'.join(['vit', *SMALL_VIT])},cnn@widths=[8,16]@blocks=[0,1]"
    words = ("compare", "--models", names, "--data", str(images), "--seeds", "1", "--epochs", "0.5")
    code, out, err = call(*words, "--out", str(folder))
    assert code == 0, err
    assert "Measured on mine with 0.5 epochs each and 1 seed" in " ".join(out.split())
    return folder


def test_a_run_knows_its_images(trained: Path) -> None:
    spec = json.loads((trained / "data.json").read_text())["spec"]
    assert (spec["channels"], spec["height"], spec["width"]) == (3, 64, 40)
    assert spec["class_names"] == list("abcdefg")
    assert len(spec["mean"]) == len(spec["std"]) == 3


def test_it_is_evaluated(trained: Path) -> None:
    code, out, err = call("evaluate", str(trained), "--split", "test")
    assert (code, err) == (0, "")
    assert out.startswith("vit-seed0: test accuracy ") and out.endswith(" on 60 images\n")


def test_it_is_explained(trained: Path, compared: Path, tmp_path: Path) -> None:
    cnn = "cnn@widths=[8,16]@blocks=[0,1]-seed0"
    runs = [str(trained), str(compared / "runs" / cnn)]
    found = call_json("explain", *runs, "--index", "3", "--out", str(tmp_path / "x"))
    assert [network["name"] for network in found["networks"]] == ["trained", cnn]
    assert found["images"][0]["label"] in "abcdefg"
    with Image.open(tmp_path / "x" / "panel.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert (pixels.max(axis=2) - pixels.min(axis=2)).max() > 100, "in colour"


def test_a_comparison_of_them_is_reported_in_colour(compared: Path) -> None:
    record = json.loads((compared / "comparison.json").read_text())
    assert [row["status"] for row in record["runs"]] == ["finished", "finished"]
    assert record["data"]["class_names"] == list("abcdefg")
    (compared / "report.html").unlink()
    code, out, err = call("report", str(compared))
    assert (code, err) == (0, "") and out == f"{compared}/report.html\n"
    page = (compared / "report.html").read_text()
    pictures = [Image.open(io.BytesIO(base64.b64decode(content))) for content in PNG.findall(page)]
    assert len(pictures) > 10
    assert {(picture.mode, picture.size) for picture in pictures} == {("RGB", (40, 64))}


def test_images_of_the_report_are_those_that_were_predicted(images: Path, compared: Path) -> None:
    """The file has no test part, so a fifth of it was held back: positions in that fifth are not positions in the file."""
    with np.load(images) as file, np.load(compared / "gallery.npz") as gallery:
        np.testing.assert_array_equal(file["images"][gallery["test_index"]], gallery["images"])
        np.testing.assert_array_equal(file["labels"][gallery["test_index"]], gallery["labels"])
    with np.load(images) as file, np.load(compared / "explorer.npz") as explorer:
        np.testing.assert_array_equal(file["images"][explorer["index"]], explorer["images"])
