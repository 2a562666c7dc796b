"""Make a finished run the network that the package ships under its model's name: `python lab/ship_weights.py RUN`.

Floating-point weights are stored in half precision. That must cost less than a tenth of a point of what is right on validation,
images or words; the figure goes into the shipped record.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save

from fittingroom.api.runs import evaluate_run
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_state, write_state
from fittingroom.core.rundir import write_atomic
from fittingroom.core.upgrade import HALF_PRECISION
from fittingroom.evaluation.shipped import VOCABULARIES, WEIGHTS
from fittingroom.tasks.base import DATA_FILE
from fittingroom.tasks.load import load_run

LARGEST_LOSS = 0.001  # a fraction
LARGEST_FILE = 6_000_000  # bytes


def ship(folder: Path) -> Path:
    """Write `weights/MODEL/`; returns it. FittingRoomError, and the old ones stay, where half precision costs too much."""
    run = load_run(folder)
    metric = run.task.scoring.metrics[0]
    with TemporaryDirectory() as made:
        before = run.state.evals["val"][metric.name]
        after = _halve(folder, Path(made))[metric.name]
        if metric.sign * (before - after) > LARGEST_LOSS:
            raise FittingRoomError(f"{folder}: half precision takes {metric.title} from {before:.4f} to {after:.4f}")
        extras = {**run.state.extras, f"{HALF_PRECISION}{metric.column}": after}
        write_state(Path(made), replace(run.state, extras=extras))
        return _put_in_place(Path(made), WEIGHTS / run.config.model)


def _put_in_place(made: Path, target: Path) -> Path:
    """All files at once: new weights beside an old config would load without a complaint."""
    staged = Path(shutil.copytree(made, target.with_name(f".{target.name}.new"), dirs_exist_ok=True))
    if target.exists():
        shutil.rmtree(target)
    return staged.rename(target)


def _halve(run: Path, folder: Path) -> dict[str, float]:
    """The run's description and its weights in half precision; returns the validation scores of those."""
    weights = {
        name: tensor.half() if torch.is_floating_point(tensor) else tensor
        for name, tensor in load_file(run / "model.safetensors").items()
    }
    content = save(weights)
    if len(content) > LARGEST_FILE:
        raise FittingRoomError(f"{run}: {len(content):,} bytes of weights are more than {LARGEST_FILE:,}")
    write_atomic(folder / "model.safetensors", lambda file: file.write(content))
    for name in ("config.json", DATA_FILE, VOCABULARIES):
        if (run / name).exists():
            shutil.copyfile(run / name, folder / name)
    write_state(folder, read_state(run))
    return evaluate_run(load_run(folder), "val")[0]


if __name__ == "__main__":
    try:
        for run in sys.argv[1:]:
            print(ship(Path(run)))
    except FittingRoomError as error:
        sys.exit(str(error))
