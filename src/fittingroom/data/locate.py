"""Find the files of a run again, by their digest: they may have been moved, or the command may start in another folder."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from fittingroom.core.errors import FittingRoomError

Files = tuple[str, ...]


def find_again(
    given: Files, recorded: Files, digest: str, folder: Path, digest_of: Callable[[Files], str], option: str
) -> Files:
    """The files that have this digest.

    They are sought as `given`, where they were when the run began (`recorded`), and below the folders that hold the run:
    so a project that was moved as a whole, or copied to another machine, is found. Raises FittingRoomError if none is right;
    `option` names the way to point to the files.
    """
    wrong = None
    for files in _places(given, recorded, folder):
        if all(os.path.exists(file) for file in files):
            if digest_of(files) == digest:
                return files
            wrong = wrong or files
    if wrong is None:
        missing = next((file for file in given if not os.path.exists(file)), given[0])
        raise FittingRoomError(
            f"{missing}, the data of {folder}, is missing: put it back, or use {option} to say where it is"
        )
    raise FittingRoomError(
        f"{wrong[0]} has changed since {folder} was trained: put the old data back, use {option} to say where it is, or train "
        "again"
    )


def _places(given: Files, recorded: Files, folder: Path) -> Sequence[Files]:
    above = folder.resolve().parents
    relative = [tuple(str(place / file) for file in given) for place in above]
    beside = [tuple(str(place / Path(file).name) for file in given) for place in above]
    every = [given, *([recorded] if recorded else []), *relative, *beside]
    return list({tuple(map(os.path.abspath, files)): files for files in reversed(every)}.values())[::-1]
