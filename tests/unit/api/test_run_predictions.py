"""Verdicts on our own runs: each brings its answers, its labels and the names of its classes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.api.prediction_files import read_prediction_files
from fittingroom.core.errors import FittingRoomError

LABELS = np.arange(60) % 3


def write_run(folder: Path, seed: int = 0, order: Any = None, **changes: Any) -> Path:
    """A run's predictions, in `order` of the images, and its class names."""
    folder.mkdir(parents=True)
    order = np.arange(60) if order is None else order
    probs = np.random.default_rng(seed).dirichlet(np.ones(3), 60)
    arrays = {
        "test_probs": probs[order],
        "test_labels": LABELS[order],
        "test_index": order,
        "val_probs": probs,
        **changes,
    }
    np.savez(folder / "predictions.npz", **{name: each for name, each in arrays.items() if each is not None})
    (folder / "data.json").write_text(json.dumps({"spec": {"class_names": ["cat", "dog", "eel"]}}))
    return folder


def test_runs_are_named_by_folder_or_file_and_bring_labels_and_names(tmp_path: Path) -> None:
    for seed in (10, 2):
        write_run(tmp_path / f"vit-{seed}", seed)
    one = write_run(tmp_path / "cnn", 7)
    found = read_prediction_files([f"vit={tmp_path}/vit-*", f"cnn={one}/predictions.npz"], None)
    assert found.class_names == ("cat", "dog", "eel")
    np.testing.assert_array_equal(found.labels, LABELS)
    for array, seed in zip(found.probs["vit"] + found.probs["cnn"], (2, 10, 7), strict=True):
        np.testing.assert_array_equal(array, np.random.default_rng(seed).dirichlet(np.ones(3), 60))


def test_the_order_of_the_images_in_the_file_does_not_matter(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "plain")
    mixed = write_run(tmp_path / "mixed", order=np.random.default_rng(1).permutation(60))
    found = read_prediction_files([f"a={plain}", f"b={mixed}"], None)
    np.testing.assert_array_equal(found.probs["a"][0], found.probs["b"][0])


def test_runs_can_be_judged_beside_files_with_the_labels_of_a_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    np.save(tmp_path / "forest.npy", np.full((60, 3), 1 / 3))
    words = [f"vit={run}", f"forest={tmp_path}/forest.npy"]
    with pytest.raises(FittingRoomError, match="the true classes are missing: add --labels FILE"):
        read_prediction_files(words, None)
    np.testing.assert_array_equal(read_prediction_files(words, run).labels, LABELS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"test_probs": None, "test_labels": None},
            r"^[^ ]*b/predictions\.npz holds no class probabilities of test images",
        ),
        ({"test_labels": LABELS[::-1]}, r"b was tested on other images than .*a: give runs of one data set"),
        ({"test_index": np.arange(60) + 1}, r"b was tested on other images than .*a"),
    ],
)
def test_a_run_that_does_not_fit_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", **changes)
    with pytest.raises(FittingRoomError, match=words):
        read_prediction_files([f"x={first}", f"x={second}"], None)


def test_a_folder_without_predictions_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        FittingRoomError, match=r"empty/predictions\.npz does not exist: give the folder of a finished run"
    ):
        read_prediction_files([f"x={tmp_path}/empty"], None)
    write_run(tmp_path / "torn").joinpath("predictions.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(FittingRoomError, match=r"predictions\.npz cannot be read"):
        read_prediction_files([f"x={tmp_path}/torn"], None)
