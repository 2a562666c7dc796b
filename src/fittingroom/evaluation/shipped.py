"""The networks that come with the package, so that nothing must be trained before something is seen.

One of each family (`vit`, `cnn`, `hybrid`), and `vit_cls`, the paper's ViT with its class token and its learned positions.

`weights/NAME/` holds `config.json`, `state.json` (the record of the run that made it) and `model.safetensors` in half precision.
"""

from pathlib import Path

from fittingroom.core.errors import FittingRoomError, did_you_mean

WEIGHTS = Path(__file__).parents[1] / "weights"
FAITHFULNESS = WEIGHTS / "faithfulness.json"
"""Of each network which ways of explaining it beat random maps, measured on 1,000 test images (results/explain/)."""


def shipped() -> list[str]:
    """Their names, in alphabetical order."""
    return sorted(path.parent.name for path in WEIGHTS.glob("*/model.safetensors"))


def find_run(run: str | Path) -> Path:
    """The folder of RUN, which is a name of shipped weights, such as `vit`, or a folder (`./vit`, where they clash).

    Raises FittingRoomError where there is neither.
    """
    if str(run) in shipped():
        return WEIGHTS / str(run)
    folder = Path(run)
    if folder.is_dir():
        return folder
    hint = did_you_mean(str(run), shipped())
    raise FittingRoomError(
        f"no run at '{run}': give the folder of a finished run, or the name of shipped weights: {hint}"
    )


def is_shipped(folder: Path) -> bool:
    """Whether `folder` belongs to the package, where nothing may be written."""
    return folder.parent == WEIGHTS
