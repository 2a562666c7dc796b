"""Include the network of a finished run in the package, under its model's name: `python lab/ship_weights.py RUN`.

Floating-point weights are stored in half precision. This must change the task's first validation score by less than a tenth of
a percentage point; the record that is included contains the exact change.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file, save

from fittingroom.api.runs import evaluate_run
from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import write_state
from fittingroom.core.rundir import write_atomic, write_json
from fittingroom.core.upgrade import HALF_PRECISION
from fittingroom.evaluation.shipped import WEIGHTS
from fittingroom.evaluation.weights import FILE
from fittingroom.tasks.load import SavedRun, load_run

LARGEST_LOSS = 0.001  # a fraction
LARGEST_FILE = 6_000_000  # bytes


def ship(run: Path, weights: Path = WEIGHTS) -> Path:
    """Write `weights/MODEL/` and return its path.

    Raises FittingRoomError, and keeps the old weights, if half precision changes the score too much.
    """
    saved = load_run(run.absolute())
    metric, state = saved.task.scoring.metrics[0], saved.state
    before = state.evals["val"][metric.name]
    with TemporaryDirectory() as made:
        _halve(saved, Path(made))
        write_state(Path(made), state)
        after = evaluate_run(load_run(made), "val")[0][metric.name]
        if (before - after if metric.higher_is_better else after - before) > LARGEST_LOSS:
            raise FittingRoomError(f"{run}: half precision takes val {metric.title} from {before:.4f} to {after:.4f}")
        extras = {**state.extras, f"{HALF_PRECISION}val_{metric.name}": after}
        write_state(Path(made), replace(state, extras=extras))
        return _put_in_place(Path(made), weights / saved.config.model)


def _put_in_place(made: Path, target: Path) -> Path:
    """Replace all files together: new weights with an old config could load without an error."""
    staged = Path(shutil.copytree(made, target.with_name(f".{target.name}.new"), dirs_exist_ok=True))
    if target.exists():
        shutil.rmtree(target)
    return staged.rename(target)


def _halve(saved: SavedRun, folder: Path) -> None:
    """The run's config, its description of the data, and its weights in half precision."""
    weights = {
        name: tensor.half() if torch.is_floating_point(tensor) else tensor
        for name, tensor in load_file(saved.folder / FILE).items()
    }
    content = save(weights)
    if len(content) > LARGEST_FILE:
        raise FittingRoomError(f"{saved.folder}: {len(content):,} bytes of weights are more than {LARGEST_FILE:,}")
    write_atomic(folder / FILE, lambda file: file.write(content))
    write_json(folder / "config.json", to_dict(saved.config))
    saved.task.write_data(folder)
    saved.task.write_extra_files(folder)


if __name__ == "__main__":
    try:
        for run in sys.argv[1:]:
            print(ship(Path(run)))
    except FittingRoomError as error:
        sys.exit(str(error))
