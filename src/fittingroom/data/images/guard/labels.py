"""Likely wrong labels by confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068).

The probabilities must be out of sample: from models that did not train on the picture. A class claims a picture if its
probability reaches what pictures of that class get on average. How many pictures of each label other classes claim tells how
many labels are wrong; which ones, the probabilities tell.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Doubtful(NamedTuple):
    """Pictures whose labels are doubtful, the most doubtful first."""

    place: Int[np.ndarray, " found"]
    """Positions."""
    suggested: Int[np.ndarray, " found"]
    """The class that the models take the picture for."""
    margin: Float[np.ndarray, " found"]
    """Its probability minus that of the given label: 1 is certain, near 0 a toss-up."""
    agreement: float
    """The share of all labels that the models find most probable. If it is low, they know too little to doubt a label."""


def claims(labels: Int[np.ndarray, " num"], probs: Float[np.ndarray, "num classes"]) -> Int[np.ndarray, " num"]:
    """The class that claims each picture, -1 if none does. Of several, the most probable."""
    num_classes = probs.shape[1]
    counts = np.bincount(labels, minlength=num_classes)
    own = np.bincount(labels, weights=probs[np.arange(len(labels)), labels], minlength=num_classes)
    expected = np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
    reached = np.where(probs >= expected, probs, -1.0)
    return np.where(reached.max(axis=1) >= 0, reached.argmax(axis=1), -1)


def confident_joint(
    labels: Int[np.ndarray, " num"], probs: Float[np.ndarray, "num classes"]
) -> Int[np.ndarray, "classes classes"]:
    """How many pictures of each given label (rows) each class claims (columns)."""
    claimed = claims(labels, probs)
    joint = np.zeros((probs.shape[1], probs.shape[1]), np.int64)
    np.add.at(joint, (labels[claimed >= 0], claimed[claimed >= 0]), 1)
    return joint


def doubtful(labels: Int[np.ndarray, " num"], probs: Float[np.ndarray, "num classes"]) -> Doubtful:
    """Of the pictures with label i that the models take for j, those most likely to be j: as many as the joint estimates.

    Many pictures are claimed by no class, so the joint is scaled up to all pictures ("prune by noise rate" in the paper).
    """
    joint, counts = confident_joint(labels, probs), np.bincount(labels, minlength=probs.shape[1])
    estimate = np.ceil(joint / np.maximum(joint.sum(axis=1), 1)[:, None] * counts[:, None]).astype(np.int64)
    rows = np.arange(len(labels))
    guess = probs.argmax(axis=1)
    margin = probs[rows, guess] - probs[rows, labels]
    kept = np.zeros(len(labels), bool)
    for given, taken_for in zip(*(estimate > 0).nonzero(), strict=True):
        (group,) = ((labels == given) & (guess == taken_for) & (margin > 0)).nonzero()
        best = np.argsort(-margin[group], kind="stable")[: estimate[given, taken_for]]
        kept[group[best]] = True
    place = rows[kept][np.argsort(-margin[kept], kind="stable")]
    agreement = float((guess == labels).mean()) if len(labels) else 0.0
    return Doubtful(place, guess[place], margin[place], agreement)
