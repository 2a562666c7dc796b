"""Images as a problem: Fashion-MNIST split by seed, augmented batches, accuracy."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fittingroom.core.config import to_dict
from fittingroom.core.randomness import seeded
from fittingroom.core.rundir import write_atomic
from fittingroom.data.images.batches import TrainBatches, eval_batches, normalise
from fittingroom.data.images.load import Splits, load_splits
from fittingroom.data.spec import DataSpec, ImageSet
from fittingroom.evaluation.metrics import accuracy, negative_log_likelihood
from fittingroom.evaluation.predict import predict
from fittingroom.evaluation.score import log_test_read
from fittingroom.models import build_model, resolve_config
from fittingroom.models.cost import num_macs
from fittingroom.training.classification import ClassificationTask
from fittingroom.training.config import ImageRunConfig
from fittingroom.training.problem import Problem
from fittingroom.training.speed.plan import Plan


class ImageProblem(Problem):
    """Fashion-MNIST and a config."""

    one_shape = True
    score_names = ("val_accuracy",)

    def __init__(self, config: ImageRunConfig, data_dir: Path | None = None) -> None:
        self._given, self.data_dir = config, data_dir

    @cached_property
    def config(self) -> ImageRunConfig:
        """With every setting of the model written out."""
        given = self._given
        return replace(given, model_config=to_dict(resolve_config(given.model, given.model_config)))

    @cached_property
    def splits(self) -> Splits:
        """The images."""
        return load_splits(self.config.seed, train_images=self.config.train_images, data_dir=self.data_dir)

    @cached_property
    def batches(self) -> TrainBatches:
        """The run's training batches."""
        config, splits = self.config, self.splits
        return TrainBatches(
            train=splits.train,
            spec=splits.spec,
            seed=config.seed,
            batch_size=config.batch_size,
            augment=config.augment,
            label_smoothing=config.label_smoothing,
        )

    @property
    def num_val(self) -> int:
        """All validation images."""
        return len(self.splits.val)

    @property
    def step_shape(self) -> list[int]:
        """Channels, height, width."""
        return list(self.batches.train.images.shape[1:])

    def new_task(self, plan: Plan, *, total_steps: int = 0, began: float | None = None) -> ClassificationTask:
        """On a network of its own, with the run's first weights."""
        with seeded(self.config.seed, "init"):
            model = build_model(self.config.model, self.config.model_config)
        return ClassificationTask(model, self.config, plan, total_steps=total_steps, began=began)

    def step_macs(self) -> int:
        """Multiply-adds of one image."""
        spec = self.splits.spec
        model = build_model(self.config.model, self.config.model_config)
        return num_macs(model, (spec.channels, spec.height, spec.width))

    def val_batches(self, number: int) -> "EvalLoader":
        """The first `number` validation images."""
        return EvalLoader(self.splits.val.subset(torch.arange(number)), self.splits.spec)

    def evaluation_seconds(self, task: ClassificationTask) -> float:
        """From one batch of at most 500 training images, the second time it is done."""
        plan = task.plan
        images = normalise(self.batches.train.images[:500], self.batches.spec).to(plan.device)
        task.to(plan.device).eval()
        with torch.inference_mode(), torch.autocast(plan.device, torch.bfloat16, enabled=plan.precision == "bf16"):
            task(images)
            start = time.perf_counter()
            task(images).sum().item()
            seconds = time.perf_counter() - start
        task.train()
        return seconds / len(images)

    def write_results(self, task: ClassificationTask, folder: Path, *, open_test: bool) -> dict[str, Any]:
        """Accuracies, and the validation loss; probabilities, labels and positions go to predictions.npz."""
        splits = self.splits
        scored = {"val": (splits.val, _probabilities(task, splits.val, splits.spec))}
        if open_test:
            test = splits.open_test(lambda why: log_test_read(folder, why), "final epoch")
            scored["test"] = (test, _probabilities(task, test, splits.spec))
        arrays = {}
        for split, (images, probs) in scored.items():
            arrays[f"{split}_probs"] = to_half(probs)
            arrays[f"{split}_labels"] = images.labels.numpy().astype(np.uint8)
            arrays[f"{split}_index"] = images.index.numpy().astype(np.int32)
        write_atomic(folder / "predictions.npz", lambda file: np.savez_compressed(file, **arrays))
        scores = {
            f"{split}_accuracy": accuracy(probs, found.labels.numpy()) for split, (found, probs) in scored.items()
        }
        val_loss = negative_log_likelihood(scored["val"][1], splits.val.labels.numpy())
        return scores | {"val_loss": val_loss}


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


def to_half(probs: Float[np.ndarray, "images classes"]) -> Float[np.ndarray, "images classes"]:
    """In 16 bits, each image's class kept: where rounding makes another one equal to it, that one goes a step down."""
    half = probs.astype(np.float16)
    rows, best = np.arange(len(probs)), probs.argmax(axis=1)
    equal = half == half[rows, best][:, None]
    equal[rows, best] = False
    return np.where(equal, np.nextafter(half, np.float16(0)), half)


def _probabilities(task: ClassificationTask, images: ImageSet, spec: DataSpec) -> np.ndarray:
    """In fp32 whatever the plan: the scores are those of the saved weights, as whoever loads them will find."""
    device = task.plan.device
    task.to(device)
    return predict(lambda batch: task(batch.to(device)), eval_batches(images, spec))
