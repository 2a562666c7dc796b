"""The exception for errors that users can fix, and suggestions for mistyped names."""

import difflib
from collections.abc import Iterable


class FittingRoomError(ValueError):
    """An error that the user can fix. Its one-line message gives the bad value, its location and the fix."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error message: `did you mean 'vit'?`, or `known: cnn, vit` when no name is similar."""
    known = list(known)
    near = nearest(word, known)
    return f"did you mean '{near}'?" if near else f"known: {', '.join(known)}"


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The known name most similar to `word`. None if no similarity reaches `alike` (0 to 1; 1 means equal)."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=alike)), None)
