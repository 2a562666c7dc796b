"""Find near-duplicates: the same picture saved again, resized, cropped a little, or made brighter.

1. Each picture becomes a small blurred one, and a vector that does not depend on brightness and contrast.
2. The vectors are put into buckets around some of them, so that only neighbours are compared, not all pairs.
3. Neighbours are ranked by tangent distance (Simard et al. 1993): how far apart they are after the best small shift and stretch,
   to first order.
4. The nearest few are laid on each other (Lucas and Kanade 1981). Near-duplicates leave almost nothing of the difference, and far
   less than the other neighbours of both pictures: among plain trousers a pair must be closer than among printed shirts.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fittingroom.core.machine import num_cores

SIDE, FINE = 16, 32
"""Pixels along a side of a small picture, and of the one that is compared last."""
BLUR = 0.75
"""Width of its blur, in its pixels: a shift by half a pixel then changes it little and smoothly."""
BUCKET, PROBES = 256, 8
"""Pictures in a bucket on average, and buckets in which each picture looks for neighbours."""
NEIGHBOURS, FAR = 8, 0.02
"""Neighbours of each picture that are laid on it, and the tangent distance from which a neighbour is too far for that."""
ROUNDS = 3
"""Steps of the alignment."""
HOPELESS = (np.inf, 0.12, 0.03)
"""A pair is given up if more than this is left before the first step, after the first, and later on."""
MOST_MOVE, MOST_STEP, EDGE = 1.6, 1.0, 1
"""Pixels: the farthest alignment (a crop of 10 %), the largest step towards it, and the border that is not compared."""
OTHERS = 3
"""The neighbour against which a pair is measured: the third. So three copies of a picture do not hide each other."""
PLAIN = 0.03
"""Where neighbours are further apart than this, the pair is measured against this."""
MOST_LEFT, WORTH_A_LOOK = 0.01, 0.7
"""Pairs are looked at closely if less is left than this, and than this share of what is left with the third neighbour."""
LIMIT, FINE_LIMIT = 0.00025, 0.001
"""Near-duplicates: what is left, squared, over what is left with the third neighbour is smaller; or what is left times what is
left of the fine pictures, over the same. Saving a picture again harms fine pictures more, a crop the small ones. The numbers were
chosen on Fashion-MNIST so that most of what is found there in addition to planted faults is the same photo."""
TINT = 4
"""Pixels along a side of the colours that are compared: the same shirt in another colour is another picture."""
OTHER_COLOUR, LEAST_COLOUR, COLOUR_SHARE = 10.0, 4.0, 0.5
"""Mean difference in colour, of 255, between pictures that are no duplicates. A small thing on a plain ground changes the mean
little, so a share of the mean colour is enough too, from LEAST_COLOUR on: saving as JPEG changes less."""
BATCH, AT_ONCE = 2048, 2**20
"""Pictures, and comparisons of neighbours, in one step: this bounds the memory."""
LAID = 512
"""Pairs that are laid on each other in one step: they stay in the cache of a core."""


class Small(NamedTuple):
    """What is kept of each picture."""

    grey: Float[np.ndarray, "num side side"]
    """Blurred, -1 to 1."""
    fine: UInt8[np.ndarray, "num fine fine"]
    """With more details."""
    colour: Float[np.ndarray, "num tint tint 2"]
    """Red and blue minus green, 0 for grey pictures."""


class Pairs(NamedTuple):
    """Near-duplicates: positions (first < second), and what is left of the difference."""

    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]
    left: Float[np.ndarray, " pairs"]


def shrink(images: UInt8[np.ndarray, "num channels height width"]) -> Small:
    """What is kept of pictures of one size, grey or RGB."""
    grey = grey_of(images).astype(np.float32)
    down, across = (_weights(size, SIDE, BLUR) for size in grey.shape[1:])
    colour = np.zeros((len(images), TINT, TINT, 2), np.float32)
    if images.shape[1] == 3:
        rows, columns = (_weights(size, TINT, 0.5) for size in grey.shape[1:])
        coarse = rows @ images.astype(np.float32) @ columns.T
        colour[..., 0], colour[..., 1] = coarse[:, 0] - coarse[:, 1], coarse[:, 2] - coarse[:, 1]
    rows, columns = (_weights(size, FINE, 0.5) for size in grey.shape[1:])
    fine = (rows @ grey @ columns.T).round().astype(np.uint8)
    return Small(down @ grey @ across.T / 128 - 1, fine, colour)


def grey_of(images: UInt8[np.ndarray, "num channels height width"]) -> UInt8[np.ndarray, "num height width"]:
    """The brightness of pictures."""
    if images.shape[1] == 1:
        return images[:, 0]
    return (images.transpose(0, 2, 3, 1) @ np.array([0.299, 0.587, 0.114], np.float32)).round().astype(np.uint8)


def near_duplicates(small: Small, unique: Bool[np.ndarray, " num"]) -> Pairs:
    """All pairs. Only `unique` pictures are compared: copies and pictures of one colour would be the neighbours of each other."""
    (places,) = unique.nonzero()
    grey = small.grey[places]
    first, second = neighbours(grey)
    left = align(grey, first, second)
    usual = _usual(first, second, left, len(grey))
    usual = np.minimum(np.minimum(usual[first], usual[second]), PLAIN)
    (close,) = ((left < HOPELESS[-1]) & (left <= usual)).nonzero()
    first, second, left, usual = first[close], second[close], left[close], usual[close]
    left = np.minimum(left, align(grey, second, first))  # it matters which is laid on which if one has lost detail
    (close,) = ((left < MOST_LEFT) & (left < WORTH_A_LOOK * usual)).nonzero()
    first, second, left, usual = places[first[close]], places[second[close]], left[close], usual[close]
    fine = fine_difference(small.fine, first, second)
    near = (np.minimum(left, fine) ** 2 < LIMIT * usual) | (left * fine < FINE_LIMIT * usual)
    near &= ~other_colour(small.colour[first], small.colour[second])
    return Pairs(first[near], second[near], left[near])


def other_colour(
    one: Float[np.ndarray, "pairs tint tint 2"], other: Float[np.ndarray, "pairs tint tint 2"]
) -> Bool[np.ndarray, " pairs"]:
    """Whether the colours of two pictures differ too much for duplicates."""
    strongest = np.maximum(*(np.abs(each).mean(axis=(1, 2, 3)) for each in (one, other)))
    difference = colour_difference(one, other)
    larger = np.maximum(difference, colour_difference(other, one))  # a grey thing is never as strong as a coloured one
    return (difference >= OTHER_COLOUR) | (larger >= np.maximum(COLOUR_SHARE * strongest, LEAST_COLOUR))


def colour_difference(
    one: Float[np.ndarray, "pairs tint tint 2"], other: Float[np.ndarray, "pairs tint tint 2"]
) -> Float[np.ndarray, " pairs"]:
    """The mean difference in colour, of 255, after the other picture was made as strong as the first, within a factor of 2."""
    over = (1, 2, 3)
    gain = (one * other).sum(axis=over) / np.maximum((other * other).sum(axis=over), 1)
    return np.abs(one - other * np.clip(gain, 0.5, 2)[:, None, None, None]).mean(axis=over)


def fine_difference(
    fine: UInt8[np.ndarray, "num side side"], first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]
) -> Float[np.ndarray, " pairs"]:
    """What is left in the fine pictures, with the better of both on the other."""
    places, rows = np.unique(np.concatenate([first, second]), return_inverse=True)
    pictures = fine[places].astype(np.float32) / 128 - 1
    one, other = rows[: len(first)], rows[len(first) :]
    never = (np.inf,) * len(HOPELESS)
    return np.minimum(align(pictures, one, other, never), align(pictures, other, one, never))


def groups(num: int, first: Int[np.ndarray, " pairs"], second: Int[np.ndarray, " pairs"]) -> Int[np.ndarray, " num"]:
    """A number for each picture. Pictures that pairs connect, directly or over others, have the same."""
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(num, num))
    return connected_components(links, directed=False)[1].astype(np.int64)


def neighbours(
    grey: Float[np.ndarray, "num side side"],
) -> tuple[Int[np.ndarray, " pairs"], Int[np.ndarray, " pairs"]]:
    """Pairs (first < second) of pictures that are close by tangent distance."""
    vectors = _unit(grey.reshape(len(grey), SIDE * SIDE))
    found = [np.zeros(0, np.int64)]
    for members, lookers in _buckets(vectors):
        basis = _tangents(grey[members])
        similar = (basis.reshape(-1, SIDE * SIDE) @ vectors[lookers].T).reshape(len(members), -1, len(lookers))
        distance = 1 - np.sqrt((similar**2).sum(axis=1))
        distance[members[:, None] == lookers] = np.inf
        number = min(NEIGHBOURS, len(lookers))
        best = np.argpartition(distance, number - 1, axis=1)[:, :number]
        row, column = (np.take_along_axis(distance, best, axis=1) < FAR).nonzero()
        one, other = members[row], lookers[best[row, column]]
        found.append(np.minimum(one, other) * len(grey) + np.maximum(one, other))
    first, second = np.divmod(np.unique(np.concatenate(found)), max(1, len(grey)))
    return first, second


def align(
    grey: Float[np.ndarray, "num side side"],
    first: Int[np.ndarray, " pairs"],
    second: Int[np.ndarray, " pairs"],
    hopeless: tuple[float, ...] = HOPELESS,
) -> Float[np.ndarray, " pairs"]:
    """What is left when the second picture is laid on the first as well as can be: a share of the first one's variance."""
    starts = range(0, len(first), LAID)
    if not starts:
        return np.ones(0)
    with ThreadPoolExecutor(num_cores()) as pool:
        steps = [(first[start : start + LAID], second[start : start + LAID]) for start in starts]
        return np.concatenate(list(pool.map(lambda pairs: _align(grey[pairs[0]], grey[pairs[1]], hopeless), steps)))


