"""Select images worth viewing: images on which models disagree, and images that all models get wrong. Plain numpy."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray


def disagreements(
    probs_by_model: dict[str, NDArray[np.floating]], labels: NDArray[np.integer], limit: int = 36
) -> NDArray[np.int64]:
    """Positions of at most `limit` images on which models disagree, most confident disagreement first.

    `probs_by_model` maps a name to [seeds, images, classes] and is averaged over seeds. `labels` is [images]. Two models that
    predict different classes score the smaller of their two confidences, so the score is high only if both are confident. The
    score of an image is the maximum over all pairs of models. Images on which all models agree are left out. Ties keep the
    order of the images.
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
    """Positions of the images on which all models are wrong, highest mean confidence first.

    `probs_by_model` maps a name to [images, classes], `labels` is [images].
    """
    confidence = np.mean([each.max(axis=1) for each in probs_by_model.values()], axis=0)
    wrong = np.all([each.argmax(axis=1) != labels for each in probs_by_model.values()], axis=0)
    surest = np.argsort(-confidence, kind="stable")
    return surest[wrong[surest]]
