"""Which letters a sequence model attends to for each symbol it writes: all layers and heads of its cross-attention."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from fittingroom.core.text import named, symbol
from fittingroom.explain.findings import END, Alignment
from fittingroom.report.inspection import style
from fittingroom.report.inspection.style import LINE, MARGIN, WIDTH, Picture
from fittingroom.report.palette import LIGHT

GAP = 0.12
ROW = 0.19
"""Inches: between maps, and the height of a symbol's row."""
NARROWEST, WIDEST = 0.112, 0.34
"""Inches of a letter's column: narrower, letters touch; wider, nothing is gained."""
LONGEST = 1.5
"""Inches of a symbol: a target that is not segmented may be a whole sentence, and would leave no space for the map."""
END_MARK = "\N{END OF PROOF}"
"""Drawn for the end mark, because it is as narrow as a letter."""
NOTE = (
    "Each row shows the attention to the letters while the symbol on its left was written; ∎ is the end. A row sums to 1. It "
    "shows where information is gathered, not what decides the answer."
)


def alignment(found: Alignment, model: str) -> Picture:
    """One picture on one scale: layers from top to bottom, as many heads side by side as leave the letters legible."""
    layers, heads = found.weights.shape[:2]
    letters, phonemes = ([_label(each) for each in side] for side in (found.letters, found.phonemes))
    margin = MARGIN + 0.08 + max(map(style.text_width, phonemes))
    space = WIDTH - MARGIN - margin
    across = max(1, min(heads, int((space + GAP) / (len(letters) * NARROWEST + GAP))))
    rows = -(-heads // across)
    across = -(-heads // rows)  # the same number of lines, evenly filled
    wide = min((space + GAP) / across - GAP, WIDEST * len(letters))
    high, top = ROW * len(phonemes), MARGIN + 1.6 * LINE
    step = 2 * LINE + high + GAP
    end, notes = top + layers * rows * step + 0.05, [NOTE, *_not_drawn(found)]
    with style.drawing():
        figure = style.sheet(end + style.COLOUR_BAR + style.height_of(notes) + MARGIN)
        style.write(figure, MARGIN, MARGIN, _title(found, model), weight="bold", fontsize=style.SIZE)
        scale, shown = Normalize(0.0, float(found.weights.max())), None
        for layer, head in np.ndindex(layers, heads):
            row, column = divmod(head, across)
            left, begin = margin + column * (wide + GAP), top + (layer * rows + row) * step
            style.write(figure, left, begin, _heading(layer, layers, head, heads))
            axes = style.place(figure, left, begin + LINE, wide, high)
            shown = style.show_heat(axes, found.weights[layer, head], scale)
            _letter_ticks(axes, letters, wide)
            _phoneme_ticks(axes, phonemes if column == 0 else [])
        assert shown is not None
        style.colour_bar(figure, shown, end, "share of a symbol's attention")
        style.sentences(figure, end + style.COLOUR_BAR, notes)
    return figure


def _heading(layer: int, layers: int, head: int, heads: int) -> str:
    parts = ([f"layer {layer + 1}"] if layers > 1 else []) + ([f"head {head + 1}"] if heads > 1 else [])
    return ", ".join(parts) or "its only attention"


def _letter_ticks(axes: Axes, letters: list[str], wide: float) -> None:
    """The letters below the map: every second or third one if the map is too narrow for all."""
    axes.set_aspect("auto")
    every = max(1, -(-int(1000 * NARROWEST * len(letters)) // int(1000 * wide)))
    places = range(0, len(letters), every)
    axes.set_xticks(list(places), [letters[place] for place in places])
    axes.tick_params(axis="x", length=0, pad=2, labelsize=style.SMALL)


def _phoneme_ticks(axes: Axes, phonemes: list[str]) -> None:
    axes.set_yticks(range(len(phonemes)), phonemes)
    axes.tick_params(axis="y", length=0, pad=3, labelsize=style.SMALL, labelcolor=LIGHT["ink"])


def _title(found: Alignment, model: str) -> str:
    """Model, word and answer, cut to the width of the picture."""
    written = " ".join(symbol(each) for each in found.phonemes if each != END)
    return style.shortened(
        f"{model}: {found.word}  →  {written}", (WIDTH - 2 * MARGIN) / 1.25
    )  # it is bold, and larger


def _label(each: str) -> str:
    return END_MARK if each == END else style.shortened(symbol(each), LONGEST)


def _not_drawn(found: Alignment) -> list[str]:
    """A sentence about symbols that the font of the pictures lacks, if there are any."""
    symbols = [each for each in (*found.letters, *found.phonemes) if each != END]
    lacking = list(dict.fromkeys(each for each in symbols if style.BOX in _label(each)))
    if not lacking:
        return []
    codes = ", ".join(named(each).rsplit(" (", 1)[1].rstrip(")") for each in lacking[:8])
    return [f"{style.BOX}: symbols that the font of this picture lacks, {codes}{', ...' if len(lacking) > 8 else ''}."]
