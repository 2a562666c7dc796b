"""What headline and sentence claim, read back from their words: nothing but what the p-values allow."""

import re
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.core.records import Contrast
from fittingroom.evaluation.metric import Metric
from fittingroom.tasks.classification.scoring import ACCURACY
from tests.unit.comparison.test_verdict import (
    BOTH,
    CLEAR,
    GREY_LEVELS,
    TIE,
    TITLES,
    Case,
    candidate,
    contrast,
    said,
)

NAMES = st.lists(st.sampled_from(list(TITLES)), min_size=2, max_size=4, unique=True)
ENDS = st.one_of(st.floats(-9, 9), st.sampled_from([0.0, 1e-9, -1e-9, 0.04, -0.04, 0.1]))
POINTS = st.tuples(ENDS, ENDS, ENDS).map(lambda found: (sorted(found)[1], min(found), max(found)))
PS = st.one_of(st.none(), st.floats(1e-9, 1), st.sampled_from([0.0499999, 0.05]))
METRICS = st.sampled_from([(ACCURACY,), (GREY_LEVELS,), BOTH])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Case, tuple[Metric, ...]]:
    """Any candidates and contrasts, contradictory ones too."""
    names, metrics = draw(NAMES), draw(METRICS)
    candidates = [
        candidate(name, draw(st.floats(0.1, 1)), num_runs=draw(st.integers(1, 3)), metrics=metrics) for name in names
    ]
    contrasts = [
        contrast(a, b, *(draw(POINTS) for _ in metrics), metrics=metrics, p=draw(PS)) for a, b in combinations(names, 2)
    ]
    return (candidates, contrasts), metrics


TITLE = "|".join(TITLES.values())
SOME = rf"((?:(?:{TITLE})(?:, | and ))*(?:{TITLE}))"


def pairs(winners: str, losers: str) -> set[tuple[str, str]]:
    return {(a, b) for a in re.split(", | and ", winners) for b in re.split(", | and ", losers)}


def claims(text: str, metric: Metric) -> set[tuple[str, str]]:
    """Every 'winner before loser' that the sentence claims by the first metric, by title."""
    found = set()
    for winner, lead in re.findall(rf"(\w+) {metric.wins}: ([^;]*)", text):
        found |= {(winner, loser) for loser in re.findall(rf"{metric.beyond} (\w+)", lead)}
    for winners, losers in re.findall(rf"{SOME} beats? {SOME} by", text):
        found |= pairs(winners, losers)
    return found


def later_claims(text: str, metric: Metric) -> set[tuple[str, str]]:
    leads = re.findall(rf"in {metric.noun}, (\w+) is ([^;]*)", text)
    return {(winner, loser) for winner, lead in leads for loser in re.findall(rf"{metric.beyond} (\w+)", lead)}


def headline_claims(text: str) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """By the first metric, by the second."""
    first, second = set(), set()
    for clause in text.rstrip(".").split("; "):
        found = re.fullmatch(rf"(in [\w ]+, )?{SOME} beats? {SOME}", clause)
        if found:
            (second if found[1] else first).update(pairs(found[2], found[3]))
        else:
            assert re.fullmatch(r"[Nn]othing separates .*", clause), clause
    return first, second


def allowed(contrasts: Sequence[Contrast], metric: Metric) -> set[tuple[str, str]]:
    found = set()
    for each in contrasts:
        difference = metric.difference(each)
        if difference.p_adjusted < 0.05 and difference.difference:
            a_wins = metric.sign * difference.difference > 0
            found.add((TITLES[each.a], TITLES[each.b]) if a_wins else (TITLES[each.b], TITLES[each.a]))
    return found


@pytest.mark.thorough
@settings(max_examples=600, deadline=None)
@given(cases())
def test_headline_and_sentence_claim_only_what_the_p_values_allow(given: tuple[Case, tuple[Metric, ...]]) -> None:
    case, (first, *later) = given
    found = said(case, metrics=(first, *later))
    by_first = allowed(case[1], first)
    claimed = claims(found.sentence, first)
    assert claimed <= by_first
    assert (first.wins in found.sentence or " beat" in found.sentence) == bool(claimed)
    headline, headline_later = headline_claims(found.headline)
    assert headline == claimed
    for metric in later:
        second = later_claims(found.sentence, metric)
        assert headline_later <= second <= allowed(case[1], metric)
        assert second <= by_first | {(b, a) for a, b in by_first}
    assert found.sentence.endswith(".") and ".." not in found.sentence and " ." not in found.sentence


def test_the_property_reads_claims() -> None:
    assert claims(said(CLEAR).sentence, ACCURACY) == {("CNN", "Hybrid"), ("CNN", "ViT")}
    assert claims(said(TIE).sentence, ACCURACY) == {("CNN", "ViT"), ("Hybrid", "ViT")}
    assert headline_claims(said(TIE).headline)[0] == {("CNN", "ViT"), ("Hybrid", "ViT")}
