"""Figures for a notebook: training curves, maps over images, positions, filters, a confusion matrix.

Arrays in, matplotlib figures out. Nothing here needs torch or a network: `explain/maps.py` computes the arrays of a model in
memory. The figures belong to no pyplot window, so a notebook shows each of them once.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.explain.findings import Filters, ImageMaps, Positions
from fittingroom.report.inspection import places, style
from fittingroom.report.inspection.style import LINE, MARGIN, WIDTH, Picture
from fittingroom.report.palette import DASHES, INK_CHANGES_AT, LIGHT, MARKERS, series

Column = Sequence[float | None]
"""The values of one column of metrics.csv, None or NaN where nothing was measured."""
Metrics = Mapping[str, Column]
"""Name of a column -> its values: step, epoch, seconds, lr, train_loss, val_loss, val_accuracy, ..."""

CLOCKS = ("epoch", "step", "seconds")
NOT_DRAWN = (*CLOCKS, "lr")
LOSSES = ("train_loss", "val_loss")
MOST_MARKED = 30
"""A curve of more points than this has no markers."""
ACROSS, GAP = 5, 0.08
"""Images side by side; inches between them."""
MOST_COUNTS = 12
"""A confusion matrix of more classes has colours only, and a sentence about the most frequent confusions."""
MOST_CONFUSIONS = 5


def curves(
    metrics: Metrics | Mapping[str, Metrics], *, columns: Sequence[str] | None = None, x: str = "epoch", title: str = ""
) -> Figure:
    """Training curves of one run, or of several: {name of the run: its metrics}.

    Both losses share one panel (training loss dashed); every other column of `columns` has its own. By default that is every
    column but the learning rate. `x` is "epoch", "step" or "seconds".
    """
    runs = _runs(metrics)
    panels = _panels(runs, columns, x)
    across = min(len(panels), 2)
    rows, high, keys = -(-len(panels) // across), 1.75, [] if len(runs) == 1 else list(runs)
    wide = (WIDTH - 2 * MARGIN - 0.62 * across) / across
    top, step = MARGIN + style.title_height(title), high + 0.68
    end = top + rows * step
    with style.drawing():
        figure = style.sheet(end + -(-len(keys) // 2) * 1.2 * LINE + MARGIN)
        style.write_title(figure, title)
        for place, (name, drawn) in enumerate(panels.items()):
            row, column = divmod(place, across)
            left = MARGIN + 0.56 + column * (wide + 0.62)
            axes = style.place(figure, left, top + LINE + row * step, wide, high)
            for number, values in enumerate(runs.values()):
                for each in drawn:
                    _curve(axes, values, x, each, number, dashed=each == "train_loss" and len(drawn) > 1)
            _finish(axes, name, x, drawn)
        for place, name in enumerate(keys):
            row, column = divmod(place, 2)
            half = (WIDTH - 2 * MARGIN) / 2
            _key(figure, MARGIN + column * half, end + row * 1.2 * LINE, name, place, half)
    return figure


def image_maps(found: ImageMaps) -> Figure:
    """Every image, and below it the same image in grey under its map, all maps on one colour scale."""
    across = min(len(found.images), ACROSS)
    cell = min((WIDTH - 2 * MARGIN - (across - 1) * GAP) / across, 1.7)
    high, rows = style.cell_height(found.images.shape[1:], cell), -(-len(found.images) // across)
    lines = [style.broken(label, cell, most=3) for label in found.labels]
    top = MARGIN + style.title_height(found.title)
    step = 2 * high + 0.05 + LINE * max(map(len, lines)) + 0.12
    end, left = top + rows * step, MARGIN + max(0.0, (WIDTH - 2 * MARGIN - across * (cell + GAP) + GAP) / 2)
    with style.drawing():
        figure = style.sheet(end + style.COLOUR_BAR + style.height_of([found.caption]) + MARGIN)
        style.write_title(figure, found.title)
        scale, extend = style.common_scale([found.maps])
        for number, (image, values) in enumerate(zip(found.images, found.maps, strict=True)):
            row, column = divmod(number, across)
            start, begin = left + column * (cell + GAP), top + row * step
            style.show_image(style.place(figure, start, begin, cell, high), image)
            _show_over(style.place(figure, start, begin + high + 0.05, cell, high), image, values, scale)
            for place, line in enumerate(lines[number]):
                below = begin + 2 * high + 0.08 + place * LINE
                style.write(figure, start + cell / 2, below, line, ha="center")
        style.colour_bar(figure, ScalarMappable(scale, style.HEAT), end, found.unit, extend)
        style.sentences(figure, end + style.COLOUR_BAR, [found.caption])
    return figure


def positions(found: Positions, title: str = "Similarity of positions") -> Figure:
    """One tile for each patch: how similar its position embedding is to that of every patch, with a caption."""
    return places.position_tiles(found, title)


def filters(found: Filters, title: str | None = None) -> Figure:
    """The filters of the first convolution, or the main patterns of a patch projection with their share of variance."""
    default = "Filters of the first layer" if found.explained is None else "Main patterns of the patch filters"
    return places.filters(found.bank, default if title is None else title, found.explained)


def confusion(
    matrix: Any = None,
    *,
    labels: Any = None,
    predictions: Any = None,
    class_names: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """How often each class (row) is predicted as each class (column), from counts or from labels and predictions.

    `predictions` are class numbers (N,) or scores (N, classes), of which the largest counts. A colour shows the square root of
    the share of its row, so that rare confusions can be seen.
    """
    counts = _counts(matrix, labels, predictions, class_names)
    num = len(counts)
    names = [str(number) for number in range(num)] if class_names is None else list(class_names)
    names = [style.shortened(name, 1.5) for name in names]
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    side = min(max(0.4 * num if num <= MOST_COUNTS else 0.2 * num, 2.2), 8.0)
    every = math.ceil(1.05 * LINE / (side / num))
    label = max(map(style.text_width, names))
    left, below = MARGIN + LINE + label + 0.12, (label + LINE) * math.sin(math.radians(45)) + 0.2
    width = max(WIDTH, left + side + 3 * MARGIN)
    notes = [_accuracy(counts), *([_most_confused(counts, class_names)] if num > MOST_COUNTS else [])]
    top = MARGIN + style.title_height(title, width)
    end = top + side + below + 1.3 * LINE
    with style.drawing():
        figure = style.sheet(end + style.height_of(notes, width) + MARGIN, width)
        style.write_title(figure, title)
        axes = style.place(figure, left, top, side, side)
        colours = LinearSegmentedColormap.from_list("cells", [LIGHT["cell-empty"], LIGHT["cell-full"]])
        style.show_heat(axes, np.sqrt(shares), Normalize(0.0, 1.0), colours)
        ticks = range(0, num, every)
        axes.set_xticks(ticks, names[::every], rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(ticks, names[::every])
        axes.tick_params(length=0, pad=3)
        if num <= MOST_COUNTS:
            _write_counts(axes, counts, shares)
        style.write(figure, MARGIN, top + side / 2, "truth", rotation=90, va="center")
        style.write(figure, left + side / 2, top + side + below, "prediction", ha="center")
        style.sentences(figure, end, notes)
    return figure


def _runs(metrics: Metrics | Mapping[str, Metrics]) -> dict[str, dict[str, np.ndarray]]:
    """Every run's columns as float64 arrays, NaN for what was not measured."""
    if not isinstance(metrics, Mapping):
        raise FittingRoomError(
            f"curves does not accept type {type(metrics).__name__}: give a run, its metrics, or {{name: metrics}}"
        )
    several = bool(metrics) and all(isinstance(each, Mapping) for each in metrics.values())
    named: Mapping[str, Any] = metrics if several else {"": metrics}
    runs = {}
    for name, columns in named.items():
        try:
            values = {key: np.array([_number(each) for each in column]) for key, column in columns.items()}
        except (TypeError, ValueError) as error:
            raise FittingRoomError(
                f"metrics {f'of {name} ' if name else ''}are not columns of numbers ({error})"
            ) from error
        if len({len(each) for each in values.values()}) > 1:
            lengths = ", ".join(f"{key} {len(each)}" for key, each in values.items())
            raise FittingRoomError(f"columns {f'of {name} ' if name else ''}differ in length: {lengths}")
        runs[name] = values
    return runs


