"""Scoring of image classification: accuracy, from the probabilities that each run gives to each class."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.records import DataRecord, RunRow
from fittingroom.evaluation import metrics
from fittingroom.evaluation.metric import Metric
from fittingroom.evaluation.statistics import accuracy_interval, ratio_values
from fittingroom.tasks.scoring import Column, ProtocolFacts, Scoring, register_scoring

UNBALANCED = 1.5
"""Classes count as unbalanced if the largest has more than this many times the images of the smallest."""


@dataclass(frozen=True, kw_only=True)
class ClassPredictions:
    """One run on one part: `probs` [images, classes], `labels` [images], `index` [images] in the source of the data."""

    probs: NDArray[np.floating]
    labels: NDArray[np.int64]
    index: NDArray[np.int64]
    group: NDArray[np.int64] | None = None
    """The group of each image, [images], such as its patient. None if images have no groups."""

    @property
    def classes(self) -> NDArray[np.int64]:
        """Most probable class of each image, [images]."""
        return np.argmax(self.probs, axis=1)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether that class is the label, [images]."""
        return self.classes == self.labels

    @property
    def units(self) -> NDArray[Any]:
        """`correct`, or one number per group: pictures of one group are alike, so the group is what a test sees once.

        The mean over groups of `ratio_values` is exactly the accuracy, whatever the sizes of the groups.
        """
        if self.group is None:
            return self.correct
        _, group = np.unique(self.group, return_inverse=True)
        return ratio_values(np.bincount(group, weights=self.correct), np.bincount(group).astype(float))


ACCURACY = Metric(
    name="accuracy",
    title="accuracy",
    higher_is_better=True,
    values=lambda predictions: predictions.units,
    interval=accuracy_interval,
    largest=1.0,
    wins="classifies best",
    beyond="above",
    alone="classifies {score} of the test images correctly",
    noun="right answers",
)


