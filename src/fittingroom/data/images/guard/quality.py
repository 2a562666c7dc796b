"""Pictures that are probably of no use: nearly black or white, blurred, of an odd size. Numbers first, then what stands out.

A data set has a style: X-rays are dark, scans are bright, a cheap camera is soft. A picture is only named if it lies beyond a
fixed limit, far from most others, and if such pictures are rare.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

MOST_SIDE = 128
"""Larger pictures are reduced to this before their sharpness is measured: models see no finer detail."""
BLACK, WHITE = 40, 215
"""A picture is dark if even its brightest places are darker than BLACK, bright if its darkest are brighter than WHITE."""
RARE = 0.1
"""If a larger share of the pictures is like this, it is the style of the data set."""
SOFT, FAR = 0.5, 5.0
"""Blurred: less than SOFT of the median sharpness, and FAR robust standard deviations below it (on a logarithmic scale)."""
STRETCHED, SMALL = 2.5, 4.0
"""An odd size: proportions that differ from the median by this factor, or a side that is so many times shorter."""
SAME = 0.9
"""If at least this share of the pictures has one size, every other size is odd."""


class Looks(NamedTuple):
    """Numbers of each picture."""

    low: Float[np.ndarray, " num"]
    """Brightness of its darkest hundredth, 0 to 255."""
    high: Float[np.ndarray, " num"]
    """Brightness of its brightest hundredth."""
    sharpness: Float[np.ndarray, " num"]
    """How suddenly brightness changes at its strongest edges, as a share of its contrast."""


def looks(grey: UInt8[np.ndarray, "num height width"]) -> Looks:
    """The numbers of pictures of one size."""
    flat = grey.reshape(len(grey), grey.shape[1] * grey.shape[2])
    low, high = np.percentile(flat, [1, 99], axis=1)
    wide = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge").astype(np.int16)
    middle = wide[:, 1:-1, 1:-1]
    edges = np.abs(4 * middle - wide[:, :-2, 1:-1] - wide[:, 2:, 1:-1] - wide[:, 1:-1, :-2] - wide[:, 1:-1, 2:])
    strongest = np.percentile(edges.reshape(flat.shape), 98, axis=1)
    return Looks(low, high, strongest / np.maximum(high - low, 1))


def dark(found: Looks) -> Bool[np.ndarray, " num"]:
    """Pictures in which nothing is bright."""
    return _rare(found.high < BLACK)


def bright(found: Looks) -> Bool[np.ndarray, " num"]:
    """Pictures in which nothing is dark."""
    return _rare(found.low > WHITE)


def blurred(found: Looks) -> Bool[np.ndarray, " num"]:
    """Pictures without a sharp edge, where others have one. Those with almost no contrast are not judged."""
    judged = found.high - found.low >= BLACK
    if not judged.any():
        return judged
    logs = np.log(np.maximum(found.sharpness, 1e-3))
    middle = np.median(logs[judged])
    spread = 1.4826 * np.median(np.abs(logs[judged] - middle))
    return _rare(judged & (logs < middle + np.log(SOFT)) & (logs < middle - FAR * spread))


def odd_sizes(sizes: Int[np.ndarray, "num 2"]) -> Bool[np.ndarray, " num"]:
    """Pictures whose height and width are unlike those of most others."""
    if not len(sizes):
        return np.zeros(0, bool)
    _, kind, counts = np.unique(sizes, axis=0, return_inverse=True, return_counts=True)
    common = counts.argmax()
    if counts[common] >= SAME * len(sizes):
        return kind.reshape(-1) != common
    ratio, short = np.log(sizes[:, 0] / sizes[:, 1]), np.log(sizes.min(axis=1))
    stretched = np.abs(ratio - np.median(ratio)) > np.log(STRETCHED)
    return _rare(stretched | (short < np.median(short) - np.log(SMALL)))


def _rare(marked: Bool[np.ndarray, " num"]) -> Bool[np.ndarray, " num"]:
    return marked if marked.sum() <= RARE * len(marked) else np.zeros_like(marked)
