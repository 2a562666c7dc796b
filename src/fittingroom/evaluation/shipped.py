"""The trained networks that ship with the package. Users can try them before they train anything.

`weights/NAME/` is a run folder with `config.json`, `data.json`, `state.json` (the record of the run) and `model.safetensors` in
half precision. Sequence models also have `vocabularies.json`. `vit_cls` is the paper's ViT, with a class token and learned
positions.
"""

from functools import cache
from pathlib import Path

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.core.rundir import read_json
from fittingroom.core.upgrade import upgrade_config

WEIGHTS = Path(__file__).parents[1] / "weights"
FAITHFULNESS = WEIGHTS / "faithfulness.json"
"""For each network, the explanation methods that beat random maps on 1,000 test images (results/explain/)."""
VOCABULARIES = "vocabularies.json"


def shipped(task: str | None = None) -> list[str]:
    """Names of the shipped weights in alphabetical order, for all tasks or for one."""
    folders = sorted(path.parent for path in WEIGHTS.glob("*/model.safetensors"))
    return [folder.name for folder in folders if task in (None, task_of(folder))]


@cache
def task_of(folder: Path) -> str:
    """The task of the run in `folder`, from its config.json."""
    return str(upgrade_config(read_json(folder / "config.json")).get("task", ""))


def find_run(run: str | Path, task: str | None = None) -> Path:
    """The folder of `run`, which is the name of shipped weights, such as `vit`, or a path. `./vit` always means a path.

    Raises FittingRoomError if neither exists, and suggests weights of `task`. The function also returns runs of other tasks:
    the code that loads the run checks its task.
    """
    if str(run) in shipped():
        return WEIGHTS / str(run)
    folder = Path(run)
    if folder.is_dir():
        _refuse_comparison(folder)
        return folder
    names = shipped(task)
    hint = f", or the name of an included network: {did_you_mean(str(run), names)}" if names else ""
    raise FittingRoomError(f"no run at '{run}': give the folder of a finished run{hint}")


def _refuse_comparison(folder: Path) -> None:
    """Raise FittingRoomError if the folder holds a comparison, and name one of its runs."""
    if (folder / "config.json").exists() or not (folder / "comparison.json").exists():
        return
    runs = sorted(path.parent for path in folder.glob("runs/*/config.json"))
    raise FittingRoomError(f"{folder} is a comparison: give one of its runs{f', such as {runs[0]}' if runs else ''}")


def is_shipped(folder: Path) -> bool:
    """Whether `folder` is part of the package and therefore read-only."""
    return folder.resolve().parent == WEIGHTS.resolve()
