"""The classification task: what is validated during training."""

from pathlib import Path

import numpy as np
import torch

from fittingroom.api.runs import configure
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.load import open_task
from tests.own_images import write_images


def test_validation_during_training_sees_every_class_of_sorted_data(tmp_path: Path) -> None:
    """The first images would be of one class."""
    pixels = np.random.default_rng(0).integers(0, 256, (400, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "sorted.npz", images=pixels, labels=np.repeat(np.arange(4), 100))
    task = open_task(configure("cnn", tmp_path / "sorted.npz", epochs=1, settings={"size": "nano"}))
    assert isinstance(task, ClassificationTask)
    loader = task.val_batches(8)
    labels = torch.cat([labels for _, labels in loader])
    assert sorted(labels.unique().tolist()) == [0, 1, 2, 3] and len(labels) == 8
    everything = torch.cat([labels for _, labels in task.val_batches(task.num_val)])
    assert everything.equal(task.splits.val.labels), "all of them, in order, once"


def test_a_recipe_suits_fewer_images_than_its_batch(tmp_path: Path) -> None:
    task = open_task(configure("cnn", write_images(tmp_path / "few.npz", number=30, num_classes=2), epochs=1))
    number = len(task.batches.train)
    assert number < 30 and task.config.batch_size == number and task.batches.steps_per_epoch == 1
    assert task.hints == (f"only {number} training images: a step has all of them, not 64",)
