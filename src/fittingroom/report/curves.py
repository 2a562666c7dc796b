"""Learning curves: a score over training time, each seed thin, their mean thick, the learning rate beneath."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from fittingroom.evaluation.metric import Metric
from fittingroom.report.gallery import Named
from fittingroom.report.load import Curve
from fittingroom.report.palette import DASHES, MARKERS, series
from fittingroom.report.svg import FONT_SIZE, canvas, drawing, panel, render, variable
from fittingroom.report.texts import in_unit

NUM_STRETCHES = 40
MINUTES_FROM = 600
Points = tuple[NDArray[np.float64], NDArray[np.float64]]


def learning_figures(models: Sequence[Named], curves: dict[str, list[Curve]], metric: Metric) -> list[str]:
    """The metric on validation, then training loss, over training time, as two SVGs with the learning rate under each.

    The mean score is interpolated linearly between evaluations. The loss, measured often and noisy, is averaged over 40
    stretches of equal time. `curves` maps a candidate's name to its runs; candidates that have none are left out.
    """
    return [
        _figure(models, curves, metric.column, in_unit(f"validation {metric.title}", metric), metric.scale),
        _figure(models, curves, "train_loss", "training loss", 1.0),
    ]


def rate_note(models: Sequence[Named], curves: dict[str, list[Curve]]) -> str:
    """'ViT 0.002, CNN 0.003': the highest learning rate that AdamW had, of each model that has a curve (Muon has its own)."""
    runs = [(model.title, curves[model.name]) for model in models if model.name in curves]
    return ", ".join(f"{title} {max(_peak(curve) for curve in found):.3g}" for title, found in runs)


def measured(curve: Curve, column: str) -> Points:
    """Seconds and values of the rows that hold both."""
    values = curve.columns[column]
    rows = np.isfinite(values) & np.isfinite(curve.seconds)
    return curve.seconds[rows], values[rows]


def mean_between(runs: list[Points]) -> Points:
    """The mean of the runs at the times of the one measured least often, within the span that all share."""
    start, end = max(times[0] for times, _ in runs), min(times[-1] for times, _ in runs)
    fewest, _ = min(runs, key=lambda run: len(run[0]))
    grid = np.unique(np.clip(fewest, start, max(start, end)))
    return grid, np.mean([np.interp(grid, times, values) for times, values in runs], axis=0)


def mean_in_stretches(runs: list[Points], num_stretches: int = NUM_STRETCHES) -> Points:
    """Mean time and value of all rows in each of the equal stretches of time; empty stretches are left out."""
    times, values = (np.concatenate([run[part] for run in runs]) for part in (0, 1))
    edges = np.linspace(times.min(), times.max(), num_stretches + 1)
    stretch = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, num_stretches - 1)
    num_rows = np.bincount(stretch, minlength=num_stretches)
    filled = num_rows > 0
    sums = (np.bincount(stretch, weights=column, minlength=num_stretches) for column in (times, values))
    mean_times, mean_values = (column[filled] / num_rows[filled] for column in sums)
    return mean_times, mean_values


def _figure(models: Sequence[Named], curves: dict[str, list[Curve]], column: str, label: str, scale: float) -> str:
    key = f"curves-{column.replace('_', '-')}"
    shown = [(place, model, curves[model.name]) for place, model in enumerate(models) if model.name in curves]
    longest = max((curve.seconds.max(initial=0) for _, _, runs in shown for curve in runs), default=0)
    unit, text = (60, "training time (min)") if longest > MINUTES_FROM else (1, "training time (s)")
    with drawing(key):
        figure = canvas(440, 380)
        upper, lower = panel(figure, 42, 22, 388, 216), panel(figure, 42, 278, 388, 54)
        described = [_draw_model(upper, place, model, runs, column, scale, unit) for place, model, runs in shown]
        for place, _, runs in shown:
            _draw_rate(lower, place, runs, unit)
        _frame(upper, lower, longest / unit or 1)
        lower.set_xlabel(text)
        for height, words in ((0.995, label), (120 / 380, "learning rate, share of its peak")):
            figure.text(0.01, height, words, va="top", fontsize=FONT_SIZE)
        return render(
            figure, key, f"Learning curves, {label} over {text}. At the end: {', '.join(filter(None, described))}."
        )


def _draw_model(axes: Axes, place: int, model: Named, runs: list[Curve], column: str, scale: float, unit: float) -> str:
    """Draw one model's runs and their mean; say where the mean ends."""
    points = [found for found in (measured(curve, column) for curve in runs) if len(found[0])]
    if not points:
        return ""
    is_loss = column == "train_loss"
    mean: Callable[[list[Points]], Points] = mean_in_stretches if is_loss else mean_between
    colour, dash = variable(series(place)), DASHES[place % len(DASHES)]
    for run in points if len(points) > 1 else []:
        times, values = mean_in_stretches([run], 3 * NUM_STRETCHES) if is_loss else run
        axes.plot(times / unit, values * scale, color=colour, linewidth=0.9, alpha=0.55)
    times, values = mean(points)
    marker = "" if is_loss else MARKERS[place % len(MARKERS)]
    axes.plot(times / unit, values * scale, color=colour, linewidth=2.4, linestyle=dash, marker=marker, markersize=6)
    return f"{model.title} {values[-1] * scale:.3g}"


def _draw_rate(axes: Axes, place: int, runs: list[Curve], unit: float) -> None:
    """The first run's rate: all seeds share the schedule."""
    times, rates = measured(runs[0], "lr")
    if len(times):
        share = rates / (_peak(runs[0]) or 1)
        axes.plot(
            times / unit, share, color=variable(series(place)), linewidth=1.8, linestyle=DASHES[place % len(DASHES)]
        )


def _peak(curve: Curve) -> float:
    return float(np.nanmax(curve.columns["lr"], initial=0))


def _frame(upper: Axes, lower: Axes, end: float) -> None:
    """Shared time axis; the upper frame leaves out the steep beginning, which would press the rest together."""
    for axes in (upper, lower):
        axes.set_xlim(0, end * 1.02)
        axes.xaxis.set_major_locator(MaxNLocator(6))
    upper.tick_params(labelbottom=False)
    points = [np.asarray(line.get_xydata(), dtype=float) for line in upper.get_lines()]
    late = [found[found[:, 0] >= 0.15 * end, 1] for found in points]
    values = np.concatenate(late) if late else np.array([])
    if len(values):
        margin = 0.06 * (values.max() - values.min()) or 1
        upper.set_ylim(values.min() - margin, values.max() + margin)
    upper.yaxis.set_major_locator(MaxNLocator(6))
    lower.set_ylim(-0.04, 1.1)
    lower.set_yticks([0, 0.5, 1])
