"""Verdicts on our own runs: each brings its answers, its labels, its groups and the names of its classes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.api.prediction_files import read_prediction_files
from fittingroom.api.verdict import verdict
from fittingroom.core.errors import FittingRoomError
from fittingroom.tasks.classification.scoring import ClassificationScoring, ClassPredictions

LABELS = np.arange(60) % 3


def drawn(seed: int) -> Any:
    return np.random.default_rng(seed).dirichlet(np.ones(3), 60).astype(np.float16)


def write_run(folder: Path, seed: int = 0, order: Any = None, part: str = "test", **changes: Any) -> Path:
    """A run's folder as training writes it, with its images in `order`."""
    folder.mkdir(parents=True)
    order = np.arange(60) if order is None else order
    arrays = {"probs": drawn(seed)[order], "labels": LABELS[order], "index": order, **changes}
    ClassificationScoring().save(folder, {part: ClassPredictions(**arrays)})
    (folder / "config.json").write_text("{}")
    (folder / "data.json").write_text(json.dumps({"spec": {"class_names": ["cat", "dog", "eel"]}}))
    return folder


def test_runs_are_named_by_folder_or_file_and_bring_labels_and_names(tmp_path: Path) -> None:
    for seed in (10, 2):
        write_run(tmp_path / f"vit-{seed}", seed)
    one = write_run(tmp_path / "cnn", 7)
    found = read_prediction_files([f"vit={tmp_path}/vit-*", f"cnn={one}/predictions.npz"], None)
    assert found.class_names == ("cat", "dog", "eel") and found.groups is None
    np.testing.assert_array_equal(found.labels, LABELS)
    for array, seed in zip(found.probs["vit"] + found.probs["cnn"], (2, 10, 7), strict=True):
        np.testing.assert_array_equal(array, drawn(seed))


def test_the_order_of_the_images_in_the_file_does_not_matter(tmp_path: Path) -> None:
    plain = write_run(tmp_path / "plain")
    mixed = write_run(tmp_path / "mixed", order=np.random.default_rng(1).permutation(60))
    found = read_prediction_files([f"a={plain}", f"b={mixed}"], None)
    np.testing.assert_array_equal(found.probs["a"][0], found.probs["b"][0])


def test_pictures_of_one_group_count_once(tmp_path: Path) -> None:
    """Twelve groups of five images alike: the interval is that of twelve observations, not of sixty."""
    group = np.arange(60) // 5
    right = np.where(np.arange(12) % 4 > 0, 0.9, 0.05)[group]
    probs = np.full((60, 3), ((1 - right) / 2)[:, None])
    probs[np.arange(60), LABELS] = right
    run = write_run(tmp_path / "grouped", probs=probs, group=group)
    found = read_prediction_files([f"vit={run}"], None)
    grouped = verdict(found.probs, found.labels, groups=found.groups).summary.candidates[0].evals["test"]["accuracy"]
    alone = verdict(found.probs, found.labels).summary.candidates[0].evals["test"]["accuracy"]
    names = [f"patient {each}" for each in group]
    assert verdict(found.probs, found.labels, groups=names).summary.candidates[0].evals["test"]["accuracy"] == grouped
    assert grouped.mean == pytest.approx(alone.mean) == 0.75
    assert grouped.high - grouped.low > 1.7 * (alone.high - alone.low)  # type: ignore[operator]
    with pytest.raises(FittingRoomError, match=r"^groups have shape \(59,\): give one for each of the 60 images"):
        verdict(found.probs, found.labels, groups=group[1:])


def test_runs_can_be_judged_beside_files_with_the_labels_of_a_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "vit")
    np.save(tmp_path / "forest.npy", np.full((60, 3), 1 / 3))
    words = [f"vit={run}", f"forest={tmp_path}/forest.npy"]
    with pytest.raises(FittingRoomError, match="the true classes are missing: add --labels FILE"):
        read_prediction_files(words, None)
    np.testing.assert_array_equal(read_prediction_files(words, run).labels, LABELS)


def test_a_file_of_another_tool_may_have_the_name_of_ours(tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", probs=drawn(3))
    np.save(tmp_path / "y.npy", LABELS)
    found = read_prediction_files([f"svm={tmp_path}/predictions.npz"], tmp_path / "y.npy")
    np.testing.assert_array_equal(found.probs["svm"][0], drawn(3))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"part": "val"}, r"^[^ ]*b/predictions\.npz holds no class probabilities of test images"),
        ({"labels": LABELS[::-1]}, r"b was tested on other images than .*a: give runs of one data set"),
        ({"order": np.arange(60)[::-1], "index": np.arange(60)}, r"b was tested on other images than .*a"),
        ({"probs": np.ones((60, 2)) / 2}, r"^[^ ]*b/predictions\.npz is damaged"),
    ],
)
def test_a_run_that_does_not_fit_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    first, second = write_run(tmp_path / "a"), write_run(tmp_path / "b", **changes)
    with pytest.raises(FittingRoomError, match=words):
        read_prediction_files([f"x={first}", f"x={second}"], None)


def test_a_folder_without_predictions_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FittingRoomError, match=r"empty has no predictions\.npz: give the folder of a finished run"):
        read_prediction_files([f"x={tmp_path}/empty"], None)
    write_run(tmp_path / "torn").joinpath("predictions.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(FittingRoomError, match=r"predictions\.npz is damaged"):
        read_prediction_files([f"x={tmp_path}/torn"], None)


def test_folds_of_a_cross_validation_are_told_from_runs_of_other_data(tmp_path: Path) -> None:
    for fold in (0, 1):
        order = np.arange(60)[fold::2]
        write_run(tmp_path / f"vit-{fold}", order=order)
    with pytest.raises(
        FittingRoomError, match=r"vit-1 and .*vit-0 have no test image in common: of a cross-validation"
    ):
        read_prediction_files([f"vit={tmp_path}/vit-*"], None)
