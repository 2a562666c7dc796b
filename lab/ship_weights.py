"""Make a finished run the network that the package ships under its model's name: `python lab/ship_weights.py RUN`.

Floating-point weights are stored in half precision. That must cost less than a tenth of a point of what is right on validation,
images or words; the figure goes into the shipped record.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from fittingroom.evaluation.score import score_run
from fittingroom.evaluation.score_pairs import score_pair_run
from safetensors.torch import load_file, save

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json, write_atomic, write_json
from fittingroom.evaluation.shipped import VOCABULARIES, WEIGHTS, reads

LARGEST_LOSS = 0.001  # a fraction
LARGEST_FILE = 6_000_000  # bytes


def ship(run: Path) -> Path:
    """Write `weights/MODEL/`; returns it. FittingRoomError, and the old ones stay, where half precision costs too much."""
    config, state = read_json(run / "config.json"), read_json(run / "state.json")
    with TemporaryDirectory() as made:
        name, sign = ("val_word_error_rate", -1) if reads(run) == "words" else ("val_accuracy", 1)
        found = _halve(run, Path(made), config)[name]
        if sign * (state[name] - found) > LARGEST_LOSS:
            raise FittingRoomError(f"{run}: half precision takes {name} from {state[name]:.4f} to {found:.4f}")
        write_json(Path(made) / "state.json", {**state, f"half_precision_{name}": found})
        return _put_in_place(Path(made), WEIGHTS / config["model"])


def _put_in_place(made: Path, target: Path) -> Path:
    """All files at once: new weights beside an old config would load without a complaint."""
    staged = Path(shutil.copytree(made, target.with_name(f".{target.name}.new"), dirs_exist_ok=True))
    if target.exists():
        shutil.rmtree(target)
    return staged.rename(target)


def _halve(run: Path, folder: Path, config: dict[str, Any]) -> dict[str, Any]:
    """The run's config and its weights in half precision; returns the validation scores of those."""
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
    if reads(run) == "words":
        shutil.copyfile(run / VOCABULARIES, folder / VOCABULARIES)
        return score_pair_run(folder, "val")
    return score_run(folder, "val")


if __name__ == "__main__":
    try:
        for run in sys.argv[1:]:
            print(ship(Path(run)))
    except FittingRoomError as error:
        sys.exit(str(error))
