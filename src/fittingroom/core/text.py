"""Show symbols of any script to people: invisible characters become visible, and control characters are escaped."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ISOLATE, END = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"
TURNING = ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI")
"""Characters that turn the direction of what follows, by the name of their bidirectional class."""
SPACE, CARRIER = "\N{OPEN BOX}", "\N{DOTTED CIRCLE}"


def shown(text: str) -> str:
    """`text` with unprintable characters (controls, lone surrogates) escaped, for example as `\\x1b`."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def legible(text: str, blank: str) -> str:
    """A name from a file, for sentences, pages and drawings: one line of characters that XML allows; `blank` if it has no ink.

    Joiners stay, as scripts and emoji need them. A name that runs from right to left is isolated: without that, the numbers
    after it change places with it.
    """
    clean = "".join(" " if each in "\n\r\t" else _in_ink(each) for each in text)
    if not any(unicodedata.category(each)[0] not in "ZC" for each in clean):
        return blank
    is_turned = any(unicodedata.bidirectional(each) in ("R", "AL", "AN") for each in clean)
    return f"{ISOLATE}{clean}{END}" if is_turned else clean


def _in_ink(character: str) -> str:
    is_bad = unicodedata.category(character) in ("Cc", "Cs") or ord(character) & 0xFFFE == 0xFFFE
    is_bad = is_bad or unicodedata.bidirectional(character) in TURNING
    return ascii(character)[1:-1] if is_bad else character


def clipped(text: str, head: int, tail: int = 0) -> str:
    """`text` with '…' in place of what is between its first `head` and its last `tail` characters. An isolated name stays so."""
    is_isolated = text.startswith(ISOLATE) and text.endswith(END)
    inner = text[1:-1] if is_isolated else text
    if len(inner) > head + tail + 1:
        inner = f"{inner[:head]}…{inner[len(inner) - tail :]}"
    return f"{ISOLATE}{inner}{END}" if is_isolated else inner


def file_name(text: str, most: int = 100) -> str:
    """`text` as a part of a file's name: at most `most` bytes, without characters that a file system may refuse.

    Changed names end in a digest of the original, so that two of them stay two.
    """
    clean = "".join("_" if each in '<>:"/\\|?*' or not each.isprintable() else each for each in text)
    if clean == text and len(text.encode()) <= most:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{clean.encode()[: most - 7].decode(errors='ignore')}-{digest}"


def distinct_names(paths: Sequence[str | Path]) -> list[str]:
    """The last part of each path, as `shown`; with folders before it, as many as tell it from another path that ends alike."""
    counts = Counter(end for path in {Path(path) for path in paths} for end in _ends(path))

    def name(path: Path) -> str:
        return shown(str(next((Path(*end) for end in _ends(path) if counts[end] == 1), path)))

    return [name(Path(path)) for path in paths]


def _ends(path: Path) -> list[tuple[str, ...]]:
    """The last part, the last two, and so on."""
    return [path.parts[-number:] for number in range(1, len(path.parts) + 1)]


def symbol(text: str) -> str:
    """One symbol as `shown`, but a space becomes an open box, and a combining mark is put on a dotted circle."""
    if text == " ":
        return SPACE
    return shown(CARRIER + text if text and unicodedata.category(text[0]) in ("Mn", "Me") else text)


def named(text: str) -> str:
    """A symbol as used in a sentence, followed by its code points: `é (U+00E9)`."""
    return f"{symbol(text)} ({' '.join(f'U+{ord(character):04X}' for character in text)})"


def epochs_text(epochs: float) -> str:
    """`1 epoch`, `0.5 epochs`, `20 epochs`."""
    return f"{epochs:g} epoch{'' if epochs == 1 else 's'}"


def sentence_case(text: str) -> str:
    """`text` with its first letter in upper case and the rest unchanged."""
    return text[:1].upper() + text[1:]
