"""Attention itself: the map of every head, rollout through depth, how far and how widely heads attend."""

import math

import numpy as np
from jaxtyping import Float, UInt8

from fittingroom.report.inspection import style
from fittingroom.report.inspection.style import LINE, MARGIN, WIDTH, Picture
from fittingroom.report.palette import LIGHT

GAP = 0.07
LABEL = 0.62
HIGHEST = 10.0
"""Inches that all blocks of `heads` may take together."""
HEAD_NOTE = (
    "Each map shows how much of one head's attention each patch receives, averaged over the tokens from which the answer is "
    "computed. It shows where information is gathered, not what decides the answer."
)
ROLLOUT_NOTE = (
    "Attention and skip connections, multiplied through the blocks (rollout): where the information in the answer's tokens can "
    "come from. It is the same for every class."
)
STATISTICS_NOTE = (
    "Each mark is one head, averaged over images. The dashed line is attention spread evenly over all tokens. A head far below "
    "it attends to few tokens, or to near ones."
)


def heads(
    image: UInt8[np.ndarray, "height width ..."],
    weights: Float[np.ndarray, "layers heads gh gw"],
    title: str,
    num_tokens: int,
) -> Picture:
    """The raw map of every head, first block at the top, on one scale: 1 is an even share of `num_tokens` tokens."""
    layers, num_heads = weights.shape[:2]
    cell = min((WIDTH - 2 * MARGIN - LABEL - 1.3 - num_heads * GAP) / num_heads, 1.0)
    high = style.cell_height(weights.shape[2:], cell)
    if layers * (high + GAP) > HIGHEST:
        smaller = max(HIGHEST / layers - GAP, LINE - GAP)
        cell, high = cell * min(smaller / high, 1.0), min(smaller, high)
    step, of_image = max(high + GAP, LINE), style.cell_height(image.shape, 1.2)
    top, notes = MARGIN + style.title_height(title), [HEAD_NOTE]
    height = max(layers * step, of_image + 0.1 + LINE)
    every = math.ceil((style.text_width(str(num_heads)) + 0.05) / (cell + GAP))
    with style.drawing():
        figure = style.sheet(top + LINE + height + 0.06 + style.COLOUR_BAR + style.height_of(notes) + MARGIN)
        style.write_title(figure, title)
        style.show_image(style.place(figure, MARGIN, top + LINE, 1.2, of_image), image)
        share = num_tokens * weights
        scale, extend = style.common_scale([share], power=0.5)
        start = WIDTH - MARGIN - num_heads * (cell + GAP) + GAP
        shown = None
        style.write(figure, start - 0.08, top, "head", ha="right")
        for layer in range(layers):
            row = top + LINE + layer * step
            style.write(figure, start - 0.08, row + high / 2, f"block {layer + 1}", ha="right", va="center")
            for head in range(num_heads):
                left = start + head * (cell + GAP)
                if layer == 0 and head % every == 0:
                    style.write(figure, left + cell / 2, top, str(head + 1), ha="center")
                axes = style.place(figure, left, row, cell, high)
                shown = style.show_heat(axes, share[layer, head], scale)
        assert shown is not None
        end = top + LINE + height + 0.06
        style.colour_bar(figure, shown, end, "attention, times an even share (colour: its square root)", extend)
        style.sentences(figure, end + style.COLOUR_BAR, notes)
    return figure


def rollout_steps(
    image: UInt8[np.ndarray, "height width ..."],
    maps: Float[np.ndarray, "layers gh gw"],
    title: str,
    num_tokens: int,
) -> Picture:
    """Rollout after each block beside the image, on one scale: 1 is an even share of `num_tokens` tokens."""
    across = min(len(maps) + 1, 5)
    rows = -(-(len(maps) + 1) // across)
    cell = min((WIDTH - 2 * MARGIN - (across - 1) * GAP) / across, 1.3)
    high = style.cell_height(image.shape, cell)
    top, step = MARGIN + style.title_height(title), high + LINE + 0.1
    with style.drawing():
        figure = style.sheet(top + rows * step + style.COLOUR_BAR + style.height_of([ROLLOUT_NOTE]) + MARGIN)
        style.write_title(figure, title)
        share = num_tokens * maps
        scale, extend = style.common_scale([share])
        shown = None
        for place in range(len(maps) + 1):
            row, column = divmod(place, across)
            left = MARGIN + column * (cell + GAP)
            axes = style.place(figure, left, top + LINE + row * step, cell, high)
            if place == 0:
                style.show_image(axes, image)
            else:
                shown = style.show_heat(axes, share[place - 1], scale)
            words = "image" if place == 0 else f"after block {place}"
            style.write(figure, left + cell / 2, top + row * step, words, ha="center")
        assert shown is not None
        end = top + rows * step
        style.colour_bar(figure, shown, end, "rollout, times an even share", extend)
        style.sentences(figure, end + style.COLOUR_BAR, [ROLLOUT_NOTE])
    return figure


def head_statistics(
    entropy: Float[np.ndarray, "layers heads"],
    distance: Float[np.ndarray, "layers heads"],
    even: tuple[float, float],
    title: str,
) -> Picture:
    """Entropy (nats) and mean distance (pixels) of every head by depth. `even` holds both for evenly spread attention."""
    top, height = MARGIN + style.title_height(title), 2.1
    with style.drawing():
        figure = style.sheet(top + height + 0.55 + style.height_of([STATISTICS_NOTE]) + MARGIN)
        style.write_title(figure, title)
        titles = ("attention entropy (nats)", "attention distance (pixels)")
        for place, (values, limit, label) in enumerate(zip((entropy, distance), even, titles, strict=True)):
            axes = style.place(figure, 0.55 + place * 3.0, top + LINE, 2.25, height - LINE)
            axes.axhline(limit, color=LIGHT["quiet"], linestyle="--", linewidth=1)
            layers, size = np.arange(1, len(values) + 1), 5 if len(values) <= 12 else 3
            axes.plot(layers, values.mean(axis=1), color=LIGHT["series-0"], linewidth=1, alpha=0.5)
            for column in range(values.shape[1]):
                axes.plot(
                    layers,
                    values[:, column],
                    "o",
                    color=LIGHT["series-0"],
                    markersize=size,
                    alpha=0.7,
                    markeredgewidth=0,
                )
            axes.set_ylim(0, 1.12 * max(limit, float(values.max())))
            axes.set_xlim(0.5, len(values) + 0.5)
            axes.set_xticks(layers if len(values) <= 8 else layers[:: -(-len(values) // 8)])
            axes.set_xlabel("block")
            axes.set_title(label)
        style.sentences(figure, top + height + 0.55, [STATISTICS_NOTE])
    return figure
