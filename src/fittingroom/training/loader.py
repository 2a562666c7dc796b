"""The train loader: the run's batches from the step where it stands. Stateful, so Lightning resumes it in mid-epoch."""

import itertools
from collections.abc import Iterator
from typing import Any

from fittingroom.tasks.base import Batches, EvalBatches


class StepLoader:
    """Exactly `total_steps` batches; to Lightning the whole run is one epoch, and a step is all that is counted."""

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
        """Where the run stands."""
        return {"next_step": self.next_step}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.next_step = state["next_step"]


class ValLoader:
    """Any validation batches as one loader: Lightning takes a plain list for several loaders."""

    def __init__(self, batches: EvalBatches) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.batches)
