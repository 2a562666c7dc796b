"""From a comparison's folder to the numbers that are shown: scores, intervals, pairs, verdict. Needs files, not torch.

`summarise` reads `comparison.json` and the `predictions.npz` of every finished run, so a report can be made again, or a
statistic changed, without training anything.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.predictions import SPLITS, Predictions, read_predictions
from fittingroom.comparison.verdict import verdict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.evaluation import metrics
from fittingroom.evaluation.statistics import (
    SeedSpread,
    accuracy_interval,
    holm,
    paired_difference,
    pooled_seed_spread,
    simultaneous_level,
)

LEVEL = 0.95
MODEL_KEYS = ("name", "title", "family", "num_params", "num_macs")
NEEDED: dict[str, tuple[str, ...]] = {
    "title": (),
    "seeds": (),
    "budget": ("text",),
    "data": ("class_names",),
    "models": MODEL_KEYS,
    "runs": ("run", "folder", "model", "seed", "status"),
}

Runs = dict[int, dict[str, Predictions]]
"""One model's finished runs: seed -> split -> predictions."""


def summarise(folder: Path) -> dict[str, Any]:
    """The contents of `summary.json` for the comparison in `folder`: plain values, finite, None where undefined.

    Raises FittingRoomError that names the file where `comparison.json` or a finished run's `predictions.npz` is missing
    or damaged, and where two runs were tested on different images.
    """
    path = folder / "comparison.json"
    comparison = read_json(path)
    _check_comparison(comparison, path)
    return _Summary(folder=folder, comparison=comparison).build()


def disagreements(
    probs_by_model: dict[str, NDArray[np.floating]], labels: NDArray[np.integer], limit: int = 36
) -> NDArray[np.int64]:
    """Positions of at most `limit` images on which the models contradict one another, the surest contradiction first.

    `probs_by_model` maps a name to [seeds, images, classes], averaged over seeds here; `labels` is [images]. The score
    of an image is the largest, over pairs of models that name different classes, of the smaller of their two
    confidences: high only where both are sure. Images on which all agree are left out; of equal scores the earlier
    image comes first.
    """
    means = [np.asarray(np.mean(probs, axis=0, dtype=np.float64)) for probs in probs_by_model.values()]
    assert all(len(mean) == len(labels) for mean in means), "one row of probabilities for each label"
    classes, confidences = [mean.argmax(axis=1) for mean in means], [mean.max(axis=1) for mean in means]
    scores = np.zeros(len(labels))
    for a, b in combinations(range(len(means)), 2):
        both = np.where(classes[a] != classes[b], np.minimum(confidences[a], confidences[b]), 0.0)
        scores = np.maximum(scores, both)
    order = np.argsort(-scores, kind="stable")
    return order[scores[order] > 0][:limit]


