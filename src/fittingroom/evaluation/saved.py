"""A finished run's network, from its folder: neither Lightning nor pickle is needed."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.evaluation.predict import PredictFn
from fittingroom.models import build_model


def load_run(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """The network in evaluation mode, and the run's config. Raises FittingRoomError naming the file that is not right."""
    config = read_json(folder / "config.json")
    weights = folder / "model.safetensors"
    if not weights.exists():
        raise FittingRoomError(f"{weights} is missing: the run is not finished; run its command again with --resume")
    model = build_model(config["model"], config["model_config"])
    try:
        model.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError, OSError) as error:
        first = str(error).splitlines()[0]
        raise FittingRoomError(f"{weights} does not fit its config.json ({first}): train the run again") from error
    return model.eval(), config


def logits_fn(model: nn.Module) -> PredictFn:
    """`model` as a predict function in the memory layout that suits it."""
    convolutional = any(isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) for module in model.modules())
    layout = torch.channels_last if convolutional else torch.contiguous_format
    model = model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
    return lambda images: model(images.contiguous(memory_format=layout))
