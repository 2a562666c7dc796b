"""The data loaders of a run. The training loader saves its position, so that Lightning can resume in mid-epoch."""

import itertools
from collections.abc import Iterator
from typing import Any

from fittingroom.tasks.base import Batches, EvalBatches


class StepLoader:
    """Exactly `total_steps` batches. Lightning sees the whole run as one epoch and counts only steps."""

    def __init__(self, batches: Batches, total_steps: int) -> None:
        self.batches, self.total_steps = batches, total_steps
        self.next_step = 0

    def __len__(self) -> int:
        return self.total_steps

    def __iter__(self) -> Iterator[Any]:
        for batch in itertools.islice(self.batches.from_step(self.next_step), self.total_steps - self.next_step):
            self.next_step += 1
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """The index of the next step."""
        return {"next_step": self.next_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the saved step."""
        self.next_step = state["next_step"]


class ValLoader:
    """Validation batches as one loader. A plain list would not do: Lightning reads it as several loaders."""

    def __init__(self, batches: EvalBatches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)
