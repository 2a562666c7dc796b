"""A third task, added from outside: regress a property of an image. One task file, one data file, one report section."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fittingroom.core.config import to_dict
from fittingroom.core.randomness import generator, seeded
from fittingroom.core.records import DataRecord, ReadLog, SplitRecord
from fittingroom.core.registry import Registry
from fittingroom.data.shard import shard
from fittingroom.evaluation.evaluators import Evaluator
from fittingroom.evaluation.metric import Metric
from fittingroom.evaluation.statistics import rate_interval
from fittingroom.models import MODELS, Variant, build_model, fit_to_images
from fittingroom.models.cost import num_macs
from fittingroom.tasks.base import DataRequest, Logged, Placed, Task, task
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.scoring import Scoring, register_scoring
from tests.toy import data as squares
from tests.toy import section  # noqa: F401  (the import registers the report section)


@dataclass(frozen=True, kw_only=True)
class BrightnessConfig(RunConfig):
    """A run that learns to tell how bright an image is."""

    registry: ClassVar[Registry[Variant]] = MODELS

    task: Literal["brightness"] = "brightness"
    data: str = squares.NAME


@dataclass(frozen=True, kw_only=True)
class Readings:
    """What one run says, and what is true, [images], in percent of full brightness."""

    said: NDArray[np.float64]
    true: NDArray[np.float64]


ERROR = Metric(
    name="mean_error",
    title="mean error",
    higher_is_better=False,
    values=lambda readings: np.abs(readings.said - readings.true),
    interval=rate_interval,
    scale=1.0,
    unit="",
    points=("percent of full brightness", "percent"),
    wins="reads brightness best",
    beyond="below",
    alone="is off by {score} percent of full brightness on average",
    noun="errors",
)


@register_scoring
class BrightnessScoring(Scoring[Readings]):
    """Absolute errors."""

    task = "brightness"
    items, item, batch_items = "squares", "square", "squares"
    metrics = (ERROR,)

    def to_arrays(self, predictions: Readings) -> dict[str, Any]:
        return {"said": predictions.said, "true": predictions.true}

    def from_arrays(self, arrays: Mapping[str, Any], split: str, data: DataRecord) -> Readings:
        return Readings(said=arrays["said"], true=arrays["true"])

    def same_items(self, one: Readings, other: Readings, split: str) -> bool:
        return np.array_equal(one.true, other.true)


@dataclass(frozen=True)
class BrightnessSpec:
    """What data.json holds."""

    name: str
    digest: str


@dataclass(frozen=True)
class SquareBatches:
    """Batches of a run: shuffled by seed and epoch."""

    squares: squares.Squares
    seed: int
    batch_size: int

    @property
    def steps_per_epoch(self) -> int:
        return len(self.squares) // self.batch_size

    @property
    def mean_batch_size(self) -> float:
        return float(self.batch_size)

    def from_step(self, first_step: int, rank: int = 0, world_size: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        step = first_step
        while True:
            epoch, place = divmod(step, self.steps_per_epoch)
            order = torch.randperm(len(self.squares), generator=generator(self.seed, "order", epoch))
            picked = order[place * self.batch_size : (place + 1) * self.batch_size]
            yield shard((self.squares.images[picked], self.squares.brightness[picked]), rank, world_size)
            step += 1


@task("brightness")
class BrightnessTask(Task):
    """A batch is (images, brightness)."""

    config_class = BrightnessConfig
    default_models = ("vit", "cnn")

    @classmethod
    def reads(cls, data: str) -> bool:
        return data == squares.NAME

    @classmethod
    def data_fields(cls, request: DataRequest, model: str) -> dict[str, Any]:
        return {}

    @cached_property
    def config(self) -> BrightnessConfig:
        fitted = fit_to_images(
            self._given.model,
            self._given.model_config,
            img_size=(squares.SIDE, squares.SIDE),
            in_chans=1,
            num_classes=1,
        )
        return replace(self._given, model_config=to_dict(fitted))

    @property
    def title(self) -> str:
        return "Squares"

    @cached_property
    def spec(self) -> BrightnessSpec:
        return BrightnessSpec(squares.NAME, squares.digest())

    def split_record(self) -> SplitRecord:
        counts = {"num_train": squares.NUM_TRAIN, "num_val": squares.NUM_VAL, "num_test": squares.NUM_TEST}
        return SplitRecord(seed=self._given.seed, rule="in the order of the file", **counts)

    def data_record(self) -> DataRecord:
        return DataRecord(
            name=squares.NAME,
            digest=self.spec.digest,
            num_train=squares.NUM_TRAIN,
            num_val=squares.NUM_VAL,
            num_test=squares.NUM_TEST,
        )

    @cached_property
    def _squares(self) -> squares.Squares:
        return squares.load()

    @property
    def _val(self) -> squares.Squares:
        return self._squares.part(squares.NUM_TRAIN, squares.NUM_TRAIN + squares.NUM_VAL)

    @cached_property
    def batches(self) -> SquareBatches:
        return SquareBatches(self._squares.part(0, squares.NUM_TRAIN), self.config.seed, self.config.batch_size)

    @property
    def num_val(self) -> int:
        return squares.NUM_VAL

    @property
    def step_shape(self) -> list[int]:
        return [1, squares.SIDE, squares.SIDE]

    def new_model(self) -> nn.Module:
        with seeded(self.config.seed, "init"):
            return self.build_saved()

    def build_saved(self) -> nn.Module:
        return build_model(self.config.model, self.config.model_config)

    def step_macs(self) -> int:
        return num_macs(self.new_model(), (1, squares.SIDE, squares.SIDE))

    def loss(self, model: Callable[..., Any], batch: tuple[Tensor, Tensor]) -> Tensor:
        images, brightness = batch
        return (model(images).float().squeeze(1) - brightness / 100).square().mean()

    def val_batches(self, number: int) -> Any:
        return [(self._val.images[:number], self._val.brightness[:number])]

    def validate(self, model: Any, batch: tuple[Tensor, Tensor]) -> Sequence[Logged]:
        images, brightness = batch
        error = (100 * model(images).float().squeeze(1) - brightness).abs().mean()
        return [Logged("val_loss", self.loss(model, batch), len(images)), Logged("val_mean_error", error, len(images))]

    def evaluation_seconds(self, placed: Placed) -> float:
        start = time.perf_counter()
        self.predictor(placed)(self._val.images)
        return (time.perf_counter() - start) / squares.NUM_VAL

    def evaluators(self) -> Sequence[Evaluator]:
        return (
            Evaluator(name="val", predictions=lambda predict, log: _readings(predict, self._val)),
            Evaluator(name="test", predictions=self._predict_test, sealed=True),
        )

    def predictor(self, placed: Placed) -> Callable[[Tensor], Tensor]:
        def predict(images: Tensor) -> Tensor:
            with torch.inference_mode():
                return placed.model(placed.place(images)).float().squeeze(1).cpu()

        return predict

    def val_loss(self, placed: Placed, predictions: Readings) -> float:
        return float(np.mean(np.square(predictions.said - predictions.true)) / 10_000)

    def _predict_test(self, predict: Callable[[Tensor], Tensor], log: ReadLog) -> Readings:
        log("evaluation")
        return _readings(predict, self._squares.part(squares.NUM_TRAIN + squares.NUM_VAL, len(self._squares)))


def _readings(predict: Callable[[Tensor], Tensor], part: squares.Squares) -> Readings:
    return Readings(said=100 * predict(part.images).double().numpy(), true=part.brightness.double().numpy())