def _align(one: np.ndarray, other: np.ndarray, hopeless: tuple[float, ...]) -> np.ndarray:
    """The same for pictures [n, side, side] of which each `other` is laid on `one`."""
    left, farthest = np.ones(len(one)), MOST_MOVE * one.shape[1] / SIDE
    chosen, move = np.arange(len(one)), np.zeros((len(one), 4), np.float32)
    for round_ in range(ROUNDS + 1):
        left[chosen], step = _laid_on(one[chosen], other[chosen], move)
        good = left[chosen] < hopeless[min(round_, 2)]
        if round_ == ROUNDS or not good.any():
            break
        chosen, move = chosen[good], np.clip(move + step, -farthest, farthest)[good]
    return left


def _usual(first: np.ndarray, second: np.ndarray, left: np.ndarray, num: int) -> np.ndarray:
    """What is left with the neighbour number `OTHERS` + 1 of each picture; infinite where there are fewer."""
    picture, value = np.concatenate([first, second]), np.concatenate([left, left])
    order = np.lexsort((value, picture))
    start = np.searchsorted(picture[order], np.arange(num))
    counts = np.bincount(picture, minlength=num)
    if not len(value):
        return np.full(num, np.inf)
    return np.where(counts > OTHERS, value[order][np.minimum(start + OTHERS, len(value) - 1)], np.inf)


