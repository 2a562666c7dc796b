"""Symbols of any script, shown to people: what cannot be seen is written so that it can, and nothing moves a cursor."""

import unicodedata

SPACE, CARRIER = "\N{OPEN BOX}", "\N{DOTTED CIRCLE}"


def shown(text: str) -> str:
    """`text` with what cannot be printed (control characters, halves of pairs) as its escape, such as `\\x1b`."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def symbol(text: str) -> str:
    """One symbol by itself: as `shown`, a space as an open box, a mark that stands on a letter on a dotted circle."""
    if text == " ":
        return SPACE
    return shown(CARRIER + text if text and unicodedata.category(text[0]) in ("Mn", "Me") else text)


def named(text: str) -> str:
    """A symbol for a sentence: itself and its code points, such as `é (U+00E9)`."""
    return f"{symbol(text)} ({' '.join(f'U+{ord(character):04X}' for character in text)})"


def sentence_case(text: str) -> str:
    """The first letter in upper case, the rest as it is."""
    return text[:1].upper() + text[1:]
