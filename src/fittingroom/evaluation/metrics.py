"""Scores of predicted probabilities against labels, in plain numpy. Each function returns a number or a small array.

In all functions, `probs` is [images, classes] with rows that sum to 1. `labels` and `predictions` are class numbers [images].
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_PROB = 1e-7
"""Lower limit of a probability in a logarithm. Stored probabilities are float16, whose smallest step is 6e-8."""

Array = NDArray[Any]


def accuracy(probs: Array, labels: Array) -> float:
    """Share of images whose most probable class is the label, 0 to 1."""
    return float(np.mean(np.argmax(probs, axis=1) == labels))


def negative_log_likelihood(probs: Array, labels: Array) -> float:
    """Mean of -log p(label), in nats. Probabilities below 1e-7 count as 1e-7, so no image costs more than 16.1."""
    of_label = np.asarray(probs, dtype=np.float64)[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(of_label, LEAST_PROB))))


def expected_calibration_error(probs: Array, labels: Array, num_bins: int = 15) -> float:
    """Mean gap between confidence and accuracy, 0 to 1 (Guo et al. 2017, arXiv 1706.04599, equation 3).

    Images are sorted by the probability of their predicted class into `num_bins` bins of equal width ((m-1)/M, m/M].
    Each bin contributes |accuracy - mean confidence|, weighted by its share of the images.
    """
    confidence = np.max(np.asarray(probs, dtype=np.float64), axis=1)
    correct = np.argmax(probs, axis=1) == labels
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)
    gaps = np.bincount(bins, weights=correct - confidence, minlength=num_bins)
    return float(np.sum(np.abs(gaps)) / len(labels))


def balanced_accuracy(confusion: Array) -> float:
    """Mean of the accuracies of the classes that have images, 0 to 1."""
    return float(np.nanmean(per_class_accuracy(confusion)))


def macro_f1(confusion: Array) -> float:
    """Mean F1 score of the classes that have images or are predicted, 0 to 1. F1 is 0 for a class without a right prediction."""
    counts = np.asarray(confusion, dtype=np.float64)
    both = counts.sum(axis=1) + counts.sum(axis=0)
    return float(np.mean(2 * np.diagonal(counts)[both > 0] / both[both > 0]))


def confusion_matrix(labels: Array, predictions: Array, num_classes: int) -> NDArray[np.int64]:
    """Counts [num_classes, num_classes]: row = true class, column = predicted class."""
    cells = np.asarray(labels, dtype=np.int64) * num_classes + np.asarray(predictions, dtype=np.int64)
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def per_class_accuracy(confusion: Array) -> NDArray[np.float64]:
    """Share of correct predictions for each true class [classes], from a confusion matrix. NaN for a class without images."""
    counts = np.asarray(confusion, dtype=np.float64)
    totals = counts.sum(axis=1)
    return np.divide(np.diagonal(counts), totals, out=np.full(len(counts), np.nan), where=totals > 0)
