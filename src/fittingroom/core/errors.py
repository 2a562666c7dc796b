"""The exception for errors that users can fix, and suggestions for mistyped names."""

import difflib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fittingroom.core.text import shown

MOST_LETTERS, END = 1000, 300
"""The longest message, and how much of its end, where the fix is, remains of a longer one."""


class FittingRoomError(ValueError):
    """An error that the user can fix. Its one-line message gives the bad value, its location and the fix.

    Values from damaged files may hold anything, so that line breaks become spaces, unprintable characters are escaped, and the
    middle of a very long message is left out.
    """

    def __init__(self, message: str) -> None:
        line = shown(" ".join(part.strip() for part in message.splitlines()))
        if len(line) > MOST_LETTERS:
            line = f"{line[: MOST_LETTERS - END - 3]} … {line[-END:]}"
        super().__init__(line)


@contextmanager
def found_in(path: Path | str) -> Iterator[None]:
    """Put the path before the message of a FittingRoomError: the fault is in this file or data set.

    A message that names it, or another file in its folder, stays as it is.
    """
    try:
        yield
    except FittingRoomError as error:
        if any(shown(name) in str(error) for name in (str(path), f"{Path(path).parent}{os.sep}")):
            raise
        raise FittingRoomError(f"{path}: {error}") from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message: `did you mean 'vit'?`, or `known: cnn, vit` when no name is similar."""
    known = list(known)
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else f"known: {', '.join(known)}"


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known name most similar to `word`. None if no similarity reaches `alike` (0 to 1; 1 means equal)."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=alike)), None)
