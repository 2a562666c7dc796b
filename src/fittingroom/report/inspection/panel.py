"""The same images through several networks: every map on one colour scale, with the network's answer under it."""

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
"""Inches between cells."""
COLUMNS = 6
"""At most so many cells stand side by side."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One network's maps and answers to the N images."""

    title: str
    """The network, such as 'vit'."""
    method: str
    """The method that made its maps, such as 'Relevance'."""
    caption: str
    """One sentence about this method."""
    maps: Float[np.ndarray, "images height width"]
    predicted: Sequence[str]
    """The answer to each image."""
    probs: Float[np.ndarray, " images"]
    """The probability of that answer."""
    right: Sequence[bool | None]
    """Whether the answer is right; None if the truth is unknown."""
    explained: Sequence[str] = ()
    """For each image, the class that its map explains, if that is not the answer."""


def panel(
    images: UInt8[np.ndarray, "images height width ..."], truths: Sequence[str], columns: Sequence[Column]
) -> Picture:
    """One picture: each image, then each network's map of it with the network's answer and its probability.

    Each map is divided by its own mean, so that one scale serves all methods: 1 is an average pixel. `truths` are written under
    the images. Long names take two lines. Raises FittingRoomError if there is nothing to draw, or if there are more networks
    than fit side by side.
    """
    if not len(images) or not columns:
        raise FittingRoomError("a panel needs an image and a network: give at least one of each")
    if len(columns) >= COLUMNS:
        raise FittingRoomError(f"{len(columns)} networks do not fit side by side: give at most {COLUMNS - 1}")
    blocks = min(COLUMNS // (1 + len(columns)), len(images))
    across = max(blocks * (1 + len(columns)), 3)
    cell = (WIDTH - 2 * MARGIN - (across - 1) * GAP) / across
    high, rows = style.cell_height(images.shape[1:], cell), -(-len(images) // blocks)
    names = [*truths, *(name for column in columns for name in column.predicted)]
    lines_of_names, header = _most_lines(names, cell), _header(columns, cell)
    top_of_cells = MARGIN + LINE * sum(header) + 0.07
    explained = [text for column in columns for text in column.explained]
    step = high + LINE * (1 + lines_of_names + (_most_lines(explained, cell) if explained else 0)) + 0.1
    captions = list(dict.fromkeys(f"{column.method}: {column.caption}" for column in columns))
    end = top_of_cells + rows * step
    with style.drawing():
        figure = style.sheet(end + style.COLOUR_BAR + style.height_of(captions) + MARGIN)
        maps = [style.relative(column.maps) for column in columns]
        scale, extend = style.common_scale(maps)
        shown = None
        for place, image in enumerate(images):
            row, block = divmod(place, blocks)
            top = top_of_cells + row * step
            first = block * (1 + len(columns))
            left = MARGIN + first * (cell + GAP)
            style.show_image(style.place(figure, left, top, cell, high), image)
            _under(figure, left, top + high, cell, style.broken(truths[place], cell), LIGHT["ink"])
            for number, (column, found) in enumerate(zip(columns, maps, strict=True), start=first + 1):
                left = MARGIN + number * (cell + GAP)
                axes = style.place(figure, left, top, cell, high)
                shown = style.show_heat(axes, found[place], scale)
                style.outline(axes, image)
                if not found[place].any():
                    axes.text(
                        0.5, 0.5, "nothing\nfound", color="white", ha="center", va="center", transform=axes.transAxes
                    )
                _answer(figure, left, top + high, cell, column, place)
        for block in range(blocks):
            _heads(figure, block * (1 + len(columns)), cell, columns, header)
        assert shown is not None
        style.colour_bar(figure, shown, end, "importance, times that of an average pixel", extend)
        style.sentences(figure, end + style.COLOUR_BAR, captions)
    return figure


def _most_lines(names: Sequence[str], width: float) -> int:
    return max(len(style.broken(name, width)) for name in names)


def _header(columns: Sequence[Column], cell: float) -> tuple[int, int]:
    """How many lines the networks' names take over the columns, and how many the methods' names."""
    titles, methods = [column.title for column in columns], [column.method for column in columns]
    return _most_lines(titles, cell / style.BOLD), _most_lines(methods, cell + GAP)


def _heads(figure: Picture, first: int, cell: float, columns: Sequence[Column], header: tuple[int, int]) -> None:
    """The names over the columns of one block, their last lines level with each other."""
    bottom = MARGIN + LINE * sum(header)
    middle = MARGIN + first * (cell + GAP) + cell / 2
    style.write(figure, middle, bottom - LINE, "image", ha="center")
    for number, column in enumerate(columns, start=first + 1):
        middle = MARGIN + number * (cell + GAP) + cell / 2
        title, method = style.broken(column.title, cell / style.BOLD), style.broken(column.method, cell + GAP)
        for place, line in enumerate(title):
            style.write(
                figure, middle, MARGIN + LINE * (header[0] - len(title) + place), line, ha="center", weight="bold"
            )
        for place, line in enumerate(method):
            style.write(figure, middle, bottom - LINE * (len(method) - place), line, ha="center")


def _answer(figure: Picture, left: float, top: float, cell: float, column: Column, place: int) -> None:
    right = column.right[place]
    mark, colour = {True: ("✓", "right"), False: ("✗", "wrong"), None: ("", "ink")}[
        None if right is None else bool(right)
    ]
    share = numbers.probability(float(column.probs[place]))
    lines = [*style.broken(column.predicted[place], cell), f"{share} {mark}".strip()]
    _under(figure, left, top, cell, lines, LIGHT[colour])
    if column.explained:
        explained = style.broken(column.explained[place], cell)
        _under(figure, left, top + LINE * len(lines), cell, explained, LIGHT["ink"])


def _under(figure: Picture, left: float, top: float, cell: float, lines: Sequence[str], colour: str) -> None:
    """Centred lines under a cell."""
    for number, line in enumerate(lines):
        style.write(figure, left + cell / 2, top + 0.03 + number * LINE, line, ha="center", color=colour)