def _buckets(vectors: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each bucket some of its members, and the pictures that look for neighbours in it: those near its centre."""
    num = max(1, len(vectors) // BUCKET)
    centres = vectors[np.linspace(0, max(0, len(vectors) - 1), num).round().astype(int)] if len(vectors) else vectors
    probes = min(PROBES, num)
    nearest = np.zeros((len(vectors), probes), np.int64)
    home = np.zeros(len(vectors), np.int64)
    for start in range(0, len(vectors), BATCH):
        similar = vectors[start : start + BATCH] @ centres.T
        home[start : start + BATCH] = similar.argmax(axis=1)
        nearest[start : start + BATCH] = np.argpartition(-similar, probes - 1, axis=1)[:, :probes]
    by_home, by_probe = np.argsort(home, kind="stable"), np.argsort(nearest.ravel(), kind="stable")
    homes = np.searchsorted(home[by_home], np.arange(num + 1))
    looks = np.searchsorted(nearest.ravel()[by_probe], np.arange(num + 1))
    for each in range(num):
        members = by_home[homes[each] : homes[each + 1]]
        lookers = by_probe[looks[each] : looks[each + 1]] // probes
        step = max(1, AT_ONCE // max(1, len(lookers)))
        for start in range(0, len(members), step):
            yield members[start : start + step], lookers


def _weights(size: int, side: int, blur: float) -> np.ndarray:
    """Rows that average `size` pixels to `side`, each with a bell of the width `blur` around its own place."""
    place = (np.arange(side) + 0.5) * size / side - 0.5
    width = max(blur * size / side, 0.4)
    bells = np.exp(-((place[:, None] - np.arange(size)) ** 2) / (2 * width**2))
    return (bells / bells.sum(axis=1, keepdims=True)).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    centred = vectors - vectors.mean(axis=-1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-6)


def _slopes(images: np.ndarray) -> np.ndarray:
    """How images change when they are shifted and stretched, down and across: [n, 4, side, side]."""
    down, across = np.gradient(images, axis=(1, 2))
    place = (np.arange(images.shape[1], dtype=np.float32) + 0.5) / images.shape[1] - 0.5
    return np.stack([down, across, down * place[:, None], across * place], axis=1)


def _tangents(grey: np.ndarray) -> np.ndarray:
    """An orthonormal basis of what each picture becomes when contrast, place and size change a little: [n, 5, pixels]."""
    basis = np.concatenate([grey[:, None], _slopes(grey)], axis=1).reshape(len(grey), 5, -1)
    basis -= basis.mean(axis=2, keepdims=True)
    for row in range(5):  # Gram and Schmidt, for all pictures at once
        for before in range(row):
            basis[:, row] -= (basis[:, row] * basis[:, before]).sum(axis=1, keepdims=True) * basis[:, before]
        length = np.linalg.norm(basis[:, row], axis=1, keepdims=True)
        basis[:, row] /= np.where(length > 1e-5, length, np.inf)
    return basis


def _laid_on(one: np.ndarray, other: np.ndarray, move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is left when `other` is moved and its tones are adapted, and the step that would make it less."""
    inner = slice(EDGE, -EDGE)
    moved = _sample(other, move)
    tone = moved[:, None, inner, inner].reshape(len(moved), 1, -1)
    slopes = _slopes(moved)[:, :, inner, inner].reshape(len(moved), 4, -1)
    target = one[:, inner, inner].reshape(len(one), -1)
    target = target - target.mean(axis=1, keepdims=True)
    spanning = np.concatenate([tone, tone * tone, slopes], axis=1)  # the square stands for a tone curve
    spanning -= spanning.mean(axis=2, keepdims=True)
    tones = spanning[:, :2]
    rest = target - (_shares(tones, target)[:, None] @ tones)[:, 0]
    left = (rest**2).sum(axis=1) / np.maximum((target**2).sum(axis=1), 1e-3)
    shares = _shares(spanning, target)
    gain = np.where(np.abs(shares[:, :1]) > 0.2, shares[:, :1], 1)
    return left, np.clip(shares[:, 2:] / gain, -MOST_STEP, MOST_STEP)


def _shares(spanning: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares: the shares [n, k] of the rows of `spanning` [n, k, pixels] that come closest to `target` [n, pixels]."""
    normal = spanning @ spanning.transpose(0, 2, 1)
    size = np.trace(normal, axis1=1, axis2=2)[:, None, None]
    normal = normal + np.eye(normal.shape[1], dtype=np.float32) * (1e-5 * size + 1e-6)
    return np.linalg.solve(normal, spanning @ target[:, :, None])[:, :, 0]


def _sample(images: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Images shifted and stretched by `move` [n, 4], in linear interpolation. The border is repeated."""
    places = np.arange(images.shape[1], dtype=np.float32)
    from_middle = (places + 0.5) / images.shape[1] - 0.5
    down = _between(images, places + move[:, :1] + move[:, 2:3] * from_middle)
    return _between(down.transpose(0, 2, 1), places + move[:, 1:2] + move[:, 3:] * from_middle).transpose(0, 2, 1)


def _between(images: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows [n, side] of the images at places between their own rows."""
    side = images.shape[1]
    rows = np.clip(rows, 0, side - 1)
    above = np.minimum(rows.astype(np.int64), side - 2)
    share = (rows - above)[:, :, None]
    low = np.take_along_axis(images, above[:, :, None], axis=1)
    return low + share * (np.take_along_axis(images, above[:, :, None] + 1, axis=1) - low)
