"""What a user wants explained, and how two questions are told apart."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import Tensor

from fittingroom.core.errors import FittingRoomError, did_you_mean, nearest
from fittingroom.explain.catalogue import METHODS

Kind = Literal["examples", "index", "image", "given", "mistakes", "disagreements"]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a user wants to see."""

    runs: tuple[str, ...]
    """Run folders or names of weights that come with the package. Empty: one of each family."""
    kind: Kind = "examples"
    """examples: the first image of each class (of at most 20); mistakes: the most confident ones; disagreements: where networks
    are confident of different classes."""
    number: int = 0
    """The index, or how many mistakes or disagreements."""
    files: tuple[Path, ...] = ()
    """Image files, for kind 'image'."""
    given: Tensor | None = None
    """uint8 images [N, channels, height, width], for kind 'given'."""
    given_names: tuple[str, ...] = ()
    """A name for each of them."""
    given_notes: tuple[str, ...] = ()
    """What a reader should know about them."""
    method: str | None = None
    target: str | int | None = None
    """The class to explain, by name or number; None: in each image the one that the network predicts."""
    split: Literal["val", "test"] = "val"
    faithfulness: int = 0
    """Number of images on which to measure whether the maps mean something; 0: do not measure."""
    data_dir: Path | None = None
    data: str | None = None
    """Where the data of the runs is now, if it was moved."""

    def asked(self, folders: Sequence[Path], target: int | None) -> dict[str, Any]:
        """The question as JSON, with the folders of its networks and the number of the target."""
        given = None if self.given is None else hashlib.sha256(self.given.numpy().tobytes()).hexdigest()
        return {
            "runs": [str(folder.resolve()) for folder in folders],
            "kind": self.kind,
            "number": self.number,
            "files": [str(path.resolve()) for path in self.files],
            "given": given,
            "method": self.method,
            "target": target,
            "split": self.split,
            "faithfulness": self.faithfulness,
        }


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question whose networks are found, before they look at an image."""

    names: tuple[str, ...]
    """Of the networks, as in their pictures."""
    target: str | None
    """The name of the class to explain, if the user chose one."""
    question: dict[str, Any]
    """As in explain.json."""


def class_number(target: str | int, class_names: Sequence[str]) -> int:
    """The number of a class that a user named. A name goes before a number, for classes whose names are numbers."""
    text = str(target)
    same = [place for place, name in enumerate(class_names) if name.casefold() == text.casefold()]
    exact = [place for place in same if class_names[place] == text]
    if isinstance(target, str) and (exact or len(same) == 1):
        return (exact or same)[0]
    if text.isdecimal() and int(text) < len(class_names):
        return int(text)
    near = nearest(text.casefold(), [name.casefold() for name in class_names])
    hint = did_you_mean(next(name for name in class_names if name.casefold() == near), class_names) if near else ""
    known = ", ".join(class_names[:20]) + (", ..." if len(class_names) > 20 else "")
    raise FittingRoomError(
        f"unknown class '{text}': {hint or f'give one of {known}, or its number, 0 to {len(class_names) - 1}'}"
    )


def check_target(method: str | None) -> None:
    """Raise FittingRoomError for a method whose maps are the same for every class."""
    if method is not None and not METHODS[method].of_a_class:
        known = ", ".join(each.name for each in METHODS.values() if each.of_a_class)
        raise FittingRoomError(f"the maps of '{method}' are the same for every class: with a target, choose {known}")
