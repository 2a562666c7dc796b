"""Two drawings of the scores: score against cost, and the differences between candidates with their intervals.

Widths are chosen so that a figure shown at 400 pixels has text of about 12 pixels; wider places scale it up.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from fittingroom.core.records import CandidateSummary, Contrast, Summary
from fittingroom.core.text import clipped, sentence_case
from fittingroom.evaluation.metric import Metric
from fittingroom.report import numbers
from fittingroom.report.gallery import Named
from fittingroom.report.palette import MARKERS, series
from fittingroom.report.svg import FONT_SIZE, canvas, drawing, panel, render, variable
from fittingroom.report.texts import in_unit
from fittingroom.tasks.scoring import SCORINGS

LONGEST_TITLE = 12
LABEL_SHARE, LABEL_START = 0.2, 0.03
"""Shares of a figure's width: that of a label, and its distance from its point."""
EQUAL_TIMES = 1.1
"""Training times within this ratio count as one budget: an axis of seconds would show nothing."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a candidate costs: `key` names it, `label` is for the axis, `is_speed` says that more is better."""

    key: str
    label: str
    is_speed: bool = False

    def of(self, candidate: CandidateSummary) -> float | None:
        """The candidate's cost; None where it is not known."""
        return candidate.extras.get(self.key) if self.key in candidate.extras else getattr(candidate, self.key, None)


@dataclass(frozen=True, kw_only=True)
class _Point:
    """A candidate with a score, at its cost. Scores are in the metric's unit."""

    place: int
    candidate: CandidateSummary
    cost: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class _Lead:
    """How much the score of `a` exceeds that of `b`, as a fraction; never below zero. `low` may be."""

    a: str
    b: str
    difference: float
    low: float
    high: float
    text: str
    """The numbers."""
    decided: bool
    """Whether the two are separated."""


def costs(summary: Summary) -> list[Cost]:
    """Up to three costs to draw: those known for every candidate that has a score.

    Training time is replaced by training speed where all candidates had the same time.
    """
    scoring, scored = SCORINGS.get(summary.task), _scored(summary)
    times = [candidate.train_seconds for candidate in scored if candidate.train_seconds]
    is_equal = bool(times) and max(times) <= EQUAL_TIMES * min(times)
    speed = Cost(key="items_per_second", label=f"{scoring.batch_items} per second in training", is_speed=True)
    time = speed if is_equal else Cost(key="train_seconds", label="training time (s)")
    params = Cost(key="num_params", label="parameters")
    extras = [Cost(key=extra.key, label=extra.axis, is_speed=True) for extra in scoring.extras if extra.axis]
    if extras:
        found = [params, time, *extras]
    else:
        found = [Cost(key="num_macs", label=f"multiply-adds for one {scoring.item}"), params, time]
    return [cost for cost in found if scored and all(cost.of(candidate) is not None for candidate in scored)]


def cost_figures(summary: Summary) -> list[str]:
    """The first metric on the test part with its 95 % interval against each of `costs`, one SVG each."""
    return [_cost_figure(summary, cost) for cost in costs(summary)]


def contrast_figures(summary: Summary) -> list[str]:
    """One SVG for each metric: the difference of every two candidates on the test part, with its 95 % interval."""
    return [_contrast_figure(summary, metric) for metric in SCORINGS.get(summary.task).metrics]


def _contrast_figure(summary: Summary, metric: Metric) -> str:
    """The higher score first: the better of two by accuracy, the worse by errors."""
    leads = [_higher_first(contrast, metric) for contrast in summary.contrasts]
    key = f"contrasts-{metric.name.replace('_', '-')}"
    titles = {candidate.name: candidate.title for candidate in summary.candidates}
    short = short_titles(summary.candidates)
    height = 62 + 46 * len(leads)
    described = [
        f"{titles[lead.a]} minus {titles[lead.b]} {lead.text}{'' if lead.decided else ', not separated'}"
        for lead in leads
    ]
    unit = f" ({metric.points[0]})" if metric.points[0] else ""
    with drawing(key):
        figure = canvas(440, height)
        axes = panel(figure, 12, 6, 416, height - 56)
        axes.grid(visible=False)
        for row, lead in enumerate(leads):
            _draw_lead(axes, row, lead, f"{short[lead.a]} − {short[lead.b]}", metric)
        low = metric.scale * min(0.0, *(lead.low for lead in leads))
        high = metric.scale * max(0.0, *(lead.high for lead in leads))
        margin = 0.06 * (high - low) or 1
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylim(len(leads) - 0.56, -0.62)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set_xlabel(f"difference in test {metric.title}{unit}")
        return render(figure, key, f"Differences in test {metric.title}{unit}: {'; '.join(described)}.")


