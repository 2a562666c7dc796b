"""`list_models` and `create_model`."""

from pathlib import Path
from typing import Any

from torch import nn

from fittingroom.api.data import Data, load_data
from fittingroom.api.runs import configure
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import check_seed, seeded
from fittingroom.core.torch_settings import usual_torch
from fittingroom.models import build_model
from fittingroom.tasks.base import TASKS
from fittingroom.tasks.load import all_models, open_task, task_of_model
from fittingroom.tasks.modes import split_mode


def list_models(task: str | None = None) -> list[str]:
    """The names of all models, or of one task's: `classification` or `seq2seq`. Raises FittingRoomError for an unknown task."""
    if task is not None:
        return TASKS.get(task).config_class.registry.names()
    return all_models()


@usual_torch()
def create_model(name: str, data: Data | str | Path | None = None, *, seed: int = 0, **settings: Any) -> nn.Module:
    """Create a network with initial weights drawn from `seed`, as a plain `nn.Module`.

    `data` decides image size, channels and classes; the default is the sizes of Fashion-MNIST. Change model settings by name:
    `create_model("vit", data, patch_size=7)`. Raises FittingRoomError for unknown names and for sizes that do not match.
    """
    check_seed(seed)
    if data is not None:
        source = load_data(data)
        return open_task(configure(name, source, epochs=1, seed=seed, settings=settings), source.data_dir).new_model()
    registry = task_of_model(name).config_class.registry
    if split_mode(name)[1] != "scratch":
        raise FittingRoomError(f"{name}: give the data that its new head is for: create_model({name!r}, data)")
    with seeded(seed, "init"):
        return build_model(name, settings, registry)
