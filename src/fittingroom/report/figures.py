"""Two drawings of the scores: score against cost, and the differences between models with their intervals.

Widths are chosen so that a figure shown at 400 pixels has text of about 12 pixels; wider places scale it up.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fittingroom.comparison.metrics import PAIRS, Measure, kind_of, measures_of
from fittingroom.report import numbers
from fittingroom.report.palette import MARKERS, series
from fittingroom.report.svg import FONT_SIZE, canvas, drawing, panel, render, variable

COSTS = {
    "num_macs": "multiply-adds for one image",
    "num_params": "parameters",
    "images_per_second": "images per second in training",
    "train_seconds": "training time (s)",
    "pairs_per_second": "pairs per second in training",
    "words_per_second": "words written per second",
}
LONGEST_TITLE = 12
LABEL_SHARE = 0.2
EQUAL_TIMES = 1.1
"""Training times within this ratio count as one budget: an axis of seconds would show nothing."""


def cost_keys(summary: dict[str, Any]) -> list[str]:
    """The three costs worth an axis: seconds where the models differ in them, else images (or pairs) per second."""
    times = [model["train_seconds"] for model in _scored(summary) if model["train_seconds"]]
    equal = bool(times) and max(times) <= EQUAL_TIMES * min(times)
    if kind_of(summary) == PAIRS:
        keys = ("num_params", "pairs_per_second" if equal else "train_seconds", "words_per_second")
    else:
        keys = ("num_macs", "num_params", "images_per_second" if equal else "train_seconds")
    return [key for key in keys if all(model[key] is not None for model in _scored(summary))]


def cost_figures(summary: dict[str, Any]) -> list[str]:
    """The first measure in the test part with its 95 % interval against each of `cost_keys`, one SVG each.

    Needs a finished run.
    """
    return [_cost_figure(summary, key) for key in cost_keys(summary)]


def pair_figures(summary: dict[str, Any]) -> list[str]:
    """One SVG for each measure: every pair's difference in the test part with its simultaneous 95 % interval."""
    return [_pair_figure(summary, measure) for measure in measures_of(summary)]


def _pair_figure(summary: dict[str, Any], measure: Measure) -> str:
    """The higher score first: the better model of two by accuracy, the worse by errors."""
    pairs = [_better_first(measure.lead(pair)) for pair in summary["pairs"]]
    pairs = pairs if measure.higher_is_better else [{**pair, "a": pair["b"], "b": pair["a"]} for pair in pairs]
    key = f"pairs-{measure.key.replace('_', '-')}".removesuffix("-")
    titles = {model["name"]: model["title"] for model in summary["models"]}
    short = {model["name"]: short_title(model) for model in summary["models"]}
    height = 62 + 46 * len(pairs)
    described = [f"{titles[p['a']]} minus {titles[p['b']]} {_in_points(p)}" for p in pairs]
    with drawing(key):
        figure = canvas(440, height)
        axes = panel(figure, 12, 6, 416, height - 56)
        axes.grid(visible=False)
        for row, pair in enumerate(pairs):
            _draw_pair(axes, row, pair, f"{short[pair['a']]} − {short[pair['b']]}")
        low, high = min(0.0, *(100 * pair["low"] for pair in pairs)), max(0.0, *(100 * pair["high"] for pair in pairs))
        axes.set_xlim(low - 0.06 * (high - low), high + 0.06 * (high - low))
        axes.set_ylim(len(pairs) - 0.56, -0.62)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(f"difference in test {measure.name} (percentage points)")
        return render(figure, key, f"Differences in test {measure.name}, in percentage points: {'; '.join(described)}.")


def short_title(model: dict[str, Any]) -> str:
    """The title where it is short enough to stand in a figure, else the model's name."""
    text = model["title"] if len(model["title"]) <= LONGEST_TITLE else model["name"]
    return text if len(text) <= LONGEST_TITLE else f"{text[: LONGEST_TITLE - 1]}…"


def _scored(summary: dict[str, Any]) -> list[dict[str, Any]]:
    return [model for _, model in _placed(summary)]


def _placed(summary: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """The models with a score, each with its place in the comparison; `test` holds the scores of the first measure."""
    measure = measures_of(summary)[0]
    scores = [measure.scores(model) for model in summary["models"]]
    return [
        (place, {**model, "test": found})
        for place, (model, found) in enumerate(zip(summary["models"], scores, strict=True))
        if found["mean"] is not None
    ]


def _cost_figure(summary: dict[str, Any], cost: str) -> str:
    key = f"cost-{cost.replace('_', '-')}"
    scored, score = _placed(summary), f"test {measures_of(summary)[0].name}"
    words = COSTS[cost].replace("image", "word") if cost == "num_macs" and kind_of(summary) == PAIRS else COSTS[cost]
    described = [
        f"{model['title']} {numbers.score(model['test'])} percent at {_cost_text(cost, model[cost])}"
        for _, model in scored
    ]
    with drawing(key):
        figure = canvas(360, 276)
        axes = panel(figure, 46, 22, 298, 202)
        axes.set_xlim(*_cost_limits(axes, [model[cost] for _, model in scored]))
        lows, highs = ([100 * model["test"][end] for _, model in scored] for end in ("low", "high"))
        margin = max(0.12 * (max(highs) - min(lows)), 0.1)
        axes.set_ylim(min(lows) - margin, max(highs) + margin)
        for place, model in scored:
            _draw_score(axes, place, model, cost)
        _label_scores(axes, [model for _, model in scored], cost)
        axes.xaxis.set_major_locator(
            MaxNLocator(4) if axes.get_xscale() == "linear" else axes.xaxis.get_major_locator()
        )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick_text(cost, value)))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(words, labelpad=8)
        figure.text(0.02, 0.985, f"{score} (%)", fontsize=FONT_SIZE, va="top")
        return render(figure, key, f"{score.capitalize()} against {words}: {'; '.join(described)}.")


