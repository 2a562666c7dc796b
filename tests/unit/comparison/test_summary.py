"""The summary of made-up comparisons on disk: its structure, its numbers, and what it says when files are bad."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.comparison.summary import summarise
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_json
from fittingroom.evaluation.selection import disagreements
from fittingroom.evaluation.statistics import holm, paired_difference, pooled_seed_spread, simultaneous_level

CLASSES = ["round", "square", "flat"]
SHARES = {"vit": 0.70, "cnn": 0.95, "hybrid": 0.85}
NUM_VAL, NUM_TEST = 150, 400


def predictions(share: float, seed: int) -> dict[str, Any]:
    """A run that is right on about `share` of the images, the others one class off."""
    random, arrays = np.random.default_rng(seed), dict[str, Any]()
    for split, num_images in (("val", NUM_VAL), ("test", NUM_TEST)):
        labels = np.arange(num_images) % 3
        classes = np.where(random.random(num_images) < share, labels, (labels + 1) % 3)
        arrays[f"{split}_probs"] = np.where(np.eye(3)[classes] > 0, 0.8, 0.1).astype(np.float16)
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
        arrays[f"{split}_index"] = np.arange(num_images, dtype=np.int32)
    return arrays


def ledger_row(name: str, seed: int, failed: bool = False) -> dict[str, Any]:
    row = {"run": f"{name}-seed{seed}", "folder": f"runs/{name}-seed{seed}", "model": name, "seed": seed}
    if failed:
        return {**row, "status": "failed", "error": "the loss is not a number at step 12"}
    cost = {"epochs": 5.0, "train_seconds": 60.0 + seed, "images_per_second": 900.0, "peak_memory_bytes": 1000 + seed}
    return {**row, "status": "finished", "error": None, **cost}


def make(folder: Path, names: tuple[str, ...] = tuple(SHARES), seeds: int = 2, failed: tuple[str, ...] = ()) -> Path:
    """A comparison on disk; runs named in `failed` left no predictions."""
    rows = [ledger_row(name, seed, f"{name}-seed{seed}" in failed) for name in names for seed in range(seeds)]
    for number, row in enumerate(rows):
        if row["status"] == "finished":
            run = folder / row["folder"]
            run.mkdir(parents=True)
            np.savez(run / "predictions.npz", **predictions(SHARES[row["model"]], number))
    models = [{"name": name, "title": name.upper(), "family": name, "num_params": 10, "num_macs": 20} for name in names]
    comparison = {"title": "Shapes", "budget": {"kind": "epochs", "value": 5, "text": "5 epochs each"}}
    comparison |= {"seeds": list(range(seeds)), "data": {"class_names": CLASSES}, "models": models, "runs": rows}
    write_json(folder / "comparison.json", comparison)
    return folder


def test_the_summary_has_the_structure_that_the_report_reads(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    assert list(summary) == ["models", "pairs", "best_by_val", "verdict", "notes"]
    scores = {"val", "test", "per_class", "confusion", "nll", "ece"}
    costs = {"num_params", "num_macs", "train_seconds", "images_per_second", "peak_memory_bytes", "epochs"}
    names = {"name", "title", "family", "num_runs", "num_failed"}
    assert all(set(model) == scores | costs | names for model in summary["models"])
    assert set(summary["models"][0]["test"]) == {"mean", "sd", "low", "high"}
    assert set(summary["pairs"][0]) == {"a", "b", "difference", "low", "high", "p", "p_holm"}
    json.dumps(summary, allow_nan=False)


def test_scores_are_those_of_the_predictions(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    runs = [predictions(SHARES["cnn"], number) for number in (2, 3)]
    accuracies = [np.mean(run["test_probs"].argmax(axis=1) == run["test_labels"]) for run in runs]
    cnn = summary["models"][1]
    assert cnn["test"]["mean"] == pytest.approx(np.mean(accuracies))
    assert cnn["test"]["sd"] == pytest.approx(np.std(accuracies, ddof=1))
    assert cnn["test"]["low"] < cnn["test"]["mean"] < cnn["test"]["high"]
    assert np.sum(cnn["confusion"]) == 2 * NUM_TEST and np.trace(cnn["confusion"]) == np.sum(accuracies) * NUM_TEST
    assert np.average(cnn["per_class"], weights=np.sum(cnn["confusion"], axis=1)) == pytest.approx(np.mean(accuracies))
    nlls = [-np.log(0.8) * share - np.log(0.1) * (1 - share) for share in accuracies]
    assert cnn["nll"] == pytest.approx(np.mean(nlls), abs=1e-3)
    assert cnn["ece"] == pytest.approx(np.mean([abs(a - 0.8) for a in accuracies]), abs=1e-3)


def test_costs_are_means_and_memory_is_the_largest(tmp_path: Path) -> None:
    model = summarise(make(tmp_path))["models"][0]
    assert (model["train_seconds"], model["peak_memory_bytes"], model["epochs"]) == (60.5, 1001, 5.0)


def test_pairs_are_simultaneous_intervals_over_the_pooled_seeds(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    splits = [predictions(SHARES[name], number) for number, name in enumerate(np.repeat(list(SHARES), 2))]
    correct = np.stack([s["test_probs"].argmax(axis=1) == s["test_labels"] for s in splits]).reshape(3, 2, NUM_TEST)
    spread, level = pooled_seed_spread(list(correct)), simultaneous_level(0.95, 3)
    expected = [paired_difference(correct[a], correct[b], level, spread) for a, b in ((0, 1), (0, 2), (1, 2))]
    for found, pair, p_holm in zip(summary["pairs"], expected, holm([pair.p for pair in expected]), strict=True):
        assert (found["low"], found["high"], found["p_holm"]) == pytest.approx((pair.low, pair.high, p_holm))
    names = [(pair["a"], pair["b"]) for pair in summary["pairs"]]
    assert names == [("vit", "cnn"), ("vit", "hybrid"), ("cnn", "hybrid")]


def test_the_best_is_chosen_on_validation_and_the_verdict_names_the_setting(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    assert summary["best_by_val"] == "cnn"
    assert summary["verdict"].startswith("On Shapes, with 5 epochs each and 2 seeds, ")
    assert "CNN beats VIT" in summary["verdict"]


def test_one_seed_leaves_deviations_undefined_and_says_so(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, seeds=1))
    assert summary["models"][0]["test"]["sd"] is None
    assert "one seed: the interval covers images only" in summary["notes"]
    assert "these trained networks" in summary["verdict"]


def test_pairs_take_the_seeds_that_both_models_finished(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, seeds=2, failed=("vit-seed1",)))
    assert [(m["num_runs"], m["num_failed"]) for m in summary["models"]] == [(1, 1), (2, 0), (2, 0)]
    vit, cnn = predictions(SHARES["vit"], 0), predictions(SHARES["cnn"], 2)
    right = [np.mean(run["test_probs"].argmax(axis=1) == run["test_labels"]) for run in (vit, cnn)]
    assert summary["pairs"][0]["difference"] == pytest.approx(right[0] - right[1])
    assert summary["notes"][0] == "vit-seed1 failed: the loss is not a number at step 12"
    assert summary["models"][0]["test"]["sd"] is None and summary["models"][1]["test"]["sd"] is not None


def test_a_model_without_a_finished_run_has_no_scores_and_no_pairs(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, failed=("vit-seed0", "vit-seed1")))
    vit = summary["models"][0]
    assert vit["test"] == {"mean": None, "sd": None, "low": None, "high": None}
    assert vit["confusion"] is None and vit["train_seconds"] is None
    assert [(pair["a"], pair["b"]) for pair in summary["pairs"]] == [("cnn", "hybrid")]
    assert "VIT finished no run and is left out" in summary["notes"]


def test_all_runs_failed_is_still_a_summary(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, names=("cnn",), seeds=1, failed=("cnn-seed0",)))
    assert summary["pairs"] == [] and summary["best_by_val"] is None
    assert "no run finished" in summary["verdict"]


def test_models_without_a_common_seed_make_no_pair(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, names=("cnn", "vit"), failed=("cnn-seed0", "vit-seed1")))
    assert summary["pairs"] == []
    assert "models that finished no seed in common are not compared" in summary["notes"]


def test_a_class_without_test_images_has_no_accuracy(tmp_path: Path) -> None:
    folder = make(tmp_path, names=("cnn",), seeds=1)
    arrays = predictions(0.9, 0)
    arrays["test_labels"] = np.minimum(arrays["test_labels"], 1)
    np.savez(folder / "runs/cnn-seed0/predictions.npz", **arrays)
    assert summarise(folder)["models"][0]["per_class"][2] is None


def damaged(folder: Path, damage: str) -> None:
    path = folder / "runs/cnn-seed0/predictions.npz"
    whole, arrays = path.read_bytes(), predictions(0.9, 0)
    if damage == "missing":
        path.unlink()
    elif damage in ("cut", "empty", "text"):
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"<html>"}[damage])
    elif damage == "flipped":
        path.write_bytes(whole[:300] + bytes(byte ^ 255 for byte in whole[300:320]) + whole[320:])
    elif damage == "bare array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        changes: dict[str, Any] = {
            "key": {"val_probs": None},
            "nan": {"test_probs": np.full((NUM_TEST, 3), np.nan, dtype=np.float16)},
            "classes": {"test_probs": np.zeros((NUM_TEST, 5), dtype=np.float16)},
            "labels": {"test_labels": np.full(NUM_TEST, 9, dtype=np.uint8)},
            "none": {f"test_{part}": arrays[f"test_{part}"][:0] for part in ("probs", "labels", "index")},
        }[damage]
        np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})


KINDS = ["missing", "cut", "empty", "text", "flipped", "bare array", "key", "nan", "classes", "labels", "none"]


@pytest.mark.parametrize("damage", KINDS)
def test_bad_predictions_are_named_with_their_fix_on_one_line(tmp_path: Path, damage: str) -> None:
    damaged(make(tmp_path), damage)
    with pytest.raises(FittingRoomError, match=r"cnn-seed0/predictions\.npz is (missing|damaged).*again") as caught:
        summarise(tmp_path)
    assert "\n" not in str(caught.value)


def test_runs_on_different_test_images_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path)
    arrays = predictions(0.9, 0)
    arrays["test_index"] = arrays["test_index"] + 1
    np.savez(folder / "runs/hybrid-seed1/predictions.npz", **arrays)
    with pytest.raises(FittingRoomError, match="hybrid-seed1 and of vit-seed0 hold different images"):
        summarise(folder)


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("budget", None, "budget"),
        ("data", {}, "data.class_names"),
        ("runs", [{"run": "x"}], "runs.folder"),
        ("models", [3], "models.name"),
        ("models", {"name": "vit"}, "models"),
        ("seeds", 2, "seeds"),
        ("budget", [], "budget"),
        ("title", 3, "title"),
    ],
)
def test_an_incomplete_comparison_file_is_named(tmp_path: Path, key: str, value: Any, named: str) -> None:
    path = make(tmp_path) / "comparison.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(FittingRoomError, match=f"comparison.json lacks a proper '{named}'"):
        summarise(tmp_path)


def test_a_comparison_that_is_no_object_or_is_missing_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match=r"comparison\.json is missing"):
        summarise(tmp_path)
    (tmp_path / "comparison.json").write_text("[]")
    with pytest.raises(FittingRoomError, match=r"comparison\.json holds no JSON object"):
        summarise(tmp_path)


def test_the_surest_contradiction_comes_first() -> None:
    a = np.array([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.8, 0.2]])
    b = np.array([[0.8, 0.2], [0.1, 0.9], [0.05, 0.95], [0.3, 0.7]])
    found = disagreements({"a": a[None], "b": b[None]}, np.zeros(4, dtype=int))
    assert found.tolist() == [2, 3, 1]
    assert disagreements({"a": a[None], "b": b[None]}, np.zeros(4, dtype=int), limit=2).tolist() == [2, 3]


def test_seeds_are_averaged_before_models_are_compared() -> None:
    seeds = np.array([[[0.9, 0.1]], [[0.4, 0.6]]], dtype=np.float16)
    assert disagreements({"a": seeds, "b": np.array([[[0.8, 0.2]]])}, np.zeros(1, dtype=int)).tolist() == []


def test_any_two_of_three_models_may_contradict_each_other() -> None:
    sure, other = np.array([[[0.9, 0.1]]]), np.array([[[0.2, 0.8]]])
    assert disagreements({"a": sure, "b": sure, "c": other}, np.zeros(1, dtype=int)).tolist() == [0]
    assert disagreements({"a": sure}, np.zeros(1, dtype=int)).tolist() == []
