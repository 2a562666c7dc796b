"""The verdict: a short headline, and one sentence with the numbers. Neither claims more than the intervals allow.

"A is above B" is said only where the simultaneous interval of the pair excludes zero. Numbers are rounded away from the
claim: lower ends down, upper ends up, with more decimals where one would show a real difference as 0.0.

With several metrics, the first ranks. Later ones are mentioned only for candidates that the first separates: asked in that
order, at the same level, all answers together are wrong no more often than the first alone may be.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fittingroom.comparison.protocol import budget_text
from fittingroom.core.records import CandidateSummary, ComparisonRecord, Contrast, Verdict
from fittingroom.evaluation.metric import Metric

MORE_DECIMALS = 3
"""At most so many beyond a metric's own, to show that an end of an interval is not zero."""


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """By how much `winner` is better than `other`, in the metric's units for people. Separated: the interval is above zero."""

    winner: str
    other: str
    difference: float
    low: float
    high: float

    @property
    def separated(self) -> bool:
        return self.low > 0

    @property
    def turned(self) -> "_Gap":
        """The same, as `other` against `winner`."""
        return _Gap(winner=self.other, other=self.winner, difference=-self.difference, low=-self.high, high=-self.low)


@dataclass(frozen=True, kw_only=True)
class _Ranking:
    """What one metric says of the candidates that finished a run; all by title."""

    metric: Metric
    ranked: list[str]
    """Best first."""
    gaps: list[_Gap]
    """Every contrast both ways."""

    @property
    def leader(self) -> str:
        return self.ranked[0]

    @property
    def leads(self) -> list[_Gap]:
        """The leader against each other candidate that it was compared with, best first."""
        return [
            gap for title in self.ranked[1:] for gap in self.gaps if (gap.winner, gap.other) == (self.leader, title)
        ]

    @property
    def ties(self) -> list[_Gap]:
        """The leads that are not separated."""
        return [gap for gap in self.leads if not gap.separated and gap.high >= 0]

    @property
    def top(self) -> list[str]:
        """The leader, whoever ties with it, and whoever beats it (where the intervals contradict each other)."""
        beats_it = [gap.other for gap in self.leads if gap.high < 0]
        return [self.leader, *(gap.other for gap in self.ties), *beats_it]

    @property
    def not_compared(self) -> list[str]:
        """Candidates without a common seed with the leader."""
        compared = {gap.other for gap in self.leads}
        return [title for title in self.ranked[1:] if title not in compared]

    @property
    def is_clear(self) -> bool:
        """Whether the leader beats every other candidate."""
        return len(self.leads) == len(self.ranked) - 1 and all(gap.separated for gap in self.leads)

    def beats(self, winner: str, other: str) -> bool:
        """Whether the interval says that `winner` is better than `other`."""
        return any(gap.separated for gap in self.gaps if (gap.winner, gap.other) == (winner, other))

    def beaten_by(self) -> dict[tuple[str, ...], list[_Gap]]:
        """Those of `top` that beat someone -> whom, by how much. One entry for each set of winners."""
        found: dict[tuple[str, ...], list[_Gap]] = {}
        for loser in self.ranked:
            wins = [
                gap
                for title in self.top
                for gap in self.gaps
                if gap.separated and (gap.winner, gap.other) == (title, loser)
            ]
            if wins:
                found.setdefault(tuple(gap.winner for gap in wins), []).extend(wins)
        return found


def verdict(
    record: ComparisonRecord,
    candidates: Sequence[CandidateSummary],
    contrasts: Sequence[Contrast],
    metrics: Sequence[Metric],
) -> Verdict:
    """Which candidate does best on the test part. `record` gives title, budget and seeds."""
    finished = [each for each in candidates if each.num_runs]
    opening = _opening(record)
    if not finished:
        num_failed = sum(each.num_failed for each in candidates)
        sentence = f"{opening}no run finished ({num_failed} failed), so nothing can be said."
        return Verdict(headline="No run finished.", sentence=sentence)
    first, *later = (_ranking(metric, finished, contrasts) for metric in metrics)
    if len(finished) == 1:
        headline = f"{finished[0].title} has no other model to compare with."
        clauses = [opening + _alone(finished[0], first.metric)]
    else:
        headline = _headline(first, later)
        clauses = [opening + _finding(first), *(clause for each in later for clause in _later(first, each))]
    if max(each.num_runs for each in finished) == 1:
        clauses.append("with one seed this holds for these trained networks, not for the architectures")
    return Verdict(headline=headline, sentence=f"{'; '.join(clauses + _failures(candidates))}.")


