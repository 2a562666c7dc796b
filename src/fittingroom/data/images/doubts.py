"""Reasons to doubt what a network answers to a picture that is not from its data set: it answers with confidence to anything."""

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from fittingroom.data.spec import DataSpec

FAINT = 24
"""A picture whose brightest and darkest places differ by less shows nothing."""
BLACK, DARK = 20, 40
"""Light things on black: a quarter of the border is darker than BLACK, and half of it darker than DARK. So are all but two of
5,000 images of Fashion-MNIST, though many of their things reach the border."""
FAR = 2.0
"""Standard deviations of the training pixels between their mean and that of a picture unlike them."""


def doubts(pixels: UInt8[Tensor, "channels height width"], spec: DataSpec) -> list[str]:
    """A clause for each reason; none for a picture like the data set's."""
    image = pixels.numpy().astype(np.float64)
    if np.ptp(image, axis=(1, 2)).max() < FAINT:
        return ["nothing stands out in it, so the answers mean nothing"]
    if spec.preprocessing.bright_ground == "invert":
        return _ground_doubts(image.mean(axis=0))
    distance = (image.mean(axis=(1, 2)) / 255 - np.array(spec.mean)) / np.maximum(np.array(spec.std), 1e-3)
    far = float(distance[np.abs(distance).argmax()])
    if abs(far) > FAR:
        return [
            f"it is much {'brighter' if far > 0 else 'darker'} than the training images, so the answers may mean little"
        ]
    return []


def _ground_doubts(grey: np.ndarray) -> list[str]:
    """For data sets of light things on black."""
    border = np.concatenate([grey[0], grey[-1], grey[1:-1, 0], grey[1:-1, -1]])
    quarter, ground = np.percentile(border, [25, 50])
    if quarter < BLACK and ground < DARK:
        return []
    if _thing(grey, float(ground)) < ground:
        return [
            "its background is lighter than the object, so it was probably taken for the object; use a plain white or black one"
        ]
    return ["it is unlike the training images, which show light objects on plain black; the answers may mean little"]


def _thing(grey: np.ndarray, ground: float) -> float:
    """Mean brightness of the fifth of the pixels that differ most from the ground."""
    flat = grey.ravel()
    most = np.argsort(-np.abs(flat - ground), kind="stable")[: max(1, len(flat) // 5)]
    return float(flat[most].mean())
