"""The verdict: one sentence that claims no more than the intervals allow.

"A is above B" is said only where the simultaneous interval of the pair excludes zero, and numbers are rounded away from
the claim: lower ends down, upper ends up, with more decimals where one would show a real difference as 0.0.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_DECIMALS = 4


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """Test accuracy of `winner` above `other`, in percentage points; separated when its interval is above zero."""

    winner: str
    other: str
    difference: float
    low: float
    high: float

    @property
    def separated(self) -> bool:
        return self.low > 0


def verdict(summary: dict[str, Any], comparison: dict[str, Any]) -> str:
    """One sentence on which model classifies the test images best.

    `summary` needs `models` and `pairs` as in summary.json; `comparison` is the contents of comparison.json, for its
    title, budget and seeds.
    """
    clauses = [_opening(comparison) + _finding(summary["models"], summary["pairs"])]
    finished = [model for model in summary["models"] if model["num_runs"]]
    if finished and max(model["num_runs"] for model in finished) == 1:
        clauses.append("with one seed this holds for these trained networks, not for the architectures")
    if finished:
        clauses += _failures(summary["models"])
    return "; ".join(clauses) + "."


def _opening(comparison: dict[str, Any]) -> str:
    num_seeds = len(comparison["seeds"])
    seeds = "1 seed" if num_seeds == 1 else f"{num_seeds} seeds"
    return f"On {comparison['title']}, with {comparison['budget']['text']} and {seeds}, "


def _finding(models: list[dict[str, Any]], pairs: list[dict[str, Any]]) -> str:
    finished = [model for model in models if model["num_runs"]]
    if not finished:
        num_failed = sum(model["num_failed"] for model in models)
        return f"no run finished ({num_failed} failed), so nothing can be said"
    if len(finished) == 1:
        return _alone(finished[0])
    gaps = [gap for pair in pairs for gap in _both_ways(pair, {model["name"]: model["title"] for model in models})]
    ranked = _ranked(finished, gaps)
    leads = [gap for title in ranked[1:] for gap in gaps if (gap.winner, gap.other) == (ranked[0], title)]
    if len(leads) == len(ranked) - 1 and all(gap.separated for gap in leads):
        return f"{ranked[0]} classifies best: {_above(leads)}"
    return _partial(ranked, gaps, leads)


def _alone(model: dict[str, Any]) -> str:
    test = model["test"]
    share = f"{100 * test['mean']:.1f}"
    if share == "100.0" and test["mean"] < 1:
        share = "over 99.9"
    interval = _interval(100 * test["low"], 100 * test["high"], 1)
    return (
        f"{model['title']} classifies {share} % of the test images correctly (95 % interval {interval}), "
        "with no other model to compare it with"
    )


def _both_ways(pair: dict[str, Any], titles: dict[str, str]) -> list[_Gap]:
    """The pair as a above b and as b above a."""
    a, b = titles[pair["a"]], titles[pair["b"]]
    difference, low, high = (100 * pair[key] for key in ("difference", "low", "high"))
    return [
        _Gap(winner=a, other=b, difference=difference, low=low, high=high),
        _Gap(winner=b, other=a, difference=-difference, low=-high, high=-low),
    ]


def _ranked(finished: list[dict[str, Any]], gaps: list[_Gap]) -> list[str]:
    """Titles, best first: those that fewer models beat, then by mean test accuracy.

    Means alone could name a leader that its own pair contradicts, where one mean holds a seed that the other lacks.
    """
    num_beaten = {
        model["title"]: sum(gap.separated and gap.other == model["title"] for gap in gaps) for model in finished
    }
    ordered = sorted(finished, key=lambda model: (num_beaten[model["title"]], -model["test"]["mean"]))
    return [model["title"] for model in ordered]


def _above(leads: list[_Gap]) -> str:
    """'4.1 percentage points above Hybrid (95 % interval 3.2 to 5.0) and 7.9 above ViT (6.8 to 9.0)'."""
    texts = []
    for number, gap in enumerate(leads):
        unit, kind = (" percentage points", "95 % interval ") if number == 0 else ("", "")
        interval = _interval(gap.low, gap.high, _decimals(gap.low))
        texts.append(f"{_number(gap)}{unit} above {gap.other} ({kind}{interval})")
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
