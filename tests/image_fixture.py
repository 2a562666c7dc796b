"""A data set of images in a .npz file, and a run folder on it as training leaves it, both made in milliseconds."""

from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.core.config import config_hash, to_dict
from fittingroom.core.records import RunState, write_state
from fittingroom.core.rundir import write_json
from fittingroom.evaluation.weights import save_weights
from fittingroom.tasks.base import Task
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.load import open_task

CLASS_NAMES = ("fig", "pear", "plum")
TINY_MODELS: dict[str, dict[str, Any]] = {
    "vit": {"embed_dim": 16, "depth": 1, "num_heads": 2, "patch_size": 4},
    "cnn": {"widths": [4, 8], "blocks": [0, 1]},
    "hybrid": {"embed_dim": 16, "depth": 1, "num_heads": 2, "stem_widths": [4, 8], "stem_strides": [2, 1]},
}


def image_arrays(number: int = 60, channels: int = 1, size: int = 8, seed: int = 0) -> dict[str, Any]:
    """Fruit: a bright square at a place that its class decides, on noise. `images` [number, size, size, channels]."""
    draw = np.random.default_rng(seed)
    labels = np.arange(number) % len(CLASS_NAMES)
    images = draw.integers(0, 100, (number, size, size, channels))
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 3, 2:6] += 120
    return {"images": images.astype(np.uint8), "labels": labels, "class_names": np.array(CLASS_NAMES)}


def write_npz(folder: Path, name: str = "fruit", **options: Any) -> Path:
    """The images as NAME.npz; `options` are those of `image_arrays`."""
    path = folder / f"{name}.npz"
    np.savez(path, **image_arrays(**options))
    return path


def tiny_image_config(data: Path | str, model: str = "vit", **changes: Any) -> ClassificationConfig:
    """A run of two epochs on it."""
    values = {"model_config": TINY_MODELS[model], "epochs": 2.0, "batch_size": 12, **changes}
    return ClassificationConfig(model=model, data=str(data), **values)


def write_image_run(folder: Path, data: Path, model: str = "vit", **changes: Any) -> Task:
    """A finished run with untrained weights in `folder`; returns its task as it was in training."""
    task = open_task(tiny_image_config(data, model, **changes))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "config.json", to_dict(task.config))
    task.write_data(folder)
    save_weights(task.new_model(), folder)
    state = RunState(
        run=folder.name, task=task.name, model=model, seed=task.config.seed, config_hash=config_hash(task.config),
        status="finished", evals={"val": {"accuracy": 0.5}, "test": {"accuracy": 0.25}},
    )  # fmt: skip
    write_state(folder, state)
    return task
