"""What the page needs is read and checked; a bad file is named in one line that says how to mend it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.core.errors import FittingRoomError
from fittingroom.report.gallery import Gallery, cards, filters, read_gallery
from fittingroom.report.load import Comparison, load, read_curve
from fittingroom.report.page import write_report
from tests.comparison_fixture import CLASS_NAMES, write_images

CURVE = "runs/cnn-seed0/metrics.csv"


@pytest.fixture
def folder(comparison_folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    written = shutil.ignore_patterns("report.html", "summary.json")  # by other tests
    return Path(shutil.copytree(comparison_folder, tmp_path / "comparison", ignore=written))


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def html(path: Path) -> None:
    path.write_text("<!doctype html><title>404</title>")


def word(path: Path) -> None:
    path.write_text(path.read_text().replace("0.", "zero."))


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("comparison.json", remove),
        ("comparison.json", truncate),
        ("comparison.json", html),
        ("gallery.npz", remove),
        ("gallery.npz", truncate),
        ("gallery.npz", empty),
        ("gallery.npz", html),
        (CURVE, remove),
        (CURVE, html),
        (CURVE, word),
        ("runs/vit-seed1/predictions.npz", remove),
        ("runs/vit-seed1/predictions.npz", truncate),
    ],
)
def test_a_bad_file_is_named_and_nothing_is_written(folder: Path, name: str, spoil: Callable[[Path], None]) -> None:
    spoil(folder / name)
    with pytest.raises(FittingRoomError) as caught:
        write_report(folder)
    message = str(caught.value)
    assert name in message and "\n" not in message
    assert "again" in message or message.endswith("a finished run or comparison?")
    assert not (folder / "report.html").exists() and not (folder / "summary.json").exists()


def gallery(comparison: Comparison) -> Gallery | None:
    assert comparison.folder
    return read_gallery(comparison.folder, comparison.tests, complete=not comparison.missing)


@pytest.mark.parametrize("key", ["command", "created", "version", "protocol", "environment"])
def test_a_missing_key_is_named(folder: Path, key: str) -> None:
    path = folder / "comparison.json"
    facts = json.loads(path.read_text())
    del facts[key]
    path.write_text(json.dumps(facts))
    with pytest.raises(FittingRoomError, match=f"comparison.json: key '{key}' is missing"):
        load(folder)


@pytest.mark.parametrize("key", ["command", "created", "version", "protocol", "environment"])
def test_a_key_of_the_wrong_type_is_named(folder: Path, key: str) -> None:
    path = folder / "comparison.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: 3}))
    with pytest.raises(FittingRoomError, match=f"comparison.json.{key}: expected"):
        load(folder)


@pytest.mark.parametrize(
    "changes",
    [
        {"images": np.zeros((36, 28, 28))},
        {"labels": np.full(36, 77)},
        {"labels": np.full(36, -1)},
        {"images": np.zeros((36, 28, 28, 2), dtype=np.uint8)},
        {"test_index": np.arange(36) + 10**6},
        {"test_index": np.arange(3)},
    ],
)
def test_a_gallery_that_does_not_fit_the_runs_is_refused(folder: Path, changes: dict[str, Any]) -> None:
    path = folder / "gallery.npz"
    with np.load(path) as archive:
        arrays = {**archive, **changes}
    np.savez(path, **arrays)
    with pytest.raises(FittingRoomError, match=r"gallery\.npz is damaged"):
        write_report(folder)


def test_an_unfinished_comparison_is_read_and_says_what_is_missing(tmp_path: Path) -> None:
    found = load(write_images(tmp_path, missing=["cnn-seed1", "hybrid-seed1"]))
    assert found.missing == ["cnn-seed1", "hybrid-seed1"]
    assert gallery(found) is None
    assert [len(found.curves[name]) for name in ("vit", "cnn", "hybrid")] == [2, 1, 1]


def test_a_run_under_way_is_missing_not_failed(folder: Path) -> None:
    path = folder / "comparison.json"
    facts = json.loads(path.read_text())
    facts["runs"][0]["status"] = "running"
    path.write_text(json.dumps(facts))
    found = load(folder)
    assert (found.missing, found.failed) == (["vit-seed0"], [])


def test_probabilities_under_an_image_are_those_of_its_runs(comparison_folder: Path) -> None:
    found = gallery(load(comparison_folder))
    assert found is not None
    with np.load(comparison_folder / "gallery.npz") as archive:
        index, labels = archive["test_index"], archive["labels"]
    runs = []
    for seed in (0, 1):
        with np.load(comparison_folder / f"runs/cnn-seed{seed}/predictions.npz") as predictions:
            np.testing.assert_array_equal(predictions["test_labels"][index], labels)
            runs.append(predictions["test_probs"][index].astype(float))
    np.testing.assert_allclose(found.probs["cnn"], np.mean(runs, axis=0))


def test_filters_count_the_images_that_they_show(comparison_folder: Path) -> None:
    comparison = load(comparison_folder)
    found, models = gallery(comparison), comparison.summary.candidates
    assert found is not None
    shown = cards(found, models, CLASS_NAMES)
    for card in shown:
        names = {opinion.predicted for opinion in card.opinions if opinion.right}
        assert names <= {card.truth}
        assert all(opinion.predicted != card.truth for opinion in card.opinions if not opinion.right)
    by_value = {choice.value: choice.number for choice in filters(shown, models)}
    assert by_value["all"] == len(shown) == 36
    right = found.probs["vit"].argmax(axis=1) == found.labels
    assert by_value["0"] == int(right.sum())


@pytest.mark.parametrize("number", ["inf", "-inf", "1e308"])
def test_a_curve_that_no_run_measures_is_damaged(tmp_path: Path, number: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(f"seconds,lr,train_loss,val_accuracy\n1,0.1,,0.5\n{number},0.1,2.0,\n")
    with pytest.raises(FittingRoomError, match=r"metrics\.csv is damaged \(it holds (inf|1e\+308)\): delete"):
        read_curve(path, 0, "val_accuracy")


@pytest.mark.parametrize("seconds", ["", "nan"])
def test_a_row_without_a_time_is_damaged(tmp_path: Path, seconds: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(f"seconds,lr,train_loss,val_accuracy\n1,0.1,,0.5\n{seconds},0.1,2.0,\n")
    with pytest.raises(FittingRoomError, match=r"metrics\.csv is damaged \(a row has no seconds\): delete"):
        read_curve(path, 0, "val_accuracy")
