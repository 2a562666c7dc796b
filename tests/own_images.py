"""Small data sets of a user's own images, made in the test: colour in which a bright bar tells the class."""

from pathlib import Path

import numpy as np


def write_images(
    path: Path, *, number: int = 300, size: tuple[int, int] = (64, 40), channels: int = 3, num_classes: int = 7
) -> Path:
    """A .npz file of `number` images [height, width, channels], with the classes a, b, c, ... in turn; returns its path."""
    draw = np.random.default_rng(0)
    labels = np.arange(number) % num_classes
    images = draw.integers(0, 120, (number, *size, channels), dtype=np.uint8)
    thickness = size[0] // num_classes
    for image, label in zip(images, labels, strict=True):
        image[thickness * label : thickness * (label + 1), :, label % channels] = 255
    names = np.array([chr(ord("a") + label) for label in range(num_classes)])
    np.savez(path, images=images if channels == 3 else images[..., 0], labels=labels, class_names=names)
    return path
