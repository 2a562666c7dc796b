"""Show symbols of any script to people: invisible characters become visible, and control characters are escaped."""

import unicodedata

SPACE, CARRIER = "\N{OPEN BOX}", "\N{DOTTED CIRCLE}"


def shown(text: str) -> str:
    """`text` with unprintable characters (controls, lone surrogates) escaped, for example as `\\x1b`."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def symbol(text: str) -> str:
    """One symbol as `shown`, but a space becomes an open box, and a combining mark is put on a dotted circle."""
    if text == " ":
        return SPACE
    return shown(CARRIER + text if text and unicodedata.category(text[0]) in ("Mn", "Me") else text)


def named(text: str) -> str:
    """A symbol as used in a sentence, followed by its code points: `é (U+00E9)`."""
    return f"{symbol(text)} ({' '.join(f'U+{ord(character):04X}' for character in text)})"


def sentence_case(text: str) -> str:
    """`text` with its first letter in upper case and the rest unchanged."""
    return text[:1].upper() + text[1:]
