"""The networks that come with the package, so that nothing must be trained before something is seen.

Of images one of each family (`vit`, `cnn`, `hybrid`), and `vit_cls`, the paper's ViT with its class token and its learned
positions; of words those that `fittingroom pronounce` asks.

`weights/NAME/` holds `config.json`, `state.json` (the record of the run that made it) and `model.safetensors` in half precision;
that of a network for words its `vocabularies.json` too, by which it is known.
"""

from pathlib import Path
from typing import Literal

from fittingroom.core.errors import FittingRoomError, did_you_mean

WEIGHTS = Path(__file__).parents[1] / "weights"
FAITHFULNESS = WEIGHTS / "faithfulness.json"
"""Of each network which ways of explaining it beat random maps, measured on 1,000 test images (results/explain/)."""
VOCABULARIES = "vocabularies.json"
Kind = Literal["images", "words"]
"""What a network reads."""


def shipped(kind: Kind = "images") -> list[str]:
    """The names of those that read things of that kind, in alphabetical order."""
    folders = [path.parent for path in WEIGHTS.glob("*/model.safetensors")]
    return sorted(folder.name for folder in folders if (folder / VOCABULARIES).exists() == (kind == "words"))


def find_run(run: str | Path, kind: Kind = "images") -> Path:
    """The folder of RUN, which is a name of shipped weights, such as `vit`, or a folder (`./vit`, where they clash).

    Raises FittingRoomError where there is neither; it names weights of that `kind`. A run of the other kind is found too:
    whoever loads it says what is wrong with it.
    """
    if str(run) in [*shipped("images"), *shipped("words")]:
        return WEIGHTS / str(run)
    folder = Path(run)
    if folder.is_dir():
        return folder
    names = shipped(kind)
    hint = f", or the name of shipped weights: {did_you_mean(str(run), names)}" if names else ""
    raise FittingRoomError(f"no run at '{run}': give the folder of a finished run{hint}")


def reads(folder: Path) -> Kind:
    """What the run in `folder` reads: only one that reads words has vocabularies."""
    return "words" if (folder / VOCABULARIES).exists() else "images"


def where_from(kind: Kind) -> str:
    """What can be given in place of a run that does not suit, in words."""
    names = shipped(kind)
    return "the folder of another run" + (f", or shipped weights ({', '.join(names)})" if names else "")


def is_shipped(folder: Path) -> bool:
    """Whether `folder` belongs to the package, where nothing may be written."""
    return folder.resolve().parent == WEIGHTS.resolve()