def _number(value: Any) -> float:
    return math.nan if value is None or value == "" else float(value)


def _panels(
    runs: Mapping[str, Mapping[str, np.ndarray]], columns: Sequence[str] | None, x: str
) -> dict[str, tuple[str, ...]]:
    """Title of each panel -> the columns in it. Columns that hold no number are left out."""
    if x not in CLOCKS:
        raise FittingRoomError(f"x '{x}' is not a time axis: choose {', '.join(CLOCKS)}")
    known = list(dict.fromkeys(key for values in runs.values() for key in values))
    for name in [x, *(columns or ())]:
        if name not in known:
            raise FittingRoomError(f"unknown column '{name}': {did_you_mean(name, known)}")
    measured = [key for key in known if any(key in each and np.isfinite(each[key]).any() for each in runs.values())]
    wanted = [key for key in measured if (key not in NOT_DRAWN if columns is None else key in columns)]
    if not wanted:
        raise FittingRoomError(f"the metrics hold no numbers to draw: they have the columns {', '.join(known)}")
    losses = tuple(key for key in LOSSES if key in wanted)
    return ({"loss": losses} if losses else {}) | {_title(key): (key,) for key in wanted if key not in LOSSES}


def _title(column: str) -> str:
    words = column.split("_")
    return " ".join({"val": "validation", "lr": "learning rate"}.get(word, word) for word in words)


def _curve(axes: Axes, values: Mapping[str, np.ndarray], x: str, column: str, number: int, *, dashed: bool) -> None:
    if x not in values or column not in values:
        return
    there = np.isfinite(values[x]) & np.isfinite(values[column])
    line = {**_line(number), **({"linestyle": "--", "marker": ""} if dashed else {})}
    if there.sum() > MOST_MARKED:
        line["marker"] = ""
    axes.plot(values[x][there], values[column][there], **line)