def _opening(record: ComparisonRecord) -> str:
    seeds = "1 seed" if len(record.seeds) == 1 else f"{len(record.seeds)} seeds"
    setting = [text for text in (budget_text(record), seeds) if text]
    return f"On {record.title}, with {_listed(setting)}, "


def _ranking(metric: Metric, finished: Sequence[CandidateSummary], contrasts: Sequence[Contrast]) -> _Ranking:
    """Best first: the candidate that the fewest beat, then by mean test score.

    Means alone could name a leader that its own contrast contradicts, where one mean holds a seed that the other lacks.
    """
    titles = _titles(finished)
    gaps = []
    for contrast in contrasts:
        found = metric.difference(contrast)
        low, high = sorted((metric.sign * found.low, metric.sign * found.high))
        gap = _Gap(
            winner=titles[contrast.a],
            other=titles[contrast.b],
            difference=metric.scale * metric.sign * found.difference,
            low=metric.scale * low,
            high=metric.scale * high,
        )
        gaps += [gap, gap.turned]

    def place(each: CandidateSummary) -> tuple[int, float]:
        num_beaten = sum(gap.separated and gap.other == titles[each.name] for gap in gaps)
        return num_beaten, -metric.sign * (metric.score(each).mean or 0.0)

    return _Ranking(metric=metric, ranked=[titles[each.name] for each in sorted(finished, key=place)], gaps=gaps)


def _titles(candidates: Sequence[CandidateSummary]) -> dict[str, str]:
    """Name -> title; with the name behind it where two candidates have the same title."""
    given = [each.title for each in candidates]
    return {
        each.name: each.title if given.count(each.title) == 1 else f"{each.title} ({each.name})" for each in candidates
    }


def _headline(first: _Ranking, later: Sequence[_Ranking]) -> str:
    """'CNN and Hybrid are level; both beat ViT.'"""
    separated = any(gap.separated for gap in first.gaps)
    all_compared = len(first.gaps) == len(first.ranked) * (len(first.ranked) - 1)
    if all_compared and not separated:
        return f"Nothing separates {_listed(first.ranked)}."
    clauses, level = [], [first.leader, *(gap.other for gap in first.ties)]
    is_level = _are_level(first, level)
    if is_level:
        clauses.append(f"{_listed(level)} are level")
    elif first.ties:
        clauses.append(f"Nothing separates {first.leader} from {_listed([gap.other for gap in first.ties], 'or')}")
    for names, wins in first.beaten_by().items():
        losers = _listed(list(dict.fromkeys(gap.other for gap in wins)))
        if is_level and list(names) == level:
            clauses.append(f"{'both' if len(level) == 2 else 'all of them'} beat {losers}")
        else:
            clauses.append(f"{_listed(names)} {'beats' if len(names) == 1 else 'beat'} {losers}")
    if first.not_compared:
        clauses.append(f"{first.leader} could not be compared with {_listed(first.not_compared, 'or')}")
    clauses += [
        f"in {each.metric.noun}, {gap.winner} beats {gap.other}" for each in later for gap in _sorted(first, each)[2]
    ]
    return f"{'; '.join(clauses)}."


def _are_level(ranking: _Ranking, titles: Sequence[str]) -> bool:
    """Whether there are several, all were compared with each other, and nothing separates any two."""
    inside = [gap for gap in ranking.gaps if gap.winner in titles and gap.other in titles]
    compared = len(inside) == len(titles) * (len(titles) - 1)
    return len(titles) > 1 and compared and not any(gap.separated for gap in inside)


def _finding(ranking: _Ranking) -> str:
    """The numbers of the first metric."""
    if ranking.is_clear:
        return f"{ranking.leader} {ranking.metric.wins}: {_beyond(ranking.leads, ranking.metric)}"
    clauses = []
    if ranking.ties:
        clauses.append(f"nothing separates {ranking.leader} from {_tied(ranking.ties, ranking.metric)}")
    clauses += _beats(ranking)
    if ranking.not_compared:
        clauses.append(f"{ranking.leader} has no finished seed in common with {_listed(ranking.not_compared, 'or')}")
    return "; ".join(clauses)


def _later(first: _Ranking, second: _Ranking) -> list[str]:
    """What a later metric says of the leader and each candidate that the first metric tells from it; nothing else."""
    better, ties, worse = _sorted(first, second)
    metric, leader = second.metric, first.leader
    clauses = [f"in {metric.noun}, {leader} is {_beyond(better, metric, brief=True)}"] if better else []
    clauses += [f"{metric.noun} do not separate {leader} from {_tied(ties, metric)}"] if ties else []
    return clauses + [f"but in {metric.noun}, {gap.winner} is {_beyond([gap], metric)}" for gap in worse]