def short_title(candidate: Named) -> str:
    """The title where it is short enough for a figure, else the name."""
    return clipped(_title_or_name(candidate), LONGEST_TITLE - 1)


def short_titles(candidates: Sequence[Named]) -> dict[str, str]:
    """Name -> `short_title`. Where two are equal, both show their ends too, and where that is not enough, their places."""
    texts = {each.name: short_title(each) for each in candidates}
    for again in (
        lambda _, each: clipped(_title_or_name(each), 4, LONGEST_TITLE - 5),
        lambda place, each: f"{place + 1}: {clipped(_title_or_name(each), LONGEST_TITLE - 5)}",
    ):
        times = Counter(texts.values())
        texts |= {each.name: again(place, each) for place, each in enumerate(candidates) if times[texts[each.name]] > 1}
    return texts


def _title_or_name(candidate: Named) -> str:
    return candidate.title if len(candidate.title) <= LONGEST_TITLE else candidate.name


def _scored(summary: Summary) -> list[CandidateSummary]:
    metric = SCORINGS.get(summary.task).metrics[0]
    return [candidate for candidate in summary.candidates if metric.score(candidate).mean is not None]


def _points(summary: Summary, cost: Cost, metric: Metric) -> list[_Point]:
    """The candidates with a score, each with its place in the comparison."""
    found = []
    for place, candidate in enumerate(summary.candidates):
        test, value = metric.score(candidate), cost.of(candidate)
        if test.mean is not None and test.low is not None and test.high is not None and value is not None:
            mean, low, high = (metric.scale * number for number in (test.mean, test.low, test.high))
            found.append(_Point(place=place, candidate=candidate, cost=value, mean=mean, low=low, high=high))
    return found


def _cost_figure(summary: Summary, cost: Cost) -> str:
    key = f"cost-{cost.key.replace('_', '-')}"
    metric = SCORINGS.get(summary.task).metrics[0]
    points = _points(summary, cost, metric)
    described = [
        f"{each.candidate.title} {numbers.score(metric.score(each.candidate), metric)} at {_cost_text(cost, each.cost)}"
        for each in points
    ]
    title = in_unit(f"test {metric.title}", metric)
    with drawing(key):
        figure = canvas(360, 276)
        axes = panel(figure, 46, 22, 298, 202)
        axes.set_xlim(*_cost_limits(axes, [each.cost for each in points]))
        lowest, highest = min(each.low for each in points), max(each.high for each in points)
        margin = max(0.12 * (highest - lowest), 0.001 * metric.scale)
        axes.set_ylim(lowest - margin, highest + margin)
        for each in points:
            _draw_score(axes, each)
        _label_scores(axes, points, short_titles(summary.candidates))
        axes.xaxis.set_major_locator(
            MaxNLocator(4) if axes.get_xscale() == "linear" else axes.xaxis.get_major_locator()
        )
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick_text(cost, value)))
        axes.xaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel(cost.label, labelpad=8)
        figure.text(0.02, 0.985, title, fontsize=FONT_SIZE, va="top")
        return render(figure, key, f"{sentence_case(title)} against {cost.label}: {'; '.join(described)}.")


