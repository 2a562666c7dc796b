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
    sure: Float[np.ndarray, " found"]
    """Its probability."""
    own: Float[np.ndarray, " found"]
    """The probability of the given label."""
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
    """Of the pictures that the models take for another class, those whose label they find least probable.

    Of each label as many as the joint estimates: it is scaled up to all pictures, because many are claimed by no class. The paper
    calls this "prune by class".
    """
    joint, counts = confident_joint(labels, probs), np.bincount(labels, minlength=probs.shape[1])
    others = joint.sum(axis=1) - joint.diagonal()
    number = np.ceil(others / np.maximum(joint.sum(axis=1), 1) * counts).astype(np.int64)
    rows, guess = np.arange(len(labels)), probs.argmax(axis=1)
    own = probs[rows, labels]
    place = np.zeros(0, np.int64)
    for label, wanted in enumerate(number.tolist()):
        (group,) = ((labels == label) & (guess != label)).nonzero()
        place = np.concatenate([place, group[np.argsort(own[group], kind="stable")[:wanted]]])
    place = place[np.argsort(own[place], kind="stable")]
    agreement = float((guess == labels).mean()) if len(labels) else 0.0
    return Doubtful(place, guess[place], probs[place, guess[place]], own[place], agreement)
