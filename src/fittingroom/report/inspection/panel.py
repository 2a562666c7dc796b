"""The same image through several networks, each map on one colour scale, the answer under it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from fittingroom.core.errors import FittingRoomError
from fittingroom.report import numbers
from fittingroom.report.inspection import style
from fittingroom.report.inspection.style import LINE, MARGIN, WIDTH, Picture
from fittingroom.report.palette import LIGHT

GAP = 0.08
HEADER = 0.44
UNDER = 2 * LINE + 0.1
"""Inches: between cells, of a column's head, of the two lines under a cell."""
COLUMNS = 6


@dataclass(frozen=True, kw_only=True)
class Column:
    """One network's maps and answers to the N images."""

    title: str
    """The network, such as 'vit'."""
    method: str
    """What its maps are, such as 'Relevance'."""
    caption: str
    """One sentence about them."""
    maps: Float[np.ndarray, "images height width"]
    predicted: Sequence[str]
    """The answer to each image."""
    probs: Float[np.ndarray, " images"]
    """The probability of that answer."""
    right: Sequence[bool | None]
    """Whether the answer is right; None where nobody knows."""


def panel(
    images: UInt8[np.ndarray, "images height width ..."], truths: Sequence[str], columns: Sequence[Column]
) -> Picture:
    """One picture: each image, then each network's map of it with the network's answer and its probability.

    Maps are divided by their own mean, so that one scale serves all methods: 1 is an average pixel. `truths` stand under the
    images. Raises FittingRoomError where there is nothing to draw, or more networks than fit side by side.
    """
    if not len(images) or not columns:
        raise FittingRoomError("a panel needs an image and a network: give at least one of each")
    if len(columns) >= COLUMNS:
        raise FittingRoomError(f"{len(columns)} networks do not fit side by side: give at most {COLUMNS - 1}")
    blocks = min(COLUMNS // (1 + len(columns)), len(images))
    across = max(blocks * (1 + len(columns)), 3)
    cell = (WIDTH - 2 * MARGIN - (across - 1) * GAP) / across
    rows = -(-len(images) // blocks)
    captions = list(dict.fromkeys(f"{column.method}: {column.caption}" for column in columns))
    body = HEADER + rows * (cell + UNDER)
    with style.drawing():
        figure = style.sheet(MARGIN + body + style.COLOUR_BAR + style.height_of(captions) + MARGIN)
        maps = [style.relative(column.maps) for column in columns]
        scale, extend = style.common_scale(maps)
        shown = None
        for place, image in enumerate(images):
            row, block = divmod(place, blocks)
            top = MARGIN + HEADER + row * (cell + UNDER)
            first = block * (1 + len(columns))
            axes = style.place(figure, MARGIN + first * (cell + GAP), top, cell, cell)
            style.show_image(axes, image)
            _under(figure, MARGIN + first * (cell + GAP), top + cell, cell, truths[place], "", LIGHT["ink"])
            for number, (column, found) in enumerate(zip(columns, maps, strict=True), start=first + 1):
                left = MARGIN + number * (cell + GAP)
                axes = style.place(figure, left, top, cell, cell)
                shown = style.show_heat(axes, found[place], scale)
                style.outline(axes, image)
                if not found[place].any():
                    axes.text(
                        0.5, 0.5, "nothing\nfound", color="white", ha="center", va="center", transform=axes.transAxes
                    )
                _answer(figure, left, top + cell, cell, column, place)
        for block in range(blocks):
            _heads(figure, block * (1 + len(columns)), cell, columns)
        assert shown is not None
        end = MARGIN + body
        style.colour_bar(figure, shown, end, "importance, times that of an average pixel", extend)
        style.sentences(figure, end + style.COLOUR_BAR, captions)
    return figure


def _heads(figure: Picture, first: int, cell: float, columns: Sequence[Column]) -> None:
    """The names over the columns of one block."""
    middle = MARGIN + first * (cell + GAP) + cell / 2
    style.write(figure, middle, MARGIN + LINE, "image", ha="center")
    for number, column in enumerate(columns, start=first + 1):
        middle = MARGIN + number * (cell + GAP) + cell / 2
        style.write(figure, middle, MARGIN, column.title, ha="center", weight="bold")
        style.write(figure, middle, MARGIN + LINE, column.method, ha="center")


def _answer(figure: Picture, left: float, top: float, cell: float, column: Column, place: int) -> None:
    right = column.right[place]
    mark, colour = {True: ("✓", "right"), False: ("✗", "wrong"), None: ("", "ink")}[
        None if right is None else bool(right)
    ]
    share = numbers.probability(float(column.probs[place]))
    _under(figure, left, top, cell, column.predicted[place], f"{share} {mark}".strip(), LIGHT[colour])


def _under(figure: Picture, left: float, top: float, cell: float, first: str, second: str, colour: str) -> None:
    """Two lines in the middle under a cell, the first cut where it is too long for it."""
    whole = first
    while style.text_width(first) > cell and len(whole) > 1:
        whole = whole[:-1]
        first = f"{whole}…"
    style.write(figure, left + cell / 2, top + 0.03, first, ha="center", color=colour)
    style.write(figure, left + cell / 2, top + 0.03 + LINE, second, ha="center", color=colour)
