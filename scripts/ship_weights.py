"""Make a finished run the network that the package ships under its model's name: `python scripts/ship_weights.py RUN`.

Floating-point weights are stored in half precision. That must cost less than a tenth of a point of validation accuracy; the
figure goes into the shipped record.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file, save

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json, write_atomic, write_json
from fittingroom.evaluation.score import score_run
from fittingroom.evaluation.shipped import WEIGHTS

LARGEST_LOSS = 0.001  # of validation accuracy, a fraction
LARGEST_FILE = 6_000_000  # bytes


def ship(run: Path) -> Path:
    """Write `weights/MODEL/`; returns it. FittingRoomError, and the old ones stay, where half precision costs too much."""
    config, state = read_json(run / "config.json"), read_json(run / "state.json")
    with TemporaryDirectory() as made:
        found = _halve(run, Path(made), config)
        if found < state["val_accuracy"] - LARGEST_LOSS:
            raise FittingRoomError(
                f"{run}: half precision takes {state['val_accuracy']:.4f} on validation to {found:.4f}"
            )
        write_json(Path(made) / "state.json", {**state, "half_precision_val_accuracy": found})
        return Path(shutil.copytree(made, WEIGHTS / config["model"], dirs_exist_ok=True))


def _halve(run: Path, folder: Path, config: dict[str, Any]) -> float:
    """The run's config and its weights in half precision; returns the validation accuracy of those."""
    weights = {
        name: tensor.half() if torch.is_floating_point(tensor) else tensor
        for name, tensor in load_file(run / "model.safetensors").items()
    }
    content = save(weights)
    if len(content) > LARGEST_FILE:
        raise FittingRoomError(f"{run}: {len(content):,} bytes of weights are more than {LARGEST_FILE:,}")
    write_atomic(folder / "model.safetensors", lambda file: file.write(content))
    write_json(folder / "config.json", config)
    write_json(folder / "state.json", {})
    return score_run(folder, "val")["val_accuracy"]


if __name__ == "__main__":
    try:
        for run in sys.argv[1:]:
            print(ship(Path(run)))
    except FittingRoomError as error:
        sys.exit(str(error))
