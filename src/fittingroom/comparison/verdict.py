"""The verdict: one sentence that claims no more than the intervals allow.

"A is above B" is said only where the simultaneous interval of the pair excludes zero, and numbers are rounded away from
the claim: lower ends down, upper ends up, with more decimals where one would show a real difference as 0.0.

Where there are two measures, the first ranks. The second is spoken of only for models that the first tells apart: asked
in that order, at the same level, both answers together are wrong no more often than the first alone may be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fittingroom.comparison.metrics import Measure, measures_of
from fittingroom.comparison.record import budget_text

MOST_DECIMALS = 4


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """By how much `winner` is better than `other`, in percentage points; separated when its interval is above zero."""

    winner: str
    other: str
    difference: float
    low: float
    high: float

    @property
    def separated(self) -> bool:
        return self.low > 0


def verdict(summary: dict[str, Any], comparison: dict[str, Any]) -> str:
    """One sentence on which model does best on the test part.

    `summary` needs `models` and `pairs` as in summary.json; `comparison` is the contents of comparison.json, for its
    kind, title, budget and seeds.
    """
    first, *others = measures_of(comparison)
    models, pairs = summary["models"], summary["pairs"]
    clauses = [_opening(comparison) + _finding(models, pairs, first)]
    clauses += [clause for second in others for clause in _second(models, pairs, first, second)]
    finished = [model for model in models if model["num_runs"]]
    if finished and max(model["num_runs"] for model in finished) == 1:
        clauses.append("with one seed this holds for these trained networks, not for the architectures")
    if finished:
        clauses += _failures(models)
    return "; ".join(clauses) + "."


def _opening(comparison: dict[str, Any]) -> str:
    num_seeds = len(comparison["seeds"])
    seeds = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
    return f"On {comparison['title']}, with {budget_text(comparison)} and {seeds}, "


def _finding(models: list[dict[str, Any]], pairs: list[dict[str, Any]], measure: Measure) -> str:
    finished = [model for model in models if model["num_runs"]]
    if not finished:
        num_failed = sum(model["num_failed"] for model in models)
        return f"no run finished ({num_failed} failed), so nothing can be said"
    if len(finished) == 1:
        return _alone(finished[0], measure)
    gaps = _gaps(models, pairs, measure)
    ranked = _ranked(finished, gaps, measure)
    leads = [gap for title in ranked[1:] for gap in gaps if (gap.winner, gap.other) == (ranked[0], title)]
    if len(leads) == len(ranked) - 1 and all(gap.separated for gap in leads):
        return f"{ranked[0]} {measure.wins}: {_beyond(leads, measure)}"
    return _partial(ranked, gaps, leads)


def _second(models: list[dict[str, Any]], pairs: list[dict[str, Any]], first: Measure, second: Measure) -> list[str]:
    """What the second measure says of the leader and each model that the first tells from it; nothing else."""
    finished = [model for model in models if model["num_runs"]]
    gaps = _gaps(models, pairs, first)
    if len(finished) < 2:
        return []
    leader = _ranked(finished, gaps, first)[0]
    beaten = [gap.other for gap in gaps if gap.separated and gap.winner == leader]
    leads = [gap for gap in _gaps(models, pairs, second) if gap.winner == leader and gap.other in beaten]
    better, worse = [gap for gap in leads if gap.separated], [gap for gap in leads if gap.high < 0]
    ties = [gap for gap in leads if gap not in better and gap not in worse]
    clauses = [f"in {second.noun} {leader} is {_beyond(better, second, brief=True)}"] if better else []
    clauses += [f"{second.noun} do not separate {leader} from {_tied(ties)}"] if ties else []
    turned = [_Gap(winner=g.other, other=leader, difference=-g.difference, low=-g.high, high=-g.low) for g in worse]
    return clauses + [f"yet {gap.winner} makes fewer {second.noun}: {_beyond([gap], second)}" for gap in turned]


def _alone(model: dict[str, Any], measure: Measure) -> str:
    test = measure.scores(model)
    share = f"{100 * test['mean']:.1f}"
    if share == "100.0" and test["mean"] < 1:
        share = "over 99.9"
    if share == "0.0" and test["mean"] > 0:
        share = "under 0.1"
    interval = _interval(100 * test["low"], 100 * test["high"], 1)
    return (
        f"{model['title']} {measure.alone.format(share=share)} (95 % interval {interval}), "
        "with no other model to compare it with"
    )


def _gaps(models: list[dict[str, Any]], pairs: list[dict[str, Any]], measure: Measure) -> list[_Gap]:
    """Every pair both ways."""
    titles = {model["name"]: model["title"] for model in models}
    return [gap for pair in pairs for gap in _both_ways(measure.lead(pair), titles)]


def _both_ways(lead: dict[str, Any], titles: dict[str, str]) -> list[_Gap]:
    """The pair as a better than b and as b better than a."""
    a, b = titles[lead["a"]], titles[lead["b"]]
    difference, low, high = (100 * lead[key] for key in ("difference", "low", "high"))
    return [
        _Gap(winner=a, other=b, difference=difference, low=low, high=high),
        _Gap(winner=b, other=a, difference=-difference, low=-high, high=-low),
    ]


def _ranked(finished: list[dict[str, Any]], gaps: list[_Gap], measure: Measure) -> list[str]:
    """Titles, best first: those that fewer models beat, then by mean test score.

    Means alone could name a leader that its own pair contradicts, where one mean holds a seed that the other lacks.
    """
    num_beaten = {
        model["title"]: sum(gap.separated and gap.other == model["title"] for gap in gaps) for model in finished
    }
    ordered = sorted(
        finished, key=lambda model: (num_beaten[model["title"]], -measure.sign * measure.scores(model)["mean"])
    )
    return [model["title"] for model in ordered]


def _beyond(leads: list[_Gap], measure: Measure, brief: bool = False) -> str:
    """'4.1 percentage points above Hybrid (95 % interval 3.2 to 5.0) and 7.9 above ViT (6.8 to 9.0)'.

    `brief` after a clause that has said so already: '4.1 points above Hybrid (3.2 to 5.0) and ...'.
    """
    texts = []
    for number, gap in enumerate(leads):
        unit, kind = (" percentage points", "95 % interval ") if number == 0 else ("", "")
        unit, kind = (" points" if unit else "", "") if brief else (unit, kind)
        interval = _interval(gap.low, gap.high, _decimals(gap.low))
        texts.append(f"{_number(gap)}{unit} {measure.beyond} {gap.other} ({kind}{interval})")
    return _listed(texts)


def _partial(ranked: list[str], gaps: list[_Gap], leads: list[_Gap]) -> str:
    """What can be said where the leader is not separated from, or not compared with, every other model."""
    ties = [gap for gap in leads if not gap.separated and gap.high >= 0]
    winners = [ranked[0], *(gap.other for gap in ties)]
    clauses = [f"nothing separates {ranked[0]} from {_tied(ties)}"] if ties else []
    clauses += _beats(winners, ranked, gaps)
    compared = {gap.other for gap in leads}
    alien = [title for title in ranked[1:] if title not in compared]
    if alien:
        clauses.append(f"{ranked[0]} finished no seed in common with {_listed(alien, 'or')}")
    return ", ".join(clauses)


def _tied(ties: list[_Gap]) -> str:
    """'Hybrid (difference 0.2 percentage points, 95 % interval -0.5 to 0.9) or ViT (0.3, -0.4 to 1.0)'."""
    texts = []
    for number, gap in enumerate(ties):
        words = ("difference ", " percentage points", "95 % interval ") if number == 0 else ("", "", "")
        interval = _interval(gap.low, gap.high, 1)
        texts.append(f"{gap.other} ({words[0]}{_number(gap)}{words[1]}, {words[2]}{interval})")
    return _listed(texts, "or")


def _beats(winners: list[str], ranked: list[str], gaps: list[_Gap]) -> list[str]:
    """'CNN and Hybrid beat ViT by at least 3.1 points', one clause for each set of winners."""
    beaten_by: dict[tuple[str, ...], list[_Gap]] = {}
    for loser in ranked:
        wins = [gap for title in winners for gap in gaps if gap.separated and (gap.winner, gap.other) == (title, loser)]
        if wins:
            beaten_by.setdefault(tuple(gap.winner for gap in wins), []).extend(wins)
    clauses = []
    for names, wins in beaten_by.items():
        verb = "beats" if len(names) == 1 else "beat"
        losers = list(dict.fromkeys(gap.other for gap in wins))
        least = min(gap.low for gap in wins)
        amount = _down(least, _decimals(least))
        by = f"at least {amount}" if float(amount) > 0 else "more than 0"
        clauses.append(f"{_listed(names)} {verb} {_listed(losers)} by {by} points")
    return clauses


def _failures(models: list[dict[str, Any]]) -> list[str]:
    num_failed, num_runs = (sum(model[key] for model in models) for key in ("num_failed", "num_runs"))
    absent = [model["title"] for model in models if not model["num_runs"]]
    clauses = [f"{num_failed} of {num_failed + num_runs} runs failed"] if num_failed else []
    return clauses + ([f"{_listed(absent)} finished no run and cannot be judged"] if absent else [])


def _decimals(low: float) -> int:
    """Decimals with which a lower end above zero still shows as above zero: 1 where that does, at most 4."""
    fitting = (decimals for decimals in range(1, MOST_DECIMALS) if low <= 0 or float(_down(low, decimals)) > 0)
    return next(fitting, MOST_DECIMALS)


def _number(gap: _Gap) -> str:
    """The difference rounded to the nearest, without a minus before zero."""
    text = f"{gap.difference:.{_decimals(gap.low)}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def _interval(low: float, high: float, decimals: int) -> str:
    """'3.2 to 5.0', rounded outward; 'more than 0' in place of a lower end too small for its decimals."""
    start = _down(low, decimals)
    if low > 0 and float(start) == 0:
        start = "more than 0"
    return f"{start} to {_up(high, decimals)}"


def _down(value: float, decimals: int) -> str:
    """Rounded down; the millionth of the last digit forgives binary fractions such as 3.1999999999999997."""
    return f"{math.floor(value * 10**decimals + 1e-6) / 10**decimals:.{decimals}f}"


def _up(value: float, decimals: int) -> str:
    return f"{math.ceil(value * 10**decimals - 1e-6) / 10**decimals:.{decimals}f}"


def _listed(texts: Sequence[str], word: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"