def mistakes(probs_by_model: dict[str, NDArray[np.floating]], labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Positions of the images on which all models are wrong, the surest first.

    `probs_by_model` maps a name to [images, classes], `labels` is [images].
    """
    confidence = np.mean([each.max(axis=1) for each in probs_by_model.values()], axis=0)
    wrong = np.all([each.argmax(axis=1) != labels for each in probs_by_model.values()], axis=0)
    surest = np.argsort(-confidence, kind="stable")
    return surest[wrong[surest]]


@dataclass(frozen=True, kw_only=True)
class _Summary:
    """One pass over a comparison: its folder and the contents of its `comparison.json`."""

    folder: Path
    comparison: dict[str, Any]

    def build(self) -> dict[str, Any]:
        runs = {model["name"]: self._read_runs(model["name"]) for model in self.comparison["models"]}
        _check_same_images(runs)
        finished = {name: found for name, found in runs.items() if found}
        spreads = {split: _spread(finished, split) for split in SPLITS}
        models = [self._model(model, runs[model["name"]], spreads) for model in self.comparison["models"]]
        pairs = _pairs(finished, spreads["test"])
        summary = {"models": models, "pairs": pairs, "best_by_val": _best_by_val(models)}
        notes = self._failure_notes(models) + _seed_notes(finished, pairs, spreads["test"])
        return {**summary, "verdict": verdict(summary, self.comparison), "notes": notes}

    def _rows(self, name: str, status: str) -> list[dict[str, Any]]:
        return [row for row in self.comparison["runs"] if row["model"] == name and row["status"] == status]

    def _read_runs(self, name: str) -> Runs:
        num_classes = len(self.comparison["data"]["class_names"])
        rows = self._rows(name, "finished")
        return {row["seed"]: read_predictions(self.folder / row["folder"], num_classes) for row in rows}

    def _model(self, model: dict[str, Any], runs: Runs, spreads: dict[str, SeedSpread]) -> dict[str, Any]:
        rows = self._rows(model["name"], "finished")
        return {
            **{key: model[key] for key in MODEL_KEYS},
            "num_runs": len(rows),
            "num_failed": len(self._rows(model["name"], "failed")),
            **{key: _over(rows, key, np.mean) for key in ("train_seconds", "images_per_second", "epochs")},
            "peak_memory_bytes": _over(rows, "peak_memory_bytes", np.max),
            **{split: _scores(runs, split, spreads[split]) for split in SPLITS},
            **_test_details(runs, len(self.comparison["data"]["class_names"])),
        }

    def _failure_notes(self, models: list[dict[str, Any]]) -> list[str]:
        failed = [row for row in self.comparison["runs"] if row["status"] == "failed"]
        notes = [f"{row['run']} failed: {row.get('error') or 'no reason was recorded'}" for row in failed]
        absent = [model["title"] for model in models if not model["num_runs"]]
        return notes + [f"{title} finished no run and is left out" for title in absent]


def _check_comparison(comparison: Any, path: Path) -> None:
    """FittingRoomError where `comparison.json` lacks something that the summary needs."""
    for key, inner in NEEDED.items():
        value = comparison.get(key) if isinstance(comparison, dict) else None
        parts = value if isinstance(value, list) else [value]
        lacking = [name for part in parts for name in inner if not isinstance(part, dict) or name not in part]
        if value is None or lacking:
            where = key if value is None else f"{key}.{lacking[0]}"
            raise FittingRoomError(f"{path} lacks '{where}': run the comparison again to write it anew")


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


def _correct(runs: Runs, split: str, seeds: Sequence[int] | None = None) -> NDArray[np.bool_]:
    """Right or not, [seeds, images], seeds ascending."""
    return np.stack([runs[seed][split].correct for seed in sorted(runs if seeds is None else seeds)])


def _spread(finished: dict[str, Runs], split: str) -> SeedSpread:
    return pooled_seed_spread([_correct(runs, split) for runs in finished.values()])


def _over(rows: list[dict[str, Any]], key: str, reduce: Callable[[list[float]], Any]) -> float | int | None:
    """Mean or largest of a ledger column, over the rows that have it."""
    values = [row[key] for row in rows if row.get(key) is not None]
    return reduce(values).item() if values else None


def _scores(runs: Runs, split: str, spread: SeedSpread) -> dict[str, float | None]:
    if not runs:
        return dict.fromkeys(("mean", "sd", "low", "high"))
    found = accuracy_interval(_correct(runs, split), LEVEL, spread)
    return {"mean": found.mean, "sd": found.sd, "low": found.low, "high": found.high}


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


def _pairs(finished: dict[str, Runs], spread: SeedSpread) -> list[dict[str, Any]]:
    """Every two models over the seeds both finished; pairs without a common seed are left out."""
    common = {(a, b): sorted(finished[a].keys() & finished[b].keys()) for a, b in combinations(finished, 2)}
    common = {pair: seeds for pair, seeds in common.items() if seeds}
    level = simultaneous_level(LEVEL, len(common))
    found = [
        paired_difference(_correct(finished[a], "test", seeds), _correct(finished[b], "test", seeds), level, spread)
        for (a, b), seeds in common.items()
    ]
    adjusted = holm([pair.p for pair in found])
    names = ("difference", "low", "high", "p")
    return [
        {"a": a, "b": b, **{name: getattr(pair, name) for name in names}, "p_holm": p_holm}
        for (a, b), pair, p_holm in zip(common, found, adjusted, strict=True)
    ]


def _best_by_val(models: list[dict[str, Any]]) -> str | None:
    scored = [model for model in models if model["val"]["mean"] is not None]
    return max(scored, key=lambda model: model["val"]["mean"])["name"] if scored else None


def _seed_notes(finished: dict[str, Runs], pairs: list[dict[str, Any]], spread: SeedSpread) -> list[str]:
    notes = []
    if finished and spread.df == 0:
        notes.append("one seed: the interval covers images only")
    if spread.df > 0 and spread.variance == 0:
        notes.append("every seed gave the same test accuracy: the intervals cover images only")
    if len(pairs) > 1:
        notes.append(f"the {len(pairs)} intervals of differences hold together with 95 % probability (Bonferroni)")
    if len(pairs) < math.comb(len(finished), 2):
        notes.append("models that finished no seed in common are not compared")
    return notes