def _cost_limits(axes: Axes, costs: Sequence[float]) -> tuple[float, float]:
    """From zero, so that twice the way is twice the cost; logarithmic where that would crowd the small ones."""
    if min(costs) > 0 and max(costs) > 20 * min(costs):
        axes.set_xscale("log")
        return min(costs) / 2, max(costs) * 2
    return 0, max(costs) * 1.28 or 1


def _cost_text(cost: Cost, value: float) -> str:
    return numbers.count(value) if cost.key in ("num_macs", "num_params") else numbers.rate(value)


def _tick_text(cost: Cost, value: float) -> str:
    """A round number without its empty decimals: '20 M', not '20.0 M'."""
    return re.sub(r"\.0+\b", "", _cost_text(cost, value))


def _draw_score(axes: Axes, point: _Point) -> None:
    axes.errorbar(
        point.cost,
        point.mean,
        [[max(0.0, point.mean - point.low)], [max(0.0, point.high - point.mean)]],
        color=variable(series(point.place)),
        marker=MARKERS[point.place % len(MARKERS)],
        markersize=8,
        linewidth=2,
        capsize=4,
        capthick=1.5,
    )


def _label_scores(axes: Axes, points: Sequence[_Point], short: Mapping[str, str]) -> None:
    """Each title beside its point: moved up or down where two would touch, and to the side that no other bar crosses."""
    low, high = axes.get_ylim()
    heights = spread([point.mean for point in points], 0.075 * (high - low))
    # The place of each bar as a share of the width.
    to_share = axes.transScale + axes.transLimits
    shares = [to_share.transform((point.cost, low))[0] for point in points]
    bars = list(zip(shares, points, strict=True))
    for position, (point, height) in enumerate(zip(points, heights, strict=True)):
        rest = bars[:position] + bars[position + 1 :]
        others = [share for share, other in rest if other.low <= height <= other.high]
        side, offset = _label_side(shares[position], others)
        place = {"xytext": (offset, 0), "textcoords": "offset points", "ha": side, "va": "center"}
        axes.annotate(short[point.candidate.name], (point.cost, height), weight="bold", **place)


def _label_side(share: float, others: Sequence[float]) -> tuple[str, float]:
    """Alignment and offset of a label at `share` of the width: left of its point in the right half if that is free."""
    is_free = {
        "right": share > LABEL_SHARE and not any(LABEL_START < share - other < LABEL_SHARE for other in others),
        "left": not any(LABEL_START < other - share < LABEL_SHARE for other in others),
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


def _higher_first(contrast: Contrast, metric: Metric) -> _Lead:
    found = metric.difference(contrast)
    turned = found.difference < 0
    first, second = (contrast.b, contrast.a) if turned else (contrast.a, contrast.b)
    return _Lead(
        a=first,
        b=second,
        difference=abs(found.difference),
        low=-found.high if turned else found.low,
        high=-found.low if turned else found.high,
        text=numbers.difference(found, metric, turned=turned),
        decided=found.is_decided,
    )


def _draw_lead(axes: Axes, row: int, lead: _Lead, name: str, metric: Metric) -> None:
    """A filled dot and a firm line where the two are separated; hollow and dashed where they are not."""
    separated = lead.decided
    colour = variable("accent" if separated else "quiet")
    ends = [metric.scale * lead.low, metric.scale * lead.high]
    style = "-" if separated else (0, (3, 2))
    axes.plot([0, 0], [row - 0.16, row + 0.36], color=variable("ink"), linewidth=1.2)
    axes.plot(ends, [row, row], color=colour, linewidth=2.5 if separated else 1.5, linestyle=style)
    axes.plot(ends, [row, row], color=colour, linestyle="none", marker="|", markersize=10, markeredgewidth=2)
    axes.plot(
        [metric.scale * lead.difference],
        [row],
        color=colour,
        marker="o",
        markersize=8,
        markerfacecolor=colour if separated else variable("paper"),
        markeredgewidth=1.8,
    )
    beside = axes.get_yaxis_transform()
    axes.text(0, row - 0.36, name, transform=beside, weight="bold", ha="left")
    axes.text(1, row - 0.36, lead.text.replace("95 % interval ", ""), transform=beside, ha="right")
