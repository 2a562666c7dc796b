"""The one exception that users see."""

import difflib
from collections.abc import Iterable


class FittingRoomError(ValueError):
    """Something the user can mend. The message names the value, where it stands, and the fix, on one line."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message: `did you mean 'vit'?`, or `known: cnn, vit` with all names when none is near."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
