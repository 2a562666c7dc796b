"""What a run asks of its kind of data: batches, a fresh task, validation, scores. `images.py` and `pairs.py` answer.

Everything else in this room (plan, probe, loop, checkpoints) knows problems only, neither images nor pairs.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from fittingroom.training.config import ImageRunConfig, PairRunConfig, RunConfig
from fittingroom.training.module import Task
from fittingroom.training.speed.plan import Plan


class Batches(Protocol):
    """Training batches by step, without end."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training part."""
        ...

    @property
    def mean_batch_size(self) -> float:
        """Images, or pairs, a step."""
        ...

    def from_step(self, first_step: int) -> Iterator[Any]:
        """Batches of global step `first_step`, `first_step + 1`, ...: tuples of tensors."""
        ...


class EvalBatches(Protocol):
    """Validation batches in order."""

    def __len__(self) -> int:
        """Their number."""
        ...

    def __iter__(self) -> Iterator[Any]:
        """Tuples of tensors."""
        ...


class Problem(ABC):
    """A config together with its data. The data is loaded when it is first asked for."""

    one_shape: ClassVar[bool]
    """Every batch has the same shape, so one timing stands for all, and compiling once suffices."""
    score_names: ClassVar[tuple[str, ...]]
    """What validation logs beside `val_loss`; progress shows the first."""

    @cached_property
    @abstractmethod
    def config(self) -> RunConfig:
        """With every setting written out: what is hashed and saved."""

    @cached_property
    @abstractmethod
    def batches(self) -> Batches:
        """Of the training part."""

    @property
    @abstractmethod
    def num_val(self) -> int:
        """Images, or sources, that an epoch on the way is validated with."""

    @property
    @abstractmethod
    def step_shape(self) -> list[int]:
        """What of the data decides how long a step takes."""

    @abstractmethod
    def new_task(self, plan: Plan, *, total_steps: int = 0, began: float | None = None) -> Task:
        """On a model of its own, with the run's first weights."""

    @abstractmethod
    def step_macs(self) -> int:
        """Multiply-adds of one image, or of a typical pair, forward."""

    @abstractmethod
    def val_batches(self, number: int) -> EvalBatches:
        """Of `number` validation images or sources."""

    @abstractmethod
    def evaluation_seconds(self, task: Any) -> float:
        """Seconds an image, or a source, when validating, measured with a task of this problem."""

    @abstractmethod
    def write_results(self, task: Any, folder: Path, *, open_test: bool) -> dict[str, Any]:
        """Score the final weights on validation and, once, on test; write predictions; the scores for the state.

        The read of the test part is logged in the folder's state.json; without `open_test` it stays sealed.
        """


def open_problem(config: RunConfig, data_dir: Path | None = None) -> Problem:
    """The problem of that config. Raises FittingRoomError where its data is missing or wrong, at the latest when asked for."""
    from fittingroom.training.images import ImageProblem
    from fittingroom.training.pairs import PairProblem

    if isinstance(config, PairRunConfig):
        return PairProblem(config)
    assert isinstance(config, ImageRunConfig)
    return ImageProblem(config, data_dir)
