"""The networks that come with the package, so that something can be seen before anything is trained.

`weights/NAME/` is a run folder: `config.json`, `data.json`, `state.json` (the record of the run) and `model.safetensors` in half
precision; for sequence models `vocabularies.json` too. `vit_cls` is the paper's ViT, with class token and learned positions.
"""

from functools import cache
from pathlib import Path

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.core.rundir import read_json
from fittingroom.core.upgrade import upgrade_config

WEIGHTS = Path(__file__).parents[1] / "weights"
FAITHFULNESS = WEIGHTS / "faithfulness.json"
"""For each network: which ways of explaining it beat random maps, measured on 1,000 test images (results/explain/)."""
VOCABULARIES = "vocabularies.json"


def shipped(task: str | None = None) -> list[str]:
    """Names of the shipped weights, of all tasks or of one, in alphabetical order."""
    folders = sorted(path.parent for path in WEIGHTS.glob("*/model.safetensors"))
    return [folder.name for folder in folders if task in (None, task_of(folder))]


@cache
def task_of(folder: Path) -> str:
    """The task of the run in `folder`, from its config.json."""
    return str(upgrade_config(read_json(folder / "config.json")).get("task", ""))


def find_run(run: str | Path, task: str | None = None) -> Path:
    """The folder of RUN, which is a name of shipped weights, such as `vit`, or a folder (`./vit`, where they clash).

    Raises FittingRoomError where there is neither; it names weights of that `task`. A run of another task is found too:
    whoever loads it says what is wrong with it.
    """
    if str(run) in shipped():
        return WEIGHTS / str(run)
    folder = Path(run)
    if folder.is_dir():
        return folder
    names = shipped(task)
    hint = f", or the name of shipped weights: {did_you_mean(str(run), names)}" if names else ""
    raise FittingRoomError(f"no run at '{run}': give the folder of a finished run{hint}")


def is_shipped(folder: Path) -> bool:
    """Whether `folder` belongs to the package, where nothing may be written."""
    return folder.resolve().parent == WEIGHTS.resolve()