@register_scoring
class ClassificationScoring(Scoring[ClassPredictions]):
    """Images to one of several classes."""

    task = "classification"
    items, item, batch_items = "images", "image", "images"
    metrics = (ACCURACY,)
    extras = (
        Column("balanced_accuracy", "Test balanced accuracy (%)", "Balanced\naccur. %", "", is_share=True),
        Column("macro_f1", "Test macro F1 (%)", "Macro\nF1 %", "", is_share=True),
    )

    def to_arrays(self, predictions: ClassPredictions) -> dict[str, Any]:
        """Probabilities in 16 bits that keep each image's class, labels, positions."""
        return {
            "probs": to_half(predictions.probs),
            "labels": predictions.labels.astype(np.int32),
            "index": predictions.index.astype(np.int32),
            **({} if predictions.group is None else {"group": predictions.group.astype(np.int32)}),
        }

    def from_arrays(self, arrays: Mapping[str, Any], split: str, data: DataRecord) -> ClassPredictions:
        """Raises ValueError where the arrays do not fit each other or the classes of the data."""
        found = ClassPredictions(
            probs=arrays["probs"].astype(np.float32),
            labels=arrays["labels"].astype(np.int64),
            index=arrays["index"].astype(np.int64),
            group=arrays["group"].astype(np.int64) if "group" in arrays else None,
        )
        _check(found, split, len(data.class_names))
        return found

    def same_items(self, one: ClassPredictions, other: ClassPredictions, split: str) -> bool:
        """The same test images with the same labels. Each seed draws its own validation images, whole groups of them."""
        if split == "val":
            return True
        return np.array_equal(one.index, other.index) and np.array_equal(one.labels, other.labels)

    def merge(
        self, runs: Mapping[int, dict[str, ClassPredictions]], data: DataRecord
    ) -> dict[int, dict[str, ClassPredictions]]:
        """In a cross-validation, the folds of a round together. Rounds with missing folds are left out."""
        folds = data.facts.get("folds")
        if not folds:
            return dict(runs)
        rounds = sorted({seed // folds for seed in runs})
        found = {each: [runs.get(folds * each + fold) for fold in range(folds)] for each in rounds}
        return {each: _joined(parts) for each, parts in found.items() if None not in parts}

    def num_items(self, predictions: ClassPredictions) -> int:
        """The number of images."""
        return predictions.labels.size

    def test_text(self, predictions: ClassPredictions) -> str:
        """With the number of groups, which are what counts."""
        group = predictions.group
        return super().test_text(predictions) + ("" if group is None else f" in {len(np.unique(group)):,} groups")

    def constant_score(self, predictions: ClassPredictions) -> float | None:
        """The share of the largest class. None if all images are of one class."""
        share = float(np.bincount(predictions.labels).max()) / predictions.labels.size
        return share if share < 1 else None

    def scores(self, predictions: ClassPredictions) -> dict[str, float]:
        """Accuracy."""
        return {ACCURACY.name: metrics.accuracy(predictions.probs, predictions.labels)}

    def is_unbalanced(self, predictions: ClassPredictions) -> bool:
        """Whether the classes differ enough in their number of images."""
        return bool(unbalanced_scores(predictions))

    def summarise_extras(self, rows: Sequence[RunRow], tests: Sequence[ClassPredictions]) -> dict[str, float | None]:
        """Those of unbalanced classes, mean over the seeds; nothing for balanced ones.

        In a cross-validation they are taken over all folds of a seed, as the accuracy is: F1 of a few images of a rare class
        says little, and the mean of several such numbers is another number.
        """
        found = [unbalanced_scores(test) for test in tests]
        return {key: float(np.mean([each[key] for each in found])) for key in found[0]} if all(found) and found else {}

    def details(self, tests: Sequence[ClassPredictions], data: DataRecord) -> dict[str, Any]:
        """Accuracy by class, confusion matrix, and two scores of the probabilities. Counts are summed over seeds."""
        if not tests:
            return {}
        num_classes = num_classes_of(tests[0], data)
        confusion = np.sum([metrics.confusion_matrix(test.labels, test.classes, num_classes) for test in tests], axis=0)
        return {
            "per_class": [
                None if math.isnan(share) else share for share in metrics.per_class_accuracy(confusion).tolist()
            ],
            "confusion": confusion.tolist(),
            "nll": float(np.mean([metrics.negative_log_likelihood(test.probs, test.labels) for test in tests])),
            "ece": float(np.mean([metrics.expected_calibration_error(test.probs, test.labels) for test in tests])),
        }

    def usual_split(self, facts: ProtocolFacts) -> str:
        """Validation is drawn from the training images by seed."""
        return (
            "Validation images are drawn from the training images by seed, stratified by class. Training images that also occur "
            "in the validation or test part are left out."
        )

    def _no_tricks(self) -> str:
        return "No earlier epoch is picked, no run stops early, and test images are not augmented."


def _joined(folds: Sequence[Any]) -> dict[str, ClassPredictions]:
    """The predictions of all folds, by part, in the order of the images."""
    found = {}
    for part in folds[0]:
        index = np.concatenate([each[part].index for each in folds])
        groups = [each[part].group for each in folds]
        order = np.argsort(index, kind="stable")
        found[part] = ClassPredictions(
            probs=np.concatenate([each[part].probs for each in folds])[order],
            labels=np.concatenate([each[part].labels for each in folds])[order],
            index=index[order],
            group=None if any(each is None for each in groups) else np.concatenate(groups)[order],
        )
    return found


def unbalanced_scores(predictions: ClassPredictions) -> dict[str, float]:
    """Balanced accuracy and macro F1 if the classes of this part are unbalanced, else nothing."""
    counts = np.bincount(predictions.labels, minlength=predictions.probs.shape[1])
    if counts.max() <= UNBALANCED * counts.min():
        return {}
    confusion = metrics.confusion_matrix(predictions.labels, predictions.classes, len(counts))
    return {"balanced_accuracy": metrics.balanced_accuracy(confusion), "macro_f1": metrics.macro_f1(confusion)}


def read_predictions(folder: Path, num_classes: int) -> dict[str, ClassPredictions]:
    """The parts of a run's predictions.npz with `num_classes` classes. Raises FittingRoomError where the file is bad."""
    names = tuple(map(str, range(num_classes)))
    return ClassificationScoring().load(folder, DataRecord(name="", class_names=names))


def num_classes_of(predictions: ClassPredictions, data: DataRecord) -> int:
    """By the names of the classes, or, where the data has none, by the probabilities."""
    return len(data.class_names) or predictions.probs.shape[1]


def to_half(probs: NDArray[Any]) -> NDArray[np.float16]:
    """[images, classes] in 16 bits. Each image keeps its class: where rounding makes another one equal, that one is lowered."""
    half = probs.astype(np.float16)
    rows, best = np.arange(len(probs)), probs.argmax(axis=1)
    equal = half == half[rows, best][:, None]
    equal[rows, best] = False
    return np.where(equal, np.nextafter(half, np.float16(0)), half)


def _check(predictions: ClassPredictions, split: str, num_classes: int) -> None:
    num_images = predictions.labels.size
    if num_images == 0:
        raise ValueError(f"no {split} images")
    shape = predictions.probs.shape
    num_classes = num_classes or (shape[1] if len(shape) == 2 else 0)
    if shape != (num_images, num_classes) or predictions.index.shape != (num_images,):
        raise ValueError(f"{split}_probs have shape {shape}, expected {num_images} images and {num_classes} classes")
    if predictions.group is not None and predictions.group.shape != (num_images,):
        raise ValueError(f"{split}_group has shape {predictions.group.shape}, expected {num_images} images")
    if not np.isfinite(predictions.probs).all():
        raise ValueError(f"{split}_probs hold values that are not finite")
    if predictions.labels.min() < 0 or predictions.labels.max() >= num_classes:
        raise ValueError(f"{split}_labels lie outside 0 to {num_classes - 1}")
