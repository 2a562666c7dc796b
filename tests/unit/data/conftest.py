"""A tiny Fashion-MNIST: three images a class in train, one in test, checksums of its own."""

import gzip
import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from fittingroom.data.images.fashion_mnist import RELEASE, DataFile, Release


def idx_bytes(values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()


@dataclass(frozen=True)
class TinyData:
    folder: Path
    release: Release
    train_images: np.ndarray
    test_images: np.ndarray


@pytest.fixture
def tiny(tmp_path: Path) -> TinyData:
    """Train images 0 and 1 are equal except for their labels, and train image 4 equals test image 7."""
    draw = np.random.default_rng(0)
    train_images = draw.integers(0, 256, (30, 28, 28), dtype=np.uint8)
    test_images = draw.integers(0, 256, (10, 28, 28), dtype=np.uint8)
    train_images[1] = train_images[0]
    test_images[7] = train_images[4]
    labels = np.arange(10, dtype=np.uint8)
    arrays = (train_images, np.tile(labels, 3), test_images, labels)
    folder = tmp_path / "tiny"
    folder.mkdir()
    files = []
    for file, values in zip(RELEASE.files, arrays, strict=True):
        content = idx_bytes(values)
        archive = gzip.compress(content)
        (folder / file.name).write_bytes(archive)
        digest = hashlib.sha256(content).hexdigest()
        files.append(DataFile(name=file.name, content=digest, archives=(hashlib.sha256(archive).hexdigest(),)))
    release = Release(files=tuple(files), mirrors=(), system_folder=tmp_path / "no package")
    return TinyData(folder, release, train_images, test_images)
