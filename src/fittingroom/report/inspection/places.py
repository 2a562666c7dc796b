"""What a network holds before it sees an image: which places it takes for near, and its first filters."""

import numpy as np
from jaxtyping import Float
from matplotlib.colors import Normalize

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.findings import Positions
from fittingroom.report.inspection import style
from fittingroom.report.inspection.style import LINE, MARGIN, WIDTH, Picture

GAP = 0.08
KINDS = {
    "learned": "Learned positions",
    "sincos2d": "Fixed positions, sines and cosines of row and column (2-D)",
    "sincos1d": "Fixed positions, sines and cosines of the place in the row of patches (1-D)",
}
TILE_NOTE = (
    "Each tile belongs to one patch of the image and shows how similar that patch's position embedding is to all others'. "
    "Bright around the tile's own place: the network can tell near from far."
)
COMPONENT_NOTE = (
    "The main patterns (principal components) among the filters that turn a patch into a token, and their share of the filters' "
    "variance. Signs are arbitrary; they show what can be told apart, not what is used."
)
FILTER_NOTE = (
    "The filters of the first convolution: the only ones that meet pixels directly. All later ones build on them."
)


def position_tiles(positions: Positions, title: str) -> Picture:
    """The grid of tiles of the ViT paper (figure 7, centre): cosines of a patch's position with every other's."""
    similarity = positions.similarity
    high, wide = similarity.shape[:2]
    side = 4.6
    cell = (side - GAP * (max(high, wide) - 1)) / max(high, wide)
    notes = [TILE_NOTE, neighbour_words(positions)]
    top = MARGIN + 3.6 * LINE
    end = top + high * (cell + GAP) + 0.32
    left = (WIDTH - wide * (cell + GAP) + GAP) / 2 + 0.12
    with style.drawing():
        figure = style.sheet(end + style.COLOUR_BAR + style.height_of(notes) + MARGIN)
        style.write(figure, MARGIN, MARGIN, title, weight="bold", fontsize=style.SIZE)
        style.write(figure, MARGIN, MARGIN + 1.2 * LINE, KINDS.get(positions.kind, positions.kind))
        scale = Normalize(float(similarity.min()), 1.0)
        shown = None
        for row in range(high):
            style.write(figure, left - 0.08, top + row * (cell + GAP) + cell / 2, f"{row + 1}", ha="right", va="center")
            for column in range(wide):
                axes = style.place(figure, left + column * (cell + GAP), top + row * (cell + GAP), cell, cell)
                shown = style.show_heat(axes, similarity[row, column], scale, "viridis")
        for column in range(wide):
            middle = left + column * (cell + GAP) + cell / 2
            style.write(figure, middle, top - 0.04, f"{column + 1}", ha="center", va="bottom")
        style.write(figure, WIDTH / 2, end - 0.3, "column of the patch across, row down", ha="center")
        assert shown is not None
        style.colour_bar(figure, shown, end, "cosine similarity")
        style.sentences(figure, end + style.COLOUR_BAR, notes)
    return figure


def neighbour_words(positions: Positions) -> str:
    """What the tiles show, as a number with what chance would give."""
    near, mirrored, folded, chance, chance_folded = (
        f"{100 * share:.0f}\N{NO-BREAK SPACE}%"
        for share in (
            positions.neighbours, positions.mirrored, positions.neighbours_folded, positions.chance, positions.chance_folded
        )
    )  # fmt: skip
    if positions.mirrored < 0.5:
        return f"For {near} of the patches the most similar other one is a neighbour (by chance {chance})."
    return (
        f"Left and right are alike: for {mirrored} of the patches off the middle the most similar other one is their mirror "
        f"image. Mirror images taken as one place, it is a neighbour for {folded} (by chance {chance_folded})."
    )


def filters(
    bank: Float[np.ndarray, "filters channels height width"],
    title: str,
    explained: Float[np.ndarray, " filters"] | None = None,
) -> Picture:
    """Filters on one scale around zero; with `explained` they are components, and their shares stand below."""
    if bank.shape[1] not in (1, 3):
        raise FittingRoomError(
            f"filters over {bank.shape[1]} channels are no picture: give those over grey or RGB images"
        )
    across = 8
    rows = -(-len(bank) // across)
    cell = (WIDTH - 2 * MARGIN - (across - 1) * GAP) / across
    below = 0.0 if explained is None else LINE
    top, step = MARGIN + 1.6 * LINE, cell + GAP + below
    notes = [FILTER_NOTE if explained is None else COMPONENT_NOTE]
    end = top + rows * step + 0.04
    limit = float(np.abs(bank).max()) or 1.0
    with style.drawing():
        figure = style.sheet(end + style.COLOUR_BAR + style.height_of(notes) + MARGIN)
        style.write(figure, MARGIN, MARGIN, title, weight="bold", fontsize=style.SIZE)
        scale, shown = Normalize(-limit, limit), None
        for place, each in enumerate(bank):
            row, column = divmod(place, across)
            left = MARGIN + column * (cell + GAP)
            axes = style.place(figure, left, top + row * step, cell, cell)
            if bank.shape[1] == 1:
                shown = style.show_heat(axes, each[0], scale, style.SIGNED)
            else:
                style.show_image(axes, np.round(255 * (each.transpose(1, 2, 0) / (2 * limit) + 0.5)).astype(np.uint8))
            if explained is not None:
                words = (
                    f"{100 * explained[place]:.0f} %"
                    if explained[place] >= 0.095
                    else f"{100 * explained[place]:.1f} %"
                )
                style.write(figure, left + cell / 2, top + row * step + cell + 0.01, words, ha="center")
        if shown is not None:
            style.colour_bar(figure, shown, end, "weight")
        style.sentences(figure, end + style.COLOUR_BAR, notes)
    return figure
