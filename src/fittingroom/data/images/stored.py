"""Decoded images in a file of raw pixels, read when they are needed: a data set may be larger than the memory."""

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Int64, UInt8
from torch import Tensor

RELEASE_BYTES = 128 * 1024 * 1024
"""Pages of the file that were read stay counted as memory of this process until they are released: do so after this much."""


class PixelFile:
    """A file of uint8 images [num, channels, height, width] without a header, mapped into memory."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.shape = path, shape
        self._map: np.memmap[Any, np.dtype[np.uint8]] = np.memmap(path, np.uint8, mode="r", shape=shape)
        self._pixels = self._map.view(np.ndarray)
        self._unreleased = 0

    def read(self, rows: Int[np.ndarray, " chosen"]) -> UInt8[np.ndarray, "chosen channels height width"]:
        """A copy of these images."""
        found = self._pixels.take(rows, axis=0)
        self._unreleased += found.nbytes
        if self._unreleased > RELEASE_BYTES:
            self._release()
        return found

    def _release(self) -> None:
        """Give the pages back. The system keeps them in its own cache, so the next read is as fast."""
        self._unreleased = 0
        pages: Any = getattr(self._map, "_mmap", None)
        if pages is not None and hasattr(mmap, "MADV_DONTNEED"):
            pages.madvise(mmap.MADV_DONTNEED)

    def __reduce__(self) -> tuple[Any, ...]:
        return PixelFile, (self.path, self.shape)


@dataclass(frozen=True, eq=False)
class StoredImages:
    """A `Source` whose pixels are in a file."""

    pixels: PixelFile
    prints: UInt8[np.ndarray, "all 16"]
    """The fingerprint of each image in the file."""
    labels: Int64[Tensor, " num"]
    index: Int64[Tensor, " num"]
    """Rows of the file."""
    groups: Int64[Tensor, " num"] | None = None
    """Images with the same number belong into one part."""

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, positions: Int[Tensor, " chosen"]) -> UInt8[Tensor, "chosen channels height width"]:
        """The images at these positions."""
        return torch.from_numpy(self.pixels.read(self.index[positions].numpy()))

    def subset(self, positions: Int[Tensor, " chosen"]) -> "StoredImages":
        """The images at these positions, in the given order. No pixel is read."""
        groups = None if self.groups is None else self.groups[positions]
        return StoredImages(self.pixels, self.prints, self.labels[positions], self.index[positions], groups)

    def digests(self) -> list[bytes]:
        """The fingerprint of each image, as it was taken when the picture was decoded."""
        return [row.tobytes() for row in self.prints[self.index.numpy()]]
