"""Do the maps mean anything? Deletion and insertion curves, and maps of networks with shuffled weights."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from fittingroom.explain.catalogue import METHODS
from fittingroom.report.inspection import style
from fittingroom.report.inspection.style import LINE, MARGIN, WIDTH, Picture
from fittingroom.report.palette import LIGHT, MARKERS

WIDEST_NAME, LEAST_STEP = 1.2, 0.28
"""Inches: of a layer's name, and between two of them."""
SLOPE = math.sin(math.radians(40))
"""How far a turned name reaches down, for each inch of its width."""
TITLES = {method.name: method.title for method in METHODS.values()}
FAITHFUL_NOTE = (
    "Deletion hides the pixels that the map calls most important first: the probability of the class should fall fast. "
    "Insertion shows them first: it should rise fast. Bands are 95 % intervals over images. Images with hidden pixels are not "
    "natural, so compare each method with the random map."
)
RANDOM_NOTE = (
    "From left to right, more and more of the network's weights are shuffled, starting at the output. A map that stays like "
    "the first one (1 on the axis) does not show what the network has learned."
)


def faithfulness(scores: Mapping[str, Mapping[str, Any]], title: str) -> Picture:
    """Deletion and insertion curves of each method, and their areas.

    `scores` maps a method's title to the result of `explain.faithfulness.score`. The entry "Random map" is drawn in grey: it is
    the line to beat.
    """
    rows = list(scores.items())
    top, height = MARGIN + style.title_height(title), 2.2
    table = top + height + 0.62
    num_images = rows[0][1]["num_images"]
    notes = [FAITHFUL_NOTE, f"Measured on {num_images:,} images, for the class that the network predicts."]
    end = table + (len(rows) + 1.6) * 1.15 * LINE
    with style.drawing():
        figure = style.sheet(end + style.height_of(notes) + MARGIN)
        style.write_title(figure, title)
        for place, name in enumerate(("deletion", "insertion")):
            axes = style.place(figure, 0.55 + place * 2.95, top + LINE, 2.3, height - LINE)
            for method, score in rows:
                _curve(axes, score["curves"][name], method)
            axes.set_title(f"{name}: {'lower' if name == 'deletion' else 'higher'} is better")
            axes.set_xlabel(f"pixels {'hidden' if name == 'deletion' else 'shown'} (%)")
            axes.set_ylim(0, 1)
            axes.set_xlim(0, 100)
            if place == 0:
                axes.set_ylabel("probability")
        _table(figure, table, rows)
        style.sentences(figure, end, notes)
    return figure


def randomisation(layers: Sequence[str], correlations: Mapping[str, Sequence[float]], title: str) -> Picture:
    """Rank correlation of the maps with the maps after shuffling more and more weights: method's title -> a number per layer."""
    top, height, width = MARGIN + style.title_height(title), 2.1, WIDTH - MARGIN - 0.75
    names = [_end_of(name) for name in ("none", *layers)]
    every = math.ceil(len(names) * LEAST_STEP / width)
    below = max(1.05, SLOPE * max(map(style.text_width, names)) + 0.35)
    end = top + height + below + (len(correlations) + 1) // 2 * 1.2 * LINE + 0.1
    with style.drawing():
        figure = style.sheet(end + style.height_of([RANDOM_NOTE]) + MARGIN)
        style.write_title(figure, title)
        axes = style.place(figure, 0.7, top, width, height)
        places = np.arange(len(layers) + 1)
        axes.axhline(0.0, color=LIGHT["rule"], linewidth=1)
        for method, values in correlations.items():
            axes.plot(places, [1.0, *values], label=method, **_line(method))
        axes.set_xticks(places[::every], names[::every], rotation=40, ha="right", rotation_mode="anchor")
        axes.set_ylim(min(-0.2, 1.1 * min(min(values) for values in correlations.values())), 1.05)
        axes.set_ylabel("rank correlation of maps")
        for place, method in enumerate(correlations):
            row, column = divmod(place, 2)
            _key(figure, MARGIN + column * 3.0, top + height + below + row * 1.2 * LINE, method)
        style.sentences(figure, end, [RANDOM_NOTE])
    return figure


def _end_of(name: str) -> str:
    """The end of a layer's name, as much as fits: the end tells layers apart."""
    short = name
    while style.text_width(short) > WIDEST_NAME:
        name = name[1:]
        short = f"…{name}"
    return short


def _curve(axes: Axes, curve: Mapping[str, Sequence[float]], method: str) -> None:
    share = np.linspace(0, 100, len(curve["mean"]))
    line = _line(method)
    axes.fill_between(share, curve["low"], curve["high"], color=line["color"], alpha=0.2, linewidth=0)
    axes.plot(share, curve["mean"], **{**line, "markersize": 3.5})


def _line(method: str) -> dict[str, Any]:
    """Colour and marker of a method, the same in every picture. The random map is grey and dashed."""
    if method == "Random map":
        return {"color": LIGHT["quiet"], "linestyle": "--", "linewidth": 1.3, "marker": ""}
    titles = list(TITLES.values())
    number = titles.index(method) if method in titles else len(titles)
    return {"color": LIGHT[f"series-{number}"], "linewidth": 1.3, "marker": MARKERS[number], "markersize": 4.5}


def _key(figure: Picture, left: float, top: float, method: str) -> None:
    """A piece of the method's line, with its name to the right."""
    axes = style.place(figure, left, top + 0.02, 0.32, 0.12)
    style.bare(axes)
    axes.plot([0, 0.5, 1], [0, 0, 0], **{**_line(method), "markevery": [1]})
    axes.set_ylim(-1, 1)
    style.write(figure, left + 0.42, top, method)


def _table(figure: Picture, top: float, rows: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """The table under the curves: each method's areas with intervals, and whether it beats the random map."""
    columns = (1.92, 3.54, WIDTH - MARGIN)
    for left, words, side in zip(columns, ("deletion area", "insertion area", "beats random"), "llr", strict=True):
        style.write(figure, left, top, words, ha={"l": "left", "r": "right"}[side], color=LIGHT["quiet"])
    for number, (method, score) in enumerate(rows):
        line = top + (number + 1.1) * 1.15 * LINE
        _key(figure, MARGIN, line, method)
        for left, name in zip(columns, ("deletion", "insertion"), strict=False):
            found = score[name]
            style.write(figure, left, line, f"{found['mean']:.3f} ({found['low']:.3f}–{found['high']:.3f})")
        words = "" if method == "Random map" else "yes" if score["beats_random"] else "no"
        style.write(figure, columns[2], line, words, ha="right", weight="bold" if words == "no" else "normal")
