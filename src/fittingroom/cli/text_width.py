"""How wide text of any script is in a terminal, and what standard output can encode of it."""

import sys
import unicodedata


def text_width(text: str) -> int:
    """Cells that `text` takes: two for a wide character (Chinese, Japanese, Korean), none for a mark on another."""
    return sum(_width(character) for character in text)


def padded(text: str, width: int) -> str:
    """`text` with spaces behind it: `width` cells, or more where it is wider."""
    return text + " " * (width - text_width(text))


def for_terminal(text: str) -> str:
    """`text` with escapes in place of what standard output cannot encode."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
