"""Confusion matrices: which class is taken for which."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path
from numpy.typing import NDArray

from fittingroom.core.text import clipped
from fittingroom.report.palette import INK_CHANGES_AT
from fittingroom.report.svg import canvas, drawing, level, panel, render, variable

MOST_LARGE, MOST_NUMBERED, MOST_NAMED = 4, 16, 60
"""Classes up to which a matrix has large type, counts in its cells, and names."""
LONGEST_NAME = 14
CELL = np.array([(0.03, 0.03), (0.97, 0.03), (0.97, 0.97), (0.03, 0.97)])
LEGEND = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)


def confusion_figure(confusion: Any, title: str, class_names: Sequence[str], key: str) -> str:
    """A matrix [true classes, predicted classes] as SVG: the colour is the share of the row, the number counts images.

    The colour grows with the square root of the share, so that rare mistakes can be seen. Beyond 16 classes cells carry no
    numbers, beyond 60 no names; `most_confused` still names the most frequent mistakes.
    """
    counts = np.asarray(confusion)
    shares = row_shares(counts)
    num_classes = len(counts)
    font_size = 14 if num_classes <= MOST_LARGE else 10 if num_classes <= MOST_NUMBERED else max(4, 160 / num_classes)
    names = [clipped(name, 7, LONGEST_NAME - 8) for name in class_names]
    margin = 14 + 5.6 * font_size / 10 * max(map(len, names)) if num_classes <= MOST_NAMED else 26
    size = 400 - margin - 4
    mistakes = most_confused(confusion, class_names)
    described = f"Most frequent mistakes: {'; '.join(mistakes)}." if mistakes else "No mistakes."
    with drawing(key):
        figure = canvas(400, size + margin + 56)
        axes = panel(figure, margin, 18, size, size)
        _draw_cells(axes, counts, shares)
        _name_classes(axes, names, font_size)
        figure.text(0.0, 1.0, "true class ↓", va="top", fontsize=10, color=variable("quiet"))
        across = "predicted class → (names below)" if num_classes <= MOST_NAMED else "predicted class →"
        figure.text(1.0, 1.0, across, va="top", ha="right", fontsize=10, color=variable("quiet"))
        _draw_legend(panel(figure, margin, size + margin + 24, size, 10))
        return render(figure, key, f"Confusion matrix of {title}. {described}")


def most_confused(confusion: Any, class_names: Sequence[str], limit: int = 3) -> list[str]:
    """The most frequent mistakes as 'Shirt taken for Coat: 51 of 390', by their share of the true class."""
    counts = np.asarray(confusion)
    shares = row_shares(counts)
    np.fill_diagonal(shares, 0)
    order = np.lexsort((-counts.ravel(), -shares.ravel()))  # of equal shares the larger number first
    rows, columns = np.unravel_index(order[:limit], shares.shape)
    return [
        f"{class_names[row]} taken for {class_names[column]}: {counts[row, column]:,} of {counts[row].sum():,}"
        for row, column in zip(rows, columns, strict=True)
        if shares[row, column] > 0
    ]


def row_shares(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Each count as a share of its row, 0 to 1; rows without images are zero."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)


def _draw_cells(axes: Axes, counts: NDArray[Any], shares: NDArray[np.float64]) -> None:
    num_classes = len(counts)
    axes.set_xlim(0, num_classes)
    axes.set_ylim(num_classes, 0)
    levels = np.round(100 * np.sqrt(shares)).astype(int)
    is_small = num_classes <= MOST_NUMBERED
    if not is_small:
        axes.add_patch(Rectangle((0, 0), num_classes, num_classes, facecolor=level(0), linewidth=0))
    for value in np.unique(levels if is_small else levels[levels > 0]):
        # Cells of one colour are one path: a matrix of many classes stays small.
        cells = [Path(np.add(CELL, (column, row))) for row, column in np.argwhere(levels == value)]
        axes.add_patch(PathPatch(Path.make_compound_path(*cells), facecolor=level(value / 100), linewidth=0))
    if is_small:
        _write_counts(axes, counts, shares)


def _write_counts(axes: Axes, counts: NDArray[Any], shares: NDArray[np.float64]) -> None:
    """The images of each cell that has any, in the ink that stands out from its ground."""
    size = _number_size(len(counts), counts)
    for (row, column), number in np.ndenumerate(counts):
        if number:
            is_high = np.sqrt(shares[row, column]) >= INK_CHANGES_AT
            ink = variable("cell-ink-high" if is_high else "cell-ink-low")
            axes.text(column + 0.5, row + 0.52, f"{number}", color=ink, fontsize=size, ha="center", va="center")


def _number_size(num_classes: int, counts: NDArray[Any]) -> float:
    """As large as the longest number allows in a cell, within a limit."""
    return min(18.0 if num_classes <= MOST_LARGE else 10.0, 300 / num_classes / (0.62 * len(str(counts.max()))))


def _name_classes(axes: Axes, names: list[str], font_size: float) -> None:
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, pad=4, labelsize=font_size)
    if len(names) > MOST_NAMED:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    centres = np.arange(len(names)) + 0.5
    axes.set_xticks(centres, names, rotation=90)
    axes.set_yticks(centres, names)


def _draw_legend(axes: Axes) -> None:
    """A strip of swatches for a few shares."""
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlim(0, len(LEGEND))
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    for place, share in enumerate(LEGEND):
        axes.broken_barh([(place, 0.98)], (0, 1), facecolor=level(np.sqrt(share)), linewidth=0)
    axes.set_xticks(np.arange(len(LEGEND)) + 0.5, [f"{100 * share:.0f} %" for share in LEGEND])
    axes.tick_params(length=0, pad=3, labelsize=9)
