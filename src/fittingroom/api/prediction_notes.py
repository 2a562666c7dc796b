"""What is odd about predictions from elsewhere, though they can be compared: copies, and images without one best class."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MANY_TIES = 0.01
"""Images without one best class are noted from this share on."""

Found = Mapping[str, Sequence[NDArray[Any]]]
"""The probabilities of each model, one array for each seed."""


def prediction_notes(found: Found) -> list[str]:
    """Notes for the reader of the verdict."""
    return [*_copies(found), *_ties(found)]


def _copies(found: Found) -> list[str]:
    """A file given twice poses as a seed, and its seeds never vary: the claims would be too strong."""
    places: dict[bytes, list[str]] = {}
    for name, seeds in found.items():
        for seed, array in enumerate(seeds):
            digest = hashlib.sha256(array.astype(np.float32).tobytes()).digest()
            places.setdefault(digest, []).append(f"{name}, seed {seed}")
    return [
        f"warning: these predictions are equal in every number: {'; '.join(each)}. If one is a copy of another, it says nothing "
        "about other seeds or models"
        for each in places.values()
        if len(each) > 1
    ]


def _ties(found: Found) -> list[str]:
    notes = []
    for name, seeds in found.items():
        share = max(float(((array == array.max(axis=1, keepdims=True)).sum(axis=1) > 1).mean()) for array in seeds)
        if share >= MANY_TIES:
            notes.append(
                f"{name}: several classes share the highest probability of {100 * share:.0f} % of the images; the first of them "
                "counts, so another order of the classes changes the accuracy"
            )
    return notes
