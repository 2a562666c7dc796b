"""From a comparison's folder to the numbers that are shown: scores, intervals, pairs, verdict. Needs files, not torch.

`summarise` reads `comparison.json` and the `predictions.npz` of every finished run, so a report can be made again, or a
statistic changed, without training anything.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.metrics import ACCURACY, PAIRS, kind_of
from fittingroom.comparison.pair_summary import summarise_pairs
from fittingroom.comparison.predictions import SPLITS, Predictions, read_predictions
from fittingroom.comparison.record import (
    LEVEL,
    best_by_val,
    check_comparison,
    description,
    differences,
    failure_notes,
    plain,
    rows_of,
    seed_notes,
    spread_of,
    stacked,
)
from fittingroom.comparison.verdict import verdict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.evaluation import metrics
from fittingroom.evaluation.statistics import Interval, SeedSpread, accuracy_interval

COSTS = ("train_seconds", "images_per_second", "epochs")

Runs = dict[int, dict[str, Predictions]]
"""One model's finished runs: seed -> split -> predictions."""


def summarise(folder: Path) -> dict[str, Any]:
    """The contents of `summary.json` for the comparison in `folder`: plain values, finite, None where undefined.

    A comparison of pairs is handed to `summarise_pairs`. Raises FittingRoomError that names the file where
    `comparison.json` or a finished run's `predictions.npz` is missing or damaged, and where two runs were tested on
    different images.
    """
    path = folder / "comparison.json"
    comparison = read_json(path)
    if kind_of(comparison) == PAIRS:
        return summarise_pairs(folder)
    check_comparison(comparison, path, ("class_names",))
    return _Summary(folder=folder, comparison=comparison).build()


@dataclass(frozen=True, kw_only=True)
class _Summary:
    """One pass over a comparison: its folder and the contents of its `comparison.json`."""

    folder: Path
    comparison: dict[str, Any]

    def build(self) -> dict[str, Any]:
        runs = {model["name"]: self._read_runs(model["name"]) for model in self.comparison["models"]}
        _check_same_images(runs)
        finished = {name: found for name, found in runs.items() if found}
        correct = {split: {name: _correct(found, split) for name, found in finished.items()} for split in SPLITS}
        spreads = {split: spread_of(correct[split]) for split in SPLITS}
        models = [self._model(model, runs[model["name"]], spreads) for model in self.comparison["models"]]
        found = differences(correct["test"], spreads["test"])
        pairs = [{"a": a, "b": b, **difference} for (a, b), difference in found.items()]
        best = best_by_val(models, lambda model: model["val"]["mean"])
        summary = {"models": models, "pairs": pairs, "best_by_val": best}
        notes = failure_notes(self.comparison, models)
        notes += seed_notes(len(finished), len(pairs), spreads["test"], items="images", score=ACCURACY.name)
        return {**summary, "verdict": verdict(summary, self.comparison), "notes": notes}

    def _read_runs(self, name: str) -> Runs:
        num_classes = len(self.comparison["data"]["class_names"])
        rows = rows_of(self.comparison, name, "finished")
        return {row["seed"]: read_predictions(self.folder / row["folder"], num_classes) for row in rows}

    def _model(self, model: dict[str, Any], runs: Runs, spreads: dict[str, SeedSpread]) -> dict[str, Any]:
        return {
            **description(self.comparison, model, COSTS),
            **{split: plain(_interval(runs, split, spreads[split])) for split in SPLITS},
            **_test_details(runs, len(self.comparison["data"]["class_names"])),
        }


def _check_same_images(runs: dict[str, Runs]) -> None:
    """FittingRoomError unless all runs saw the same test images, and as many validation images."""
    found = [(f"{name}-seed{seed}", splits) for name, seeds in runs.items() for seed, splits in seeds.items()]
    for other, splits in found[1:]:
        first, reference = found[0]
        same_index = np.array_equal(splits["test"].index, reference["test"].index)
        same_labels = np.array_equal(splits["test"].labels, reference["test"].labels)
        if not (same_index and same_labels and splits["val"].labels.size == reference["val"].labels.size):
            message = f"predictions.npz of {other} and of {first} hold different images"
            raise FittingRoomError(f"{message}: they cannot be compared; run both again on the same data")


def _correct(runs: Runs, split: str) -> dict[int, NDArray[np.bool_]]:
    """Right or not, by seed, [images]."""
    return {seed: runs[seed][split].correct for seed in sorted(runs)}


def _interval(runs: Runs, split: str, spread: SeedSpread) -> Interval | None:
    return accuracy_interval(stacked(_correct(runs, split)), LEVEL, spread) if runs else None


def _test_details(runs: Runs, num_classes: int) -> dict[str, Any]:
    """Scores by class and of the probabilities, test split: counts are summed over seeds, the rest averaged."""
    tests = [splits["test"] for splits in runs.values()]
    if not tests:
        return dict.fromkeys(("per_class", "confusion", "nll", "ece"))
    confusion = sum(metrics.confusion_matrix(test.labels, test.classes, num_classes) for test in tests)
    per_class = metrics.per_class_accuracy(np.asarray(confusion))
    return {
        "per_class": [None if math.isnan(share) else share for share in per_class.tolist()],
        "confusion": np.asarray(confusion).tolist(),
        "nll": float(np.mean([metrics.negative_log_likelihood(test.probs, test.labels) for test in tests])),
        "ece": float(np.mean([metrics.expected_calibration_error(test.probs, test.labels) for test in tests])),
    }
