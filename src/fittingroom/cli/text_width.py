"""Measure and pad text in terminal cells, and escape characters that standard output cannot encode."""

import sys
import unicodedata


def text_width(text: str) -> int:
    """Terminal cells of `text`: two for a wide character (Chinese, Japanese, Korean), none for a combining mark."""
    return sum(_width(character) for character in text)


def padded(text: str, width: int) -> str:
    """`text` padded with spaces to `width` cells; wider text stays unchanged."""
    return text + " " * (width - text_width(text))


def for_terminal(text: str) -> str:
    """`text` with escapes for characters that standard output cannot encode."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
