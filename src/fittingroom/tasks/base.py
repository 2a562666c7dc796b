"""What a kind of data answers so that it can be trained on, evaluated and compared.

A `Task` is a run's config together with its data. Training, comparison and the API ask a `Task`; none of them knows whether it
holds images or sequences. What needs files only (metrics, predictions, words for a report) is in the task's `Scoring`.

To add a task, subclass `Task` and `Scoring`, decorate them with `task("name")` and `scoring("name")`, and import the file.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import DataRecord, SplitRecord
from fittingroom.core.registry import Registry
from fittingroom.core.rundir import read_json, write_json
from fittingroom.core.upgrade import SCHEMA, check_schema
from fittingroom.evaluation.evaluators import Evaluated, Evaluator
from fittingroom.tasks.scoring import SCORINGS, Scoring

DATA_FILE = "data.json"


class Batches(Protocol):
    """Training batches by step, without end."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training part."""
        ...

    @property
    def mean_batch_size(self) -> float:
        """Items per step."""
        ...

    def from_step(self, first_step: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Batches of global step `first_step`, `first_step + 1`, ...: tuples of tensors; a rank gets its part of each."""
        ...


class EvalBatches(Protocol):
    """Validation batches in order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class Logged(NamedTuple):
    """One number of a validation batch. Batches are averaged with `weight`."""

    name: str
    value: Tensor | float
    weight: int


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """What a user says about the data, all optional: `--data`, `--train`, `--dev`, `--test`, `--stress`."""

    data: str | None = None
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    stress: str | None = None


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A model where it runs: device, precision, memory layout."""

    model: Any
    device: str = "cpu"
    bf16: bool = False
    channels_last: bool = False

    def autocast(self) -> AbstractContextManager[Any]:
        """Within this block matrix products and convolutions run in bf16, if so chosen."""
        # Without its cache, gradients of a weight that is used several times are summed in fp32, not in bf16.
        return torch.autocast(self.device, torch.bfloat16, enabled=self.bf16, cache_enabled=False)

    def place(self, batch: Any) -> Any:
        """The batch (a tensor, or any kind of tuple of tensors) on the device; images in the chosen memory layout."""
        if isinstance(batch, Tensor):
            moved = batch.to(self.device)
            if moved.ndim != 4:
                return moved
            return moved.contiguous(
                memory_format=torch.channels_last if self.channels_last else torch.contiguous_format
            )
        parts = [self.place(part) for part in batch]
        return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)


class Task(ABC):
    """A config together with its data. The data is loaded when it is first needed."""

    name: ClassVar[str]
    config_class: ClassVar[type[Any]]
    default_models: ClassVar[tuple[str, ...]] = ()
    """Models that are compared where none is named."""
    one_shape: ClassVar[bool] = True
    """Every batch has the same shape, so one timing stands for all, and compiling once is enough."""

    def __init__(self, config: Any, data_dir: Path | None = None, folder: Path | None = None) -> None:
        """`folder` is that of a finished run: what it saved about its data is used in place of the data set."""
        self._given, self.data_dir, self.folder = config, data_dir, folder

    @property
    def scoring(self) -> Scoring:
        """Metrics, predictions and words of this task."""
        return SCORINGS.get(self.name)

    @property
    def score_names(self) -> tuple[str, ...]:
        """What validation logs beside `val_loss`; progress shows the first."""
        return tuple(metric.column for metric in self.scoring.metrics)

    # What a user asks for

    @classmethod
    @abstractmethod
    def reads(cls, data: str) -> bool:
        """Whether `--data data` is for this task."""

    @classmethod
    @abstractmethod
    def data_fields(cls, request: DataRequest, model: str) -> dict[str, Any]:
        """The fields of the config that the request sets. Raises FittingRoomError for what `model` cannot read."""

    # Config and data

    @cached_property
    @abstractmethod
    def config(self) -> Any:
        """With every setting written out, sizes taken from the data: what is hashed and saved."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The name of the data in sentences."""

    @cached_property
    @abstractmethod
    def spec(self) -> Any:
        """The description of the data: a dataclass, saved in data.json."""

    @abstractmethod
    def split_record(self) -> SplitRecord:
        """How this run divides its data."""

    @abstractmethod
    def data_record(self) -> DataRecord:
        """What comparison.json says about the data."""

    def write_data(self, folder: Path) -> None:
        """Write data.json: all that loading, predicting, explaining and exporting need to know about the data."""
        values = {
            "schema": SCHEMA,
            "task": self.name,
            "spec": to_dict(self.spec),
            "split": to_dict(self.split_record()),
        }
        write_json(folder / DATA_FILE, values)

    # Training

    @cached_property
    @abstractmethod
    def batches(self) -> Batches:
        """Of the training part."""

    @property
    @abstractmethod
    def num_val(self) -> int:
        """Items that are validated during training, each time."""

    @property
    @abstractmethod
    def step_shape(self) -> list[int]:
        """What of the data decides how long a step takes."""

    @abstractmethod
    def new_model(self) -> nn.Module:
        """A model with the run's first weights."""

    @abstractmethod
    def step_macs(self) -> int:
        """Multiply-adds of one typical item, forward."""

    @abstractmethod
    def loss(self, model: Callable[..., Any], batch: Any) -> Tensor:
        """The training loss of a placed batch, in fp32. `model` may be compiled."""

    @abstractmethod
    def val_batches(self, number: int) -> EvalBatches:
        """Of `number` validation items."""

    @abstractmethod
    def validate(self, model: Any, batch: Any) -> Sequence[Logged]:
        """`val_loss` and the scores of a placed validation batch."""

    @abstractmethod
    def evaluation_seconds(self, placed: Placed) -> float:
        """Seconds per item when validating, measured."""

    # Evaluation

    @abstractmethod
    def evaluators(self) -> Sequence[Evaluator]:
        """The evaluations of a finished run, validation first; sealed ones log each read."""

    @abstractmethod
    def predictor(self, placed: Placed) -> Callable[[Any], Any]:
        """`placed` as the function that the evaluators call. It computes in fp32, whatever trained it."""

    @abstractmethod
    def val_loss(self, placed: Placed, predictions: Any) -> float:
        """Over the whole validation part, whose predictions are given."""

    def predict_new(self, placed: Placed, items: Any, batch_size: int) -> Any:
        """What the model says about items from outside the data set. Raises FittingRoomError where they do not fit."""
        raise FittingRoomError(f"task {self.name} predicts no new items: evaluate its run instead")

    def extras(self, evaluated: Sequence[Evaluated]) -> dict[str, float]:
        """What only this task counts."""
        return {}

    # A finished run

    def load_model(self) -> nn.Module:
        """The trained model of the finished run, in evaluation mode and fp32."""
        from fittingroom.evaluation.weights import load_weights

        assert self.folder is not None, "this task has no folder of a finished run"
        model = self.build_saved()
        load_weights(model, self.folder)
        return model.eval()

    @abstractmethod
    def build_saved(self) -> nn.Module:
        """The model of the finished run before its weights are loaded."""

    def write_extra_files(self, folder: Path) -> None:  # noqa: B027  (most tasks have none)
        """Files of this task alone, written when the run ends."""

    def saved_data(self) -> dict[str, Any] | None:
        """data.json of the finished run, or None where an older version wrote the run. FittingRoomError where it is damaged."""
        if self.folder is None or not (self.folder / DATA_FILE).exists():
            return None
        path = self.folder / DATA_FILE
        values = check_schema(read_json(path), path)
        if not isinstance(values.get("spec"), dict):
            raise FittingRoomError(f"{path} lacks 'spec': use the file of a finished run")
        return values


TASKS: Registry[type[Task]] = Registry("task")
T = TypeVar("T", bound=type[Task])


def task(name: str) -> Callable[[T], T]:
    """Decorator: file a `Task` under its name."""

    def file(cls: T) -> T:
        cls.name = name
        TASKS.register(name)(cls)
        return cls

    return file
