"""Draw an alignment in the terminal: one row per phoneme, one column per letter; darker means more attention. Uses no colour."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from fittingroom.cli.text_width import for_terminal, padded, text_width
from fittingroom.core.text import symbol
from fittingroom.explain.findings import END, Alignment

BLOCKS, ASCII = " ░▒▓█", " .:+#"
"""Shades from zero to the highest weight, each a fifth of it."""
LEAST_CELL = 4
"""Fewest columns per letter, including the gap after it."""


def alignment_lines(found: Alignment, width: int) -> list[str]:
    """The map as lines of at most `width` cells. Letters that do not fit continue below. The last line is the key."""
    shades = BLOCKS if for_terminal(BLOCKS) == BLOCKS else ASCII
    letters, phonemes = (
        ["end" if each == END else symbol(each) for each in side] for side in (found.letters, found.phonemes)
    )
    weights, margin = found.mean, max(map(text_width, phonemes)) + 2
    cell = max(LEAST_CELL, max(map(text_width, letters)) + 1)
    across = max(1, (width - margin) // cell)
    lines: list[str] = []
    for first in range(0, len(letters), across):
        part = slice(first, first + across)
        lines.append(" " * margin + "".join(padded(letter, cell) for letter in letters[part]))
        for phoneme, row in zip(phonemes, _levels(weights)[:, part], strict=True):
            lines.append(padded(phoneme, margin) + "".join(shades[level] * (cell - 1) + " " for level in row))
    return [*(line.rstrip() for line in lines), f"{_key(shades, float(weights.max()))}: {found.which}"]


def _levels(weights: Float[np.ndarray, "phonemes letters"]) -> np.ndarray:
    steps = len(BLOCKS)
    return np.minimum((weights / weights.max() * steps).astype(int), steps - 1)


def _key(shades: str, high: float) -> str:
    def parts() -> Iterator[str]:
        for level, shade in enumerate(shades[1:], start=1):
            yield f"{shade} {100 * high * level / len(shades):.0f} %"

    return f"attention from {', '.join(parts())} (highest {100 * high:.0f} %)"
