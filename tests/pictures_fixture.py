"""Folders of small pictures, made in the test: a bright square at a place that the class decides, on noise."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def pixels(label: int, number: int, size: tuple[int, int] = (12, 12), channels: int = 3) -> np.ndarray:
    """Picture `number` of a class, [height, width, channels]."""
    draw = np.random.default_rng(1000 * label + number)
    image = draw.integers(0, 100, (*size, channels), dtype=np.uint8)
    top = 3 * label % max(1, size[0] - 3)
    image[top : top + 4, 2:8] += 120
    return image if channels == 3 else image[..., 0]


def save(path: Path | str, image: np.ndarray, mode: str | None = None) -> Path:
    """Save pixels as a picture in the format of the file's ending."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    picture = Image.fromarray(image)
    (picture if mode is None else picture.convert(mode)).save(path)
    return Path(path)


def write_folder(
    root: Path, classes: Sequence[str] = ("cat", "dog"), number: int = 10, parts: Sequence[str] = ("",), **how: Any
) -> Path:
    """`root/PART/CLASS/N.png`, `number` pictures of each class in each part, all different; returns `root`."""
    for place, part in enumerate(parts):
        for label, name in enumerate(classes):
            for each in range(number):
                save(root / part / name / f"{each}.png", pixels(label, 100 * place + each, **how))
    return root
