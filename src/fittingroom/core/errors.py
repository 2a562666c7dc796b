"""The one exception that users see."""

import difflib
from collections.abc import Iterable


class FittingRoomError(ValueError):
    """Something the user can mend. The message names the value, where it stands, and the fix, on one line."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: `did you mean 'vit'?`, or `known: cnn, vit` with all names when none is near."""
    known = list(known)
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else f"known: {', '.join(known)}"


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known name most like `word`; None where none is as much as `alike` (1 is the same)."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=alike)), None)
