"""Likely wrong labels by confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068).

The probabilities must be out of sample: from models that did not train on the picture. A class claims a picture if its
probability reaches what pictures of that class get on average. The label is doubtful if another class claims the
picture.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Doubtful(NamedTuple):
    """Pictures whose labels are doubtful, the most doubtful first."""

    place: Int[np.ndarray, " found"]
    """Positions."""
    suggested: Int[np.ndarray, " found"]
    """The class that claims the picture."""
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
    """Pictures that another class claims and that it also finds more probable than the given label."""
    claimed = claims(labels, probs)
    rows = np.arange(len(labels))
    margin = probs[rows, np.maximum(claimed, 0)] - probs[rows, labels]
    (place,) = ((claimed >= 0) & (claimed != labels) & (margin > 0)).nonzero()
    place = place[np.argsort(-margin[place], kind="stable")]
    agreement = float((probs.argmax(axis=1) == labels).mean()) if len(labels) else 0.0
    return Doubtful(place, claimed[place], margin[place], agreement)
