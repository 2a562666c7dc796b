"""What a network holds before it sees an image: how similar its positions are, and its first filters."""

import math

import numpy as np
from jaxtyping import Float
from matplotlib.colors import Normalize

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.findings import Positions
from fittingroom.report.inspection import style
from fittingroom.report.inspection.style import LINE, MARGIN, WIDTH, Picture

GAP = 0.08
SIDE = 4.6
"""Inches: between tiles, and of all tiles together at most."""
MOST_TILES = 14
"""In a row or a column: of larger grids, only some patches get a tile."""
ORDINALS = {2: "second", 3: "third"}
KINDS = {
    "learned": "Learned positions",
    "sincos2d": "Fixed positions, sines and cosines of row and column (2-D)",
    "sincos1d": "Fixed positions, sines and cosines of the patch number (1-D)",
}
TILE_NOTE = (
    "Each tile belongs to one patch and shows how similar its position embedding is to that of every patch. If a tile is "
    "bright around its own place, the network can tell near from far."
)
COMPONENT_NOTE = (
    "The main patterns (principal components) of the filters that turn a patch into a token, with their share of the filters' "
    "variance. Signs are arbitrary. The network can tell these patterns apart; it need not use them."
)
FILTER_NOTE = "The filters of the first convolution. Only they see the pixels; all later filters build on them."

COLOUR_NOTE = "Red, green and blue are the weights of the three channels. Mid-grey is a weight of zero."


def position_tiles(positions: Positions, title: str) -> Picture:
    """The tiles of the ViT paper (figure 7, centre): the cosine of each patch's position embedding to that of every patch."""
    similarity = positions.similarity
    every = math.ceil(max(similarity.shape[:2]) / MOST_TILES)
    rows, columns = (range(every // 2, size, every) for size in similarity.shape[:2])
    ratio = style.cell_height(similarity.shape, 1.0)
    cell = min((SIDE - GAP * (len(columns) - 1)) / len(columns), (SIDE - GAP * (len(rows) - 1)) / len(rows) / ratio)
    high = cell * ratio
    notes = [TILE_NOTE, neighbour_words(positions)]
    if every > 1:
        size = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, similarity.shape[:2]))
        which = ORDINALS.get(every, f"{every}th")
        notes.append(f"Tiles are drawn for every {which} row and column of the {size} patches.")
    top = MARGIN + style.title_height(title) + 2 * LINE
    end = top + len(rows) * (high + GAP) + 0.32
    left = (WIDTH - len(columns) * (cell + GAP) + GAP) / 2 + 0.12
    named = math.ceil((style.text_width(str(columns[-1] + 1)) + 0.05) / (cell + GAP))
    with style.drawing():
        figure = style.sheet(end + style.COLOUR_BAR + style.height_of(notes) + MARGIN)
        style.write_title(figure, title)
        style.write(figure, MARGIN, top - 2.4 * LINE, KINDS.get(positions.kind, positions.kind))
        scale = Normalize(float(similarity.min()), 1.0)
        shown = None
        for down, row in enumerate(rows):
            start = top + down * (high + GAP)
            style.write(figure, left - 0.08, start + high / 2, f"{row + 1}", ha="right", va="center")
            for across, column in enumerate(columns):
                axes = style.place(figure, left + across * (cell + GAP), start, cell, high)
                shown = style.show_heat(axes, similarity[row, column], scale, "viridis")
        for across, column in enumerate(columns):
            if across % named == 0:
                middle = left + across * (cell + GAP) + cell / 2
                style.write(figure, middle, top - 0.04, f"{column + 1}", ha="center", va="bottom")
        style.write(figure, WIDTH / 2, end - 0.3, "column of the patch across, row down", ha="center")
        assert shown is not None
        style.colour_bar(figure, shown, end, "cosine similarity")
        style.sentences(figure, end + style.COLOUR_BAR, notes)
    return figure


def neighbour_words(positions: Positions) -> str:
    """What the tiles show, as one number, with what chance would give."""
    near, mirrored, folded, chance, chance_folded = (
        f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
        for share in (
            positions.neighbours, positions.mirrored, positions.neighbours_folded, positions.chance, positions.chance_folded
        )
    )  # fmt: skip
    if positions.mirrored < 0.5:
        return f"For {near} of the patches, the most similar other patch is a neighbour (by chance: {chance})."
    return (
        f"Left and right look alike: for {mirrored} of the patches off the middle column, the most similar other patch is the "
        f"mirror image. If mirror images count as one place, it is a neighbour for {folded} (by chance: {chance_folded})."
    )


def filters(
    bank: Float[np.ndarray, "filters channels height width"],
    title: str,
    explained: Float[np.ndarray, " filters"] | None = None,
) -> Picture:
    """Filters on one scale around zero. With `explained` they are components, and their shares are written below them."""
    if bank.shape[1] not in (1, 3):
        raise FittingRoomError(
            f"filters over {bank.shape[1]} channels cannot be drawn: give filters over 1 channel (grey) or 3 (RGB)"
        )
    across = 8
    rows = -(-len(bank) // across)
    cell = (WIDTH - 2 * MARGIN - (across - 1) * GAP) / across
    high, below = style.cell_height(bank.shape[2:], cell), 0.0 if explained is None else LINE
    top, step = MARGIN + style.title_height(title), high + GAP + below
    notes = [FILTER_NOTE if explained is None else COMPONENT_NOTE]
    in_colour = bank.shape[1] == 3
    if in_colour:
        notes.append(COLOUR_NOTE)
    end = top + rows * step + 0.04
    end_of_bar = end + (0.06 if in_colour else style.COLOUR_BAR)
    limit = float(np.abs(bank).max()) or 1.0
    with style.drawing():
        figure = style.sheet(end_of_bar + style.height_of(notes) + MARGIN)
        style.write_title(figure, title)
        scale, shown = Normalize(-limit, limit), None
        for place, each in enumerate(bank):
            row, column = divmod(place, across)
            left = MARGIN + column * (cell + GAP)
            axes = style.place(figure, left, top + row * step, cell, high)
            if not in_colour:
                shown = style.show_heat(axes, each[0], scale, style.SIGNED)
            else:
                style.show_image(axes, np.round(255 * (each.transpose(1, 2, 0) / (2 * limit) + 0.5)).astype(np.uint8))
            if explained is not None:
                words = (
                    f"{100 * explained[place]:.0f} %"
                    if explained[place] >= 0.095
                    else f"{100 * explained[place]:.1f} %"
                )
                style.write(figure, left + cell / 2, top + row * step + high + 0.01, words, ha="center")
        if shown is not None:
            style.colour_bar(figure, shown, end, "weight")
        style.sentences(figure, end_of_bar, notes)
    return figure