def _sorted(first: _Ranking, second: _Ranking) -> tuple[list[_Gap], list[_Gap], list[_Gap]]:
    """By the second metric, of whom the first metric's leader beats: where it is better, tied, and worse (turned round)."""
    beaten = [gap.other for gap in first.leads if gap.separated]
    leads = [gap for gap in second.gaps if gap.winner == first.leader and gap.other in beaten]
    better = [gap for gap in leads if gap.separated]
    worse = [gap for gap in leads if gap.high < 0]
    ties = [gap for gap in leads if gap not in better and gap not in worse]
    return better, ties, [gap.turned for gap in worse]


def _alone(candidate: CandidateSummary, metric: Metric) -> str:
    test = metric.score(candidate)
    assert test.mean is not None and test.low is not None and test.high is not None, "it finished a run"
    text, smallest = f"{metric.scale * test.mean:.{metric.decimals}f}", 10**-metric.decimals
    if float(text) == 0 and test.mean > 0:
        text = f"under {smallest:.{metric.decimals}f}"
    elif metric.unit == "%" and float(text) == 100 and test.mean < 1:
        text = f"over {100 - smallest:.{metric.decimals}f}"
    interval = _interval(metric.scale * test.low, metric.scale * test.high, metric.decimals)
    said = metric.alone.format(score=_unit(text, metric.unit))
    return f"{candidate.title} {said} (95 % interval {interval}), with no other model to compare it with"


def _beyond(leads: Sequence[_Gap], metric: Metric, brief: bool = False) -> str:
    """'4.1 percentage points above Hybrid (95 % interval 3.2 to 5.0) and 7.9 above ViT (6.8 to 9.0)'.

    `brief` after a clause that has said so already: '4.1 points above Hybrid (3.2 to 5.0) and ...'.
    """
    texts = []
    for number, gap in enumerate(leads):
        unit = metric.points[1 if brief else 0] if number == 0 else ""
        kind = "" if number or brief else "95 % interval "
        interval = _interval(gap.low, gap.high, _decimals(gap.low, metric))
        texts.append(f"{_unit(_number(gap, metric), unit)} {metric.beyond} {gap.other} ({kind}{interval})")
    return _listed(texts)


def _tied(ties: Sequence[_Gap], metric: Metric) -> str:
    """'Hybrid (difference 0.2 percentage points, 95 % interval -0.5 to 0.9) or ViT (0.3, -0.4 to 1.0)'."""
    texts = []
    for number, gap in enumerate(ties):
        words = ("", "", "") if number else ("difference ", metric.points[0], "95 % interval ")
        interval = _interval(gap.low, gap.high, metric.decimals)
        texts.append(f"{gap.other} ({words[0]}{_unit(_number(gap, metric), words[1])}, {words[2]}{interval})")
    return _listed(texts, "or")


def _beats(ranking: _Ranking) -> list[str]:
    """'CNN and Hybrid beat ViT by at least 3.1 points', one clause for each set of winners."""
    clauses = []
    for names, wins in ranking.beaten_by().items():
        verb = "beats" if len(names) == 1 else "beat"
        losers = list(dict.fromkeys(gap.other for gap in wins))
        least = min(gap.low for gap in wins)
        amount = _down(least, _decimals(least, ranking.metric))
        by = f"at least {amount}" if float(amount) > 0 else "more than 0"
        clauses.append(f"{_listed(names)} {verb} {_listed(losers)} by {_unit(by, ranking.metric.points[1])}")
    return clauses


def _failures(candidates: Sequence[CandidateSummary]) -> list[str]:
    num_failed, num_runs = sum(each.num_failed for each in candidates), sum(each.num_runs for each in candidates)
    absent = [each.title for each in candidates if not each.num_runs]
    clauses = [f"{num_failed} of {num_failed + num_runs} runs failed"] if num_failed else []
    return clauses + ([f"{_listed(absent)} finished no run and cannot be judged"] if absent else [])


def _decimals(low: float, metric: Metric) -> int:
    """Decimals with which a lower end above zero still shows as above zero: the metric's own where that works."""
    least, most = metric.decimals, metric.decimals + MORE_DECIMALS
    fitting = (number for number in range(least, most) if low <= 0 or float(_down(low, number)) > 0)
    return next(fitting, most)


def _number(gap: _Gap, metric: Metric) -> str:
    """The difference rounded to the nearest, without a minus before zero."""
    text = f"{gap.difference:.{_decimals(gap.low, metric)}f}"
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


def _unit(number: str, unit: str) -> str:
    """'3.1 points', or the number alone where there is no unit."""
    return f"{number} {unit}" if unit else number


def _listed(texts: Sequence[str], word: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"
