"""Several sources of images as one, such as all parts of a data set."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int, Int64, UInt8
from torch import Tensor

from fittingroom.data.spec import Source


class Joined:
    """A `Source` that reads from others. `index` counts through all of them, in their order."""

    def __init__(self, sources: Sequence[Source], index: Int64[Tensor, " num"] | None = None) -> None:
        self.sources = tuple(sources)
        self._starts = np.cumsum([0, *map(len, self.sources)])
        self.index = torch.arange(int(self._starts[-1])) if index is None else index
        self.labels: Int64[Tensor, " num"] = torch.cat([each.labels for each in self.sources])[self.index]

    def __len__(self) -> int:
        return len(self.index)

    def read(self, positions: Int[Tensor, " chosen"]) -> UInt8[Tensor, "chosen channels height width"]:
        """The images at these positions."""
        rows = self.index[positions]
        which = torch.from_numpy(np.searchsorted(self._starts, rows.numpy(), side="right") - 1)
        found = self.sources[0].read(rows[:0])  # none, but of the right shape
        found = found.new_empty((len(rows), *found.shape[1:]))
        for number in which.unique().tolist():
            mine = which == number
            found[mine] = self.sources[number].read(rows[mine] - int(self._starts[number]))
        return found

    def subset(self, positions: Int[Tensor, " chosen"]) -> "Joined":
        """The images at these positions, in the given order."""
        return Joined(self.sources, self.index[positions])

    def digests(self) -> list[bytes]:
        """A fingerprint of each image."""
        whole = [digest for each in self.sources for digest in each.digests()]
        return [whole[row] for row in self.index.tolist()]