def _cost_limits(axes: Axes, costs: Sequence[float]) -> tuple[float, float]:
    """From zero, so that twice the way is twice the cost; logarithmic where that would crowd the small ones."""
    if min(costs) > 0 and max(costs) > 20 * min(costs):
        axes.set_xscale("log")
        return min(costs) / 2, max(costs) * 2
    return 0, max(costs) * 1.28 or 1


def _cost_text(cost: str, value: float) -> str:
    return numbers.count(value) if cost in ("num_macs", "num_params") else numbers.rate(value)


def _tick_text(cost: str, value: float) -> str:
    """A round number without its empty decimals: '20 M', not '20.0 M'."""
    return re.sub(r"\.0+\b", "", _cost_text(cost, value))


def _draw_score(axes: Axes, place: int, model: dict[str, Any], cost: str) -> None:
    mean, low, high = (100 * model["test"][key] for key in ("mean", "low", "high"))
    axes.errorbar(
        model[cost],
        mean,
        [[max(0.0, mean - low)], [max(0.0, high - mean)]],
        color=variable(series(place)),
        marker=MARKERS[place % len(MARKERS)],
        markersize=8,
        linewidth=2,
        capsize=4,
        capthick=1.5,
    )


def _label_scores(axes: Axes, models: list[dict[str, Any]], cost: str) -> None:
    """Each title beside its point, moved up or down where two would touch, where no other bar is in the way."""
    low, high = axes.get_ylim()
    heights = spread([100 * model["test"]["mean"] for model in models], 0.075 * (high - low))
    # Where each bar stands, as a share of the width, and from where to where it reaches.
    to_share = axes.transScale + axes.transLimits
    shares = [to_share.transform((model[cost], low))[0] for model in models]
    bars = [(share, model["test"]["low"], model["test"]["high"]) for share, model in zip(shares, models, strict=True)]
    for position, (model, height) in enumerate(zip(models, heights, strict=True)):
        others = [share for share, start, end in bars[:position] + bars[position + 1 :] if start <= height / 100 <= end]
        side, offset = _label_side(shares[position], others)
        place = {"xytext": (offset, 0), "textcoords": "offset points", "ha": side, "va": "center"}
        axes.annotate(short_title(model), (model[cost], height), weight="bold", **place)


def _label_side(share: float, others: Sequence[float]) -> tuple[str, float]:
    """Alignment and offset of a label at `share` of the width: left of its point in the right half if that is free."""
    is_free = {
        "right": not any(0 <= share - other < LABEL_SHARE for other in others),
        "left": not any(0 <= other - share < LABEL_SHARE for other in others),
    }
    wanted, other = ("right", "left") if share > 0.55 else ("left", "right")
    side = other if is_free[other] and not is_free[wanted] else wanted
    return side, -11 if side == "right" else 11


def spread(values: Sequence[float], gap: float) -> list[float]:
    """The values moved apart until neighbours are at least `gap` from each other, in the order given."""
    order = sorted(range(len(values)), key=lambda position: values[position])
    moved = list(values)
    for _ in range(100):
        touching = False
        for below, above in pairwise(order):
            overlap = gap - (moved[above] - moved[below])
            if overlap > 1e-9 * max(gap, 1e-9):
                moved[below] -= overlap / 2
                moved[above] += overlap / 2
                touching = True
        if not touching:
            break
    return moved


def _better_first(pair: dict[str, Any]) -> dict[str, Any]:
    if pair["difference"] >= 0:
        return pair
    turned = {"a": pair["b"], "b": pair["a"], "difference": -pair["difference"]}
    return {**pair, **turned, "low": -pair["high"], "high": -pair["low"]}


def _in_points(pair: dict[str, Any]) -> str:
    """'+4.30, 95 % interval +2.37 to +6.23'."""
    difference, low, high = (numbers.points(pair[key]) for key in ("difference", "low", "high"))
    text = f"{difference}, 95 % interval {low} to {high}"
    return text if pair["low"] > 0 else f"{text}, which includes zero"


def _draw_pair(axes: Axes, row: int, pair: dict[str, Any], name: str) -> None:
    """A filled dot and firm line where the interval leaves zero out; hollow and dashed where it does not."""
    separated = pair["low"] > 0
    colour = variable("accent" if separated else "quiet")
    ends = [100 * pair["low"], 100 * pair["high"]]
    axes.plot([0, 0], [row - 0.16, row + 0.36], color=variable("ink"), linewidth=1.2)
    axes.plot(
        ends, [row, row], color=colour, linewidth=2.5 if separated else 1.5, linestyle="-" if separated else (0, (3, 2))
    )
    axes.plot(ends, [row, row], color=colour, linestyle="none", marker="|", markersize=10, markeredgewidth=2)
    face = colour if separated else variable("paper")
    axes.plot(
        [100 * pair["difference"]],
        [row],
        color=colour,
        marker="o",
        markersize=8,
        markerfacecolor=face,
        markeredgewidth=1.8,
    )
    beside = axes.get_yaxis_transform()
    axes.text(0, row - 0.36, name, transform=beside, weight="bold", ha="left")
    values = f"{numbers.points(pair['difference'])}  ({numbers.points(pair['low'])} to {numbers.points(pair['high'])})"
    axes.text(1, row - 0.36, values, transform=beside, ha="right")
