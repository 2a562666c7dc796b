"""Our side of the races: the training step of `fit`, evaluation, and `fit` itself."""

import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from fittingroom.core.config import from_dict
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.batches import TrainBatches
from fittingroom.data.images.load import open_images
from fittingroom.data.spec import DataSpec, ImageSet
from fittingroom.models import build_model
from fittingroom.models.cost import num_macs, num_params
from fittingroom.recipes import recipe
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.config import OptimConfig
from fittingroom.training.fit import FitOptions, fit
from fittingroom.training.speed.engine import choose_plan, set_up_process
from fittingroom.training.speed.plan import Plan
from fittingroom.training.speed.probe import new_trial
from lab.benchmarks.contenders import CHANNELS, CLASSES, SIDE, VALIDATION_IMAGES, Contender
from lab.benchmarks.profiling import profile_of

LONG_ENOUGH = 100.0  # epochs of the run that a plan is chosen for: long enough that every part of a plan is measured
SYNTHETIC_STEPS = 100  # batches of synthetic images in such an epoch


def synthetic_batches(contender: Contender) -> TrainBatches:
    """Random images of the run's shape. Creating a batch does not count as time of a step."""
    draw = torch.Generator().manual_seed(0)
    number = contender.batch_size * (SYNTHETIC_STEPS if contender.kind == "fit" else 1)
    side = dict(contender.shape).get("img_size", SIDE)
    images = torch.randint(0, 256, (number, CHANNELS, side, side), dtype=torch.uint8, generator=draw)
    labels = torch.randint(0, CLASSES, (number,), generator=draw)
    spec = DataSpec(
        name="synthetic", title="random pixels", source="synthetic", digest="", class_names=tuple(map(str, range(CLASSES))),
        channels=CHANNELS, height=side, width=side, mean=(0.5,), std=(0.29,), num_val=0, num_test=0,
    )  # fmt: skip
    return TrainBatches(
        train=ImageSet(images=images, labels=labels, index=torch.arange(number)), spec=spec, seed=0,
        batch_size=contender.batch_size, augment=AugmentConfig(), label_smoothing=0.1,
    )  # fmt: skip


def run_config(contender: Contender, epochs: float = LONG_ENOUGH) -> ClassificationConfig:
    """The family's recipe at the contender's shape, with its optimizer."""
    config = recipe(contender.model, epochs=epochs)
    optim = replace(config.optim, name=contender.optimizer)
    assert isinstance(optim, OptimConfig)
    assert isinstance(config, ClassificationConfig)
    return replace(config, model_config=dict(contender.shape), batch_size=contender.batch_size, optim=optim)


def synthetic_task(config: ClassificationConfig, contender: Contender) -> ClassificationTask:
    """A run on synthetic images."""
    task = ClassificationTask(config)
    task.batches = synthetic_batches(contender)
    task.spec = task.batches.spec
    return task


def choose(contender: Contender, *, measured: bool) -> dict[str, Any]:
    """The plan that `fit` chooses here for a long run, with the timings behind it, or its first guess for a short run."""
    config = run_config(contender, LONG_ENOUGH if measured else 0.01)
    plan, table = choose_plan(synthetic_task(config, replace(contender, kind="fit")), {})
    return {"plan": asdict(plan), "table": table}


class OurSteps:
    """The step of `fit`: ClassificationTask, its optimizer, clipping, the plan."""

    def __init__(self, contender: Contender) -> None:
        plan = from_dict(Plan, dict(contender.plan), "plan")
        set_up_process(plan)
        task = synthetic_task(run_config(contender), contender)
        self.images = task.batches.batch(0, 0)[0]
        self.trial = new_trial(task, plan)
        self.num_params = num_params(self.trial.state.model)
        self.num_macs = num_macs(self.trial.state.model, task.spec.image_shape)

    def train(self) -> float:
        """Seconds of one step."""
        self.trial.state.model.train()
        return self.trial.step()

    def predict(self) -> float:
        """Seconds of one validation batch."""
        placed = self.trial.state.placed
        placed.model.eval()
        start = time.perf_counter()
        with torch.inference_mode(), placed.autocast():
            logits: Tensor = placed.model(placed.place(self.images))
        assert tuple(logits.shape) == (len(self.images), CLASSES)
        return time.perf_counter() - start

    def profile(self, what: str, num_steps: int = 3) -> dict[str, Any]:
        """Seconds of a step (`train`) or a batch (`predict`), and kind of work -> share of its time in torch's operators."""
        return profile_of({"train": self.train, "predict": self.predict}[what], num_steps)


class WholeFit:
    """`fit` on a part of Fashion-MNIST for one epoch. Each call is a new run in a temporary folder.

    As in the usual script, images are opened beforehand and the validation split is small. Both costs are constant, so in a short
    epoch they would dominate the time.
    """

    def __init__(self, contender: Contender) -> None:
        self.plan = {key: str(value).lower() for key, value in contender.plan}
        self.config = replace(run_config(contender, epochs=1), num_train=contender.images)
        splits = open_images().split(self.config.seed, contender.images)
        self.splits = replace(splits, val=splits.val.subset(torch.arange(VALIDATION_IMAGES)))
        self.num_params = num_params(build_model(contender.model, dict(contender.shape)))

    def train(self) -> float:
        """Seconds from the call of `fit` to its return: training, validation, checkpoints, predictions, weights on disk."""
        opened = mock.patch.object(ClassificationTask, "splits", self.splits)
        with tempfile.TemporaryDirectory() as folder, opened:
            start = time.perf_counter()
            fit(self.config, FitOptions(folder=Path(folder) / "run", plan=self.plan, open_test=False))
            return time.perf_counter() - start