def _line(number: int) -> dict[str, Any]:
    """Colour, marker and dash of run `number`. After eight runs the colours start again, with another dash."""
    return {
        "color": LIGHT[series(number)],
        "marker": MARKERS[number % len(MARKERS)],
        "linestyle": DASHES[number // len(MARKERS) % len(DASHES)],
        "linewidth": 1.4,
        "markersize": 4,
    }


def _finish(axes: Axes, name: str, x: str, drawn: Sequence[str]) -> None:
    only = {"train_loss": "training loss", "val_loss": "validation loss"}
    axes.set_title("loss (dashed: training)" if len(drawn) > 1 else only.get(drawn[0], name))
    axes.set_xlabel(x)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=x == "step"))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="y", color=LIGHT["rule"], linewidth=0.7)
    axes.set_axisbelow(True)
    if drawn[0].endswith(("accuracy", "_rate")):
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol="\N{NO-BREAK SPACE}%"))


def _key(figure: Picture, left: float, top: float, name: str, number: int, width: float) -> None:
    """A piece of the run's line, with its name to the right."""
    axes = style.place(figure, left, top + 0.02, 0.32, 0.12)
    style.bare(axes)
    axes.plot([0, 0.5, 1], [0, 0, 0], **{**_line(number), "markevery": [1]})
    axes.set_ylim(-1, 1)
    style.write(figure, left + 0.42, top, style.shortened(name, width - 0.5))


def _show_over(axes: Axes, image: np.ndarray, values: np.ndarray, scale: Normalize) -> None:
    """The map over the image in grey, both filling the axes."""
    grey = image if image.ndim == 2 else image.mean(axis=2)
    height, width = grey.shape
    style.show_image(axes, grey)
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(values, cmap=style.HEAT, norm=scale, alpha=0.7, interpolation="nearest", extent=extent)


def _counts(matrix: Any, labels: Any, predictions: Any, class_names: Sequence[str] | None) -> np.ndarray:
    """The confusion matrix as whole numbers, checked."""
    if (matrix is None) == (labels is None or predictions is None):
        raise FittingRoomError("a confusion matrix needs either counts, or labels and predictions")
    if matrix is None:
        truth, answers = np.asarray(labels), np.asarray(predictions)
        if answers.ndim == 2:
            num, answers = answers.shape[1], answers.argmax(axis=1)
        elif len(truth) and {truth.dtype.kind, answers.dtype.kind} - {"i", "u"}:
            raise FittingRoomError("labels and predictions must be class numbers: give whole numbers from 0 up")
        else:
            num = int(max(truth.max(initial=0), answers.max(initial=0))) + 1
        if truth.shape != answers.shape or not len(truth):
            raise FittingRoomError(
                f"{truth.shape} labels and {answers.shape} predictions do not match: give one of each per image"
            )
        num = num if class_names is None else len(class_names)
        if min(truth.min(), answers.min()) < 0 or max(truth.max(), answers.max()) >= num:
            raise FittingRoomError(f"labels and predictions must be class numbers from 0 to {num - 1}")
        matrix = np.zeros((num, num), dtype=np.int64)
        np.add.at(matrix, (truth.astype(np.int64), answers.astype(np.int64)), 1)
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or len(counts) < 2 or (counts < 0).any():
        raise FittingRoomError(
            f"counts of shape {counts.shape} are not a confusion matrix: give (classes, classes), none negative"
        )
    if class_names is not None and len(class_names) != len(counts):
        raise FittingRoomError(
            f"{len(class_names)} class names do not fit {len(counts)} classes: give one name per class"
        )
    return counts


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    for (row, column), count in np.ndenumerate(counts):
        if count:
            ink = LIGHT["cell-ink-high" if shares[row, column] >= INK_CHANGES_AT**2 else "cell-ink-low"]
            size = style.SMALL if counts.max() < 1000 else style.SMALL - 2
            axes.text(column, row, f"{count:g}", ha="center", va="center", color=ink, fontsize=size)


def _accuracy(counts: np.ndarray) -> str:
    right, total = counts.trace(), counts.sum()
    if not total:
        return "There are no images."
    share = 100 * right / total
    return f"{right:,g} of {total:,g} images are classified correctly ({share:.1f} %). Colour: share of a row, square root."


def _most_confused(counts: np.ndarray, class_names: Sequence[str] | None) -> str:
    """The most frequent confusions in words, the most frequent first."""
    wrong = counts * ~np.eye(len(counts), dtype=bool)
    names = [f"class {number}" for number in range(len(counts))] if class_names is None else class_names
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    found = [divmod(int(place), len(counts)) for place in order if wrong.flat[place]]
    if not found:
        return "No class is confused with another."
    return (
        "Most frequent confusions: "
        + "; ".join(f"{names[truth]} as {names[answer]} ({wrong[truth, answer]:g})" for truth, answer in found)
        + "."
    )
