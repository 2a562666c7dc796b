"""The verdict: a short headline, and sentences with the numbers. Neither claims more than the p-values allow.

"A is above B" is said only where p, adjusted for the number of pairs, is below 0.05 (`core.decision`). The winner comes first,
then the numbers, then the conditions: data, budget, seeds, what is missing, and what would settle a tie.

With several metrics, the first ranks. Later ones are mentioned only for candidates that the first separates: asked in that
order, at the same level, all answers together are wrong no more often than the first alone may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fittingroom.comparison.conditions import missing_mark, missing_text, outlook_mark, outlook_texts, seeds_text, unit
from fittingroom.comparison.protocol import budget_text
from fittingroom.core.records import CandidateSummary, ComparisonRecord, Contrast, Difference, Verdict
from fittingroom.core.text import sentence_case
from fittingroom.evaluation.metric import Metric, p_text


@dataclass(frozen=True, kw_only=True)
class _Gap:
    """By how much `winner` is better than `other` (fractions). It may be negative."""

    winner: str
    other: str
    difference: float
    low: float
    high: float
    found: Difference = field(repr=False)

    @property
    def decided(self) -> bool:
        """Whether one of the two beats the other."""
        return self.found.is_decided and self.difference != 0

    @property
    def separated(self) -> bool:
        """Whether `winner` beats `other`."""
        return self.decided and self.difference > 0

    @property
    def turned(self) -> "_Gap":
        """The same, as `other` against `winner`."""
        return _Gap(
            winner=self.other,
            other=self.winner,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            found=self.found,
        )


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
        """The leader against each other candidate, best first."""
        return [
            gap for title in self.ranked[1:] for gap in self.gaps if (gap.winner, gap.other) == (self.leader, title)
        ]

    @property
    def ties(self) -> list[_Gap]:
        """The leads that are not decided."""
        return [gap for gap in self.leads if not gap.decided]

    @property
    def other_ties(self) -> list[_Gap]:
        """The undecided pairs without the leader."""
        both = [gap for gap in self.gaps if not gap.decided and self.leader not in (gap.winner, gap.other)]
        order = {title: place for place, title in enumerate(self.ranked)}
        return [gap for gap in both if order[gap.winner] < order[gap.other]]

    @property
    def top(self) -> list[str]:
        """The leader, whoever ties with it, and whoever beats it (where the contrasts contradict each other)."""
        beats_it = [gap.other for gap in self.leads if gap.turned.separated]
        return [self.leader, *(gap.other for gap in self.ties), *beats_it]

    @property
    def is_clear(self) -> bool:
        """Whether the leader beats every other candidate."""
        return len(self.leads) == len(self.ranked) - 1 and all(gap.separated for gap in self.leads)

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
    *,
    num_items: str = "test items",
    mixed: str = "",
    none_learned: str = "",
) -> Verdict:
    """Which candidate does best on the test part. `record` gives title and budget.

    `num_items` is '10,000 test images' or the like. `mixed` is the sentence on runs that were made in different ways.
    `none_learned` is 'images' or the like where no run is clearly better than one answer for all of them.
    """
    finished, one = [each for each in candidates if each.num_runs], unit(record)
    if not finished:
        failed = f"{sum(each.num_failed for each in candidates)}{'' if one == 'run' else ' of its runs'} failed"
        sentence = f"Nothing can be said about {record.title}: no {one} has finished ({failed})."
        return Verdict(headline=f"No {one} finished.", sentence=sentence)
    conditions = [each for each in (missing_text(candidates, one), _absent(candidates, one), mixed) if each]
    first, *later = (_ranking(metric, finished, contrasts) for metric in metrics)
    about_leader: list[str] = []
    about_others: list[str] = []
    if len(finished) == 1:
        headline = f"{finished[0].title} has no other model to compare with"
        found = [_alone(finished[0], first.metric)]
    else:
        headline = _headline(first, later)
        if none_learned and not any(gap.decided for gap in first.gaps):
            headline = f"No model is clearly better than one answer for all {none_learned}"
        found = [_finding(first), *(clause for each in later for clause in _later(first, each))]
        about_leader, about_others = (
            _outlook(each, first.metric, num_items) for each in (first.ties, first.other_ties)
        )
    sentences = [f"{_opened('; '.join(found))}.", _setting(record, finished), *conditions, *about_leader]
    return Verdict(
        headline=f"{headline}{missing_mark(candidates, one)}.",
        sentence=" ".join(sentences),
        conditions=tuple(conditions),
        outlook=(*about_leader, *about_others),
    )


def _setting(record: ComparisonRecord, candidates: Sequence[CandidateSummary]) -> str:
    """'Measured on Fashion-MNIST with 5 epochs each and 3 seeds.'"""
    seeds, folds = seeds_text(candidates), record.data.facts.get("folds")
    seeds += f" of {folds}-fold cross-validation" if folds else ""
    setting = [text for text in (budget_text(record), seeds) if text]
    text = f"Measured on {record.title} with {_listed(setting)}"
    if max(each.num_runs for each in candidates) == 1:
        text += ": with one seed each, this holds for these trained networks, not for the architectures"
    return f"{text}."


def _absent(candidates: Sequence[CandidateSummary], one: str) -> str:
    absent = [each.title for each in candidates if not each.num_runs]
    return f"{_listed(absent)} finished no {one} and cannot be judged." if absent else ""


def _ranking(metric: Metric, finished: Sequence[CandidateSummary], contrasts: Sequence[Contrast]) -> _Ranking:
    """Best first: the candidate that the fewest beat, then by mean test score."""
    titles = _titles(finished)
    gaps = []
    for contrast in contrasts:
        found = metric.difference(contrast)
        low, high = sorted((metric.sign * found.low, metric.sign * found.high))
        difference = metric.sign * found.difference
        gap = _Gap(
            winner=titles[contrast.a],
            other=titles[contrast.b],
            difference=difference,
            low=low,
            high=high,
            found=found,
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
    """'CNN and Hybrid beat ViT; nothing separates CNN from Hybrid: 4 more seeds would settle it'."""
    clauses = []
    for names, wins in first.beaten_by().items():
        losers = _listed(list(dict.fromkeys(gap.other for gap in wins)))
        clauses.append(f"{_listed(names)} {'beats' if len(names) == 1 else 'beat'} {losers}")
    if first.ties:
        whom = f"{first.leader} from {_listed([gap.other for gap in first.ties], 'or')}"
        mark = outlook_mark([gap.found for gap in first.ties])
        clauses.append(f"nothing separates {whom}{f': {mark}' if mark else ''}")
    clauses += [
        f"in {each.metric.noun}, {gap.winner} beats {gap.other}" for each in later for gap in _sorted(first, each)[2]
    ]
    return _opened("; ".join(clauses))


def _opened(text: str) -> str:
    """Our own words begin with a capital; the name of a model stays as it is."""
    return sentence_case(text) if text.startswith("nothing separates ") else text


def _finding(ranking: _Ranking) -> str:
    """The numbers of the first metric."""
    if ranking.is_clear:
        return f"{ranking.leader} {ranking.metric.wins}: {_beyond(ranking.leads, ranking.metric)}"
    clauses = _beats(ranking)
    if ranking.ties:
        clauses.append(f"nothing separates {ranking.leader} from {_tied(ranking.ties, ranking.metric)}")
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
    worse = [gap for gap in leads if gap.turned.separated]
    ties = [gap for gap in leads if gap not in better and gap not in worse]
    return better, ties, [gap.turned for gap in worse]


def _outlook(gaps: Sequence[_Gap], metric: Metric, num_items: str) -> list[str]:
    ties = [(f"{gap.winner} and {gap.other}", gap.found) for gap in gaps]
    return outlook_texts(ties, metric, num_items)


def _alone(candidate: CandidateSummary, metric: Metric) -> str:
    test = metric.score(candidate)
    assert test.mean is not None and test.low is not None and test.high is not None, "it finished a run"
    text, smallest = metric.number(test.mean), 10**-metric.decimals
    if float(text) == 0 and test.mean > 0:
        text = f"under {smallest:.{metric.decimals}f}"
    elif metric.unit == "%" and float(text) == 100 and test.mean < 1:
        text = f"over {100 - smallest:.{metric.decimals}f}"
    said = metric.alone.format(score=_unit(text, metric.unit))
    interval = metric.interval_text(test.low, test.high)
    return f"{candidate.title} {said} (95 % interval {interval}), with no other model to compare it with"


def _beyond(leads: Sequence[_Gap], metric: Metric, brief: bool = False) -> str:
    """'4.10 percentage points above Hybrid (95 % interval 3.20 to 5.00, p 0.012) and 7.90 above ViT (6.80 to 9.00, ...)'.

    `brief` after a clause that has said so already: '4.10 points above Hybrid (3.20 to 5.00, p 0.012) and ...'.
    """
    texts = []
    for number, gap in enumerate(leads):
        unit = metric.points[1 if brief else 0] if number == 0 else ""
        amount = _unit(metric.number(gap.difference), unit)
        texts.append(f"{amount} {metric.beyond} {gap.other} ({_numbers(gap, metric, brief or number > 0)})")
    return _listed(texts)


def _tied(ties: Sequence[_Gap], metric: Metric) -> str:
    """'Hybrid (difference 0.20 percentage points, 95 % interval -0.50 to 0.90, p 0.4) or ViT (0.30, -0.40 to 1.00, p 0.3)'."""
    texts = []
    for number, gap in enumerate(ties):
        opening, unit = ("", "") if number else ("difference ", metric.points[0])
        amount = _unit(metric.number(gap.difference), unit)
        texts.append(f"{gap.other} ({opening}{amount}, {_numbers(gap, metric, number > 0)})")
    return _listed(texts, "or")


def _numbers(gap: _Gap, metric: Metric, brief: bool) -> str:
    """'95 % interval 3.20 to 5.00, p 0.012'. The p is the adjusted one."""
    interval = metric.interval_text(gap.low, gap.high)
    return f"{'' if brief else '95 % interval '}{interval}, p {p_text(gap.found.p_adjusted)}"


def _beats(ranking: _Ranking) -> list[str]:
    """'CNN and Hybrid beat ViT by 3.80 points or more (95 % intervals from 3.10, p 0.004 or less)' for each set of winners."""
    metric, clauses = ranking.metric, []
    for names, wins in ranking.beaten_by().items():
        verb = "beats" if len(names) == 1 else "beat"
        losers = list(dict.fromkeys(gap.other for gap in wins))
        amount = _unit(metric.number(min(gap.difference for gap in wins)), metric.points[0])
        if len(wins) == 1:
            by = f"{amount} ({_numbers(wins[0], metric, brief=False)})"
        else:
            lowest = metric.low_text(min(gap.low for gap in wins))
            largest = p_text(max(gap.found.p_adjusted for gap in wins))
            by = f"{amount} or more (95 % intervals from {lowest}, p {largest} or less)"
        clauses.append(f"{_listed(names)} {verb} {_listed(losers)} by {by}")
    return clauses


def _unit(number: str, unit: str) -> str:
    """'3.10 points', or the number alone where there is no unit."""
    return f"{number} {unit}" if unit else number


def _listed(texts: Sequence[str], word: str = "and") -> str:
    """'a', 'a and b', 'a, b and c'."""
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"
