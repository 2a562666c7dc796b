"""The weights of a finished run: a safetensors file. Loading needs neither Lightning nor pickle."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_atomic

FILE = "model.safetensors"


def save_weights(model: nn.Module, folder: Path) -> None:
    """Write the model's weights into the run folder, atomically."""
    weights = {name: tensor.contiguous().cpu() for name, tensor in model.state_dict().items()}
    write_atomic(folder / FILE, lambda file: file.write(save(weights)))


def load_weights(model: nn.Module, folder: Path) -> None:
    """Load a run's weights, which may be stored in half precision, into `model`. Raises FittingRoomError naming the file."""
    path = folder / FILE
    if not path.exists():
        raise FittingRoomError(f"{path} is missing: the run is not finished; run its command again with --resume")
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as error:
        first = str(error).splitlines()[0]
        raise FittingRoomError(f"{path} does not fit its config.json ({first}): train the run again") from error


def suits_channels_last(model: nn.Module) -> bool:
    """Whether the model has 3x3 convolutions, which are faster with channels last in memory."""
    return any(isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3) for module in model.modules())


def in_layout(model: nn.Module, channels_last: bool) -> nn.Module:
    """The model with its filters in that memory layout."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return model.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
