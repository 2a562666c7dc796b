"""The train loader: the run's batches from the step where it stands. Stateful, so Lightning resumes it in mid-epoch."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from fittingroom.data.batches import TrainBatches, normalise
from fittingroom.data.spec import DataSpec, ImageSet


class StepLoader:
    """Exactly `total_steps` batches; to Lightning the whole run is one epoch, and a step is all that is counted."""

    def __init__(self, batches: TrainBatches, total_steps: int) -> None:
        self.batches, self.total_steps = batches, total_steps
        self.next_step = 0

    def __len__(self) -> int:
        return self.total_steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for batch in itertools.islice(self.batches.from_step(self.next_step), self.total_steps - self.next_step):
            self.next_step += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Where the run stands."""
        return {"next_step": self.next_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.next_step = state["next_step"]


class EvalLoader:
    """Images in order, in large batches, with their labels."""

    def __init__(self, images: ImageSet, spec: DataSpec, batch_size: int = 500) -> None:
        self.images, self.spec, self.batch_size = images, spec, batch_size

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.images), self.batch_size):
            chosen = self.images.subset(torch.arange(start, min(start + self.batch_size, len(self.images))))
            yield normalise(chosen.images, self.spec), chosen.labels
