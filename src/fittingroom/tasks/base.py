"""The interface between a kind of data and the code that trains, evaluates and compares.

A `Task` is a run's config together with its data. Training, comparison and the API use only this interface, so they work for
images and sequences alike. Everything that needs only saved files (metrics, predictions, report texts) is in the task's
`Scoring`.

To add a task, subclass `Task` and `Scoring`, decorate them with `task("name")` and `scoring("name")`, and import the file.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError, found_in
from fittingroom.core.files import check_file
from fittingroom.core.records import DataRecord, SplitRecord
from fittingroom.core.registry import Registry
from fittingroom.core.rundir import read_json, write_json
from fittingroom.core.torch_settings import usual_torch
from fittingroom.core.upgrade import SCHEMA, check_schema
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.locate import find_again
from fittingroom.evaluation.evaluators import Evaluated, Evaluator
from fittingroom.tasks.scoring import SCORINGS, Scoring

DATA_FILE = "data.json"


class Batches(Protocol):
    """Training batches, numbered by step, without end."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the training split."""
        ...

    @property
    def mean_batch_size(self) -> float:
        """Items per step."""
        ...

    def from_step(self, first_step: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Yield the batches of steps `first_step`, `first_step + 1`, ... as tuples of tensors.

        Each of `world_size` processes gets its share of every batch.
        """
        ...


class EvalBatches(Protocol):
    """Validation batches in order."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


class Logged(NamedTuple):
    """One number of a validation batch. The average over batches is weighted with `weight`."""

    name: str
    value: Tensor | float
    weight: int


@dataclass(frozen=True, kw_only=True)
class DataRequest:
    """The data options of the command line: `--data`, `--train`, `--dev`, `--test`, `--stress`, and those for pictures."""

    data: str | None = None
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    stress: str | None = None
    pictures: PictureOptions = field(default_factory=PictureOptions)
    """`--image-size`, `--resize`, `--channels`, `--group`, `--split-file`, `--skip-bad`."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A model with the device, precision and memory layout in which it runs."""

    model: Any
    device: str = "cpu"
    bf16: bool = False
    channels_last: bool = False

    def autocast(self) -> AbstractContextManager[Any]:
        """A context in which matrix products and convolutions run in bf16, if `bf16` is set."""
        # Without its cache, gradients of a weight that is used several times are summed in fp32, not in bf16.
        return torch.autocast(self.device, torch.bfloat16, enabled=self.bf16, cache_enabled=False)

    def place(self, batch: Any) -> Any:
        """The batch on the device, images in the chosen memory layout. A batch is a tensor or a (named) tuple of tensors."""
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
    """A config together with its data, which is loaded when it is first needed."""

    name: ClassVar[str]
    config_class: ClassVar[type[Any]]
    default_models: ClassVar[tuple[str, ...]] = ()
    """Models to compare if the user names none."""
    one_shape: ClassVar[bool] = True
    """Whether all batches have the same shape. Then one timing is typical, and compiling once is enough."""

    def __init__(self, config: Any, data_dir: Path | None = None, folder: Path | None = None) -> None:
        """`folder` is a finished run's folder. Its saved description of the data is used, so the data set is not needed."""
        self._given, self.data_dir, self.folder = config, data_dir, folder

    @property
    def scoring(self) -> Scoring:
        """Metrics, prediction files and report texts of this task."""
        return SCORINGS.get(self.name)

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the logged validation scores, besides `val_loss`. Progress shows the first."""
        return tuple(metric.column for metric in self.scoring.metrics)

    # User input

    @classmethod
    def for_training(cls, config: Any) -> "type[Task]":
        """The class that trains `config`."""
        return cls

    @classmethod
    @abstractmethod
    def reads(cls, data: str) -> bool:
        """Whether this task reads the value `data` of `--data`."""

    @classmethod
    @abstractmethod
    def data_fields(cls, request: DataRequest, model: str) -> dict[str, Any]:
        """The config fields that `request` sets. Raises FittingRoomError for data that `model` cannot read."""

    # Config and data

    @cached_property
    @abstractmethod
    def config(self) -> Any:
        """The config that is hashed and saved: every setting is filled in, sizes come from the data."""

    @property
    def hints(self) -> tuple[str, ...]:
        """What looks like a mistake in the data, said before training."""
        return ()

    @property
    def comparison_hints(self) -> tuple[str, ...]:
        """What a comparison of such runs could do better, said before it begins."""
        return ()

    @property
    def advised_folds(self) -> int | None:
        """The number of folds of a cross-validation that suits the data better than one test part; None if one part is enough."""
        return None

    def digest_of(self, files: tuple[str, ...]) -> str:
        """The digest of the files of a data set."""
        raise NotImplementedError(f"task {self.name} reads no files")

    def use_data(self, request: DataRequest) -> None:
        """Read the data of the finished run from other paths. Raises FittingRoomError if they hold other data."""
        for path in filter(None, (request.data, request.train, request.dev, request.test)):
            check_file(path, "give the run's file of data")
        values = self.data_fields(request, self._given.model)
        other = replace(self._given, **{key: value for key, value in values.items() if key in ("data", "dev", "test")})
        known = self._given.data_files
        same = bool(known and other.data_files) and self.digest_of(other.data_files) == self._saved_digest
        if (known or other.data_files) and not same:  # Other kinds of data are compared when they are opened.
            asked = ", ".join(other.data_files or (other.data,))
            was = ", ".join(known) or self._given.data
            if len(known) == 3:
                was = " ".join(f"--{part} {file}" for part, file in zip(("train", "dev", "test"), known, strict=True))
            raise FittingRoomError(f"{asked} is not the data of {self.folder}: give {was}, from any folder")
        self._given = other

    @cached_property
    def located(self) -> Any:
        """The config, with the paths of a finished run's files as they are now. Raises FittingRoomError if one is missing."""
        given = self._given
        if self.folder is None or not given.data_files or not self._saved_digest:
            return given
        files = (self.saved_data() or {}).get("files")
        recorded = tuple(map(str, files)) if isinstance(files, list) else ()
        if len(recorded) != len(given.data_files) or not all(map(os.path.isfile, recorded)):
            recorded = ()
        option = "--data" if len(given.data_files) == 1 else "--train, --dev and --test"
        found = find_again(given.data_files, recorded, self._saved_digest, self.folder, self.digest_of, option)
        return replace(given, **dict(zip(("data", "dev", "test"), found, strict=False)))

    @property
    def _saved_digest(self) -> str:
        """The digest of the finished run's data."""
        saved = self.saved_data()
        return str(self._given.digest or (saved["spec"].get("digest", "") if saved else ""))

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
        """The description of the data for comparison.json."""

    def write_data(self, folder: Path) -> None:
        """Write data.json, so that loading, predicting, explaining and exporting work without the data set."""
        values = {
            "schema": SCHEMA,
            "task": self.name,
            "spec": to_dict(self.spec),
            "split": to_dict(self.split_record()),
        }
        if self._given.data_files:
            values["files"] = [os.path.abspath(file) for file in self._given.data_files]
        write_json(folder / DATA_FILE, values)

    # Training

    @cached_property
    @abstractmethod
    def batches(self) -> Batches:
        """The training batches."""

    @property
    @abstractmethod
    def num_val(self) -> int:
        """Items per validation during training."""

    @property
    @abstractmethod
    def step_shape(self) -> list[int]:
        """The sizes of the data that affect the time of a step."""

    @abstractmethod
    def new_model(self) -> nn.Module:
        """A model with the run's initial weights."""

    @abstractmethod
    def step_macs(self) -> int:
        """Multiply-adds of the forward pass for one typical item."""

    def train_macs(self) -> int:
        """Multiply-adds of the part that is trained, for one typical item."""
        return self.step_macs()

    def rate_shares(self, model: nn.Module) -> dict[str, float]:
        """Learning rates as shares of the peak, by the names of parameters; 1 where none is given."""
        return {}

    @abstractmethod
    def loss(self, model: Callable[..., Any], batch: Any) -> Tensor:
        """The training loss of a placed batch, in fp32. `model` may be compiled."""

    @abstractmethod
    def val_batches(self, number: int) -> EvalBatches:
        """Batches of `number` validation items."""

    @abstractmethod
    def validate(self, model: Any, batch: Any) -> Sequence[Logged]:
        """`val_loss` and the scores of a placed validation batch."""

    @abstractmethod
    def evaluation_seconds(self, placed: Placed) -> float:
        """Measure the seconds per item in validation."""

    # Evaluation

    @abstractmethod
    def evaluators(self) -> Sequence[Evaluator]:
        """The evaluations of a finished run, validation first. Sealed evaluations log each read."""

    @abstractmethod
    def predictor(self, placed: Placed) -> Callable[[Any], Any]:
        """The function that the evaluators call. It computes in fp32, whatever the precision of training."""

    @abstractmethod
    def val_loss(self, placed: Placed, predictions: Any) -> float:
        """Loss over the whole validation split. `predictions` are the predictions for it."""

    def predict_new(self, placed: Placed, items: Any, batch_size: int) -> Any:
        """Predictions for items from outside the data set. Raises FittingRoomError if the model cannot read them."""
        raise FittingRoomError(f"task {self.name} cannot predict new items: evaluate its run instead")

    def extras(self, evaluated: Sequence[Evaluated]) -> dict[str, float]:
        """Numbers that only this task reports."""
        return {}

    # A finished run

    @usual_torch()
    def load_model(self) -> nn.Module:
        """The trained model of the finished run, in evaluation mode and fp32."""
        from fittingroom.evaluation.weights import load_weights

        assert self.folder is not None, "this task has no folder of a finished run"
        with found_in(self.folder / "config.json"):
            model = self.build_saved()
        load_weights(model, self.folder)
        return model.eval()

    @abstractmethod
    def build_saved(self) -> nn.Module:
        """The model of the finished run, without its trained weights."""

    def write_extra_files(self, folder: Path) -> None:  # noqa: B027  (most tasks have none)
        """Write files that only this task needs. Called when the run ends."""

    def saved_data(self) -> dict[str, Any] | None:
        """The content of the finished run's data.json; None if an older version wrote the run.

        Raises FittingRoomError if the file is damaged.
        """
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
    """Decorator: register a `Task` under its name."""

    def file(cls: T) -> T:
        cls.name = name
        TASKS.register(name)(cls)
        return cls

    return file
