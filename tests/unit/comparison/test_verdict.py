"""Headline and sentence in each case, and that neither claims what an interval does not allow; for three kinds of metric."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.comparison.verdict import verdict
from fittingroom.core.records import (
    BudgetRecord,
    CandidateRecord,
    CandidateSummary,
    ComparisonRecord,
    Contrast,
    DataRecord,
    Difference,
    RunRow,
    Score,
    Verdict,
)
from fittingroom.evaluation.metric import Metric
from fittingroom.evaluation.statistics import accuracy_interval
from fittingroom.tasks.classification.scoring import ACCURACY
from fittingroom.tasks.seq2seq.scoring import PHONEME_ERRORS, WORD_ERRORS

TITLES = {"cnn": "CNN", "hybrid": "Hybrid", "vit": "ViT", "mlp": "MLP"}
GREY_LEVELS = Metric(
    name="grey_error",
    title="mean error",
    higher_is_better=False,
    values=np.asarray,
    interval=accuracy_interval,
    scale=1.0,
    unit="",
    points=("grey levels", "levels"),
    wins="predicts best",
    beyond="below",
    alone="is off by {score} grey levels",
    noun="mean error",
)
RECORD = ComparisonRecord(
    task="classification",
    title="Fashion-MNIST",
    command="",
    created="",
    version="",
    protocol=(),
    environment={},
    budget=BudgetRecord(kind="seconds", value=60, text="60 s of training each"),
    data=DataRecord(name="fashion-mnist"),
    seeds=(0, 1),
    candidates=tuple(
        CandidateRecord(name=name, title=title, model=name, family=name) for name, title in TITLES.items()
    ),
)
OPENING = "On Fashion-MNIST, with 60 s of training each and 2 seeds, "
Points = tuple[float, float, float]
Case = tuple[list[CandidateSummary], list[Contrast]]


def candidate(
    name: str, mean: float | None, num_runs: int = 2, num_failed: int = 0, metrics: Sequence[Metric] = (ACCURACY,)
) -> CandidateSummary:
    score = Score() if mean is None else Score(mean=mean, low=mean - 0.01, high=mean + 0.01)
    return CandidateSummary(
        name=name,
        title=TITLES[name],
        family=name,
        num_runs=num_runs if mean is not None else 0,
        num_failed=num_failed,
        evals={"test": {metric.name: score for metric in metrics}},
    )


def contrast(a: str, b: str, *points: Points, metrics: Sequence[Metric] = (ACCURACY,)) -> Contrast:
    """`points`: difference, low and high for each metric, in its own unit."""
    found = {}
    for metric, ends in zip(metrics, points, strict=True):
        difference, low, high = (value / metric.scale for value in ends)
        found[metric.name] = Difference(difference=difference, low=low, high=high, p=0.5, p_holm=0.5)
    return Contrast(a=a, b=b, metrics=found)


def three(cnn_hybrid: Points, cnn_vit: Points, hybrid_vit: Points, num_runs: int = 2) -> Case:
    candidates = [candidate(name, mean, num_runs) for name, mean in (("vit", 0.85), ("cnn", 0.93), ("hybrid", 0.89))]
    return candidates, [
        contrast("cnn", "hybrid", cnn_hybrid),
        contrast("cnn", "vit", cnn_vit),
        contrast("hybrid", "vit", hybrid_vit),
    ]


def said(case: Case, record: ComparisonRecord = RECORD, metrics: Sequence[Metric] = (ACCURACY,)) -> Verdict:
    return verdict(record, *case, metrics)


CLEAR = three((4.1, 3.2, 5.0), (7.9, 6.8, 9.0), (3.8, 2.0, 5.6))
TIE = three((0.2, -0.5, 0.9), (4.0, 3.3, 4.7), (3.8, 3.1, 4.5))


def test_a_clear_winner_is_named_with_its_lead_over_each() -> None:
    assert said(CLEAR).headline == "CNN beats Hybrid and ViT."
    assert said(CLEAR).sentence == (
        f"{OPENING}CNN classifies best: "
        "4.1 percentage points above Hybrid (95 % interval 3.2 to 5.0) and 7.9 above ViT (6.8 to 9.0)."
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ([60.0, 12.0], "at most 60 s of training each"),
        ([12.0, 60.3], r"60 s of training each \(overrun by up to 1 %\)"),
        ([65.4, None], r"60 s of training each \(overrun by up to 9 %\)"),
    ],
)
def test_a_budget_that_was_overrun_is_not_called_at_most(seconds: list[float | None], words: str) -> None:
    row = RunRow(run="cnn-seed0", folder="", candidate="cnn", seed=0, status="finished")
    rows = [replace(row, train_seconds=each) for each in seconds]
    rows.append(replace(row, status="failed", train_seconds=999.0))
    budget = BudgetRecord(kind="seconds", value=60.0, text="at most 60 s of training each")
    record = replace(RECORD, budget=budget, runs=tuple(rows))
    assert re.match(f"On Fashion-MNIST, with {words} and 2 seeds, ", said(CLEAR, record).sentence)


def test_an_unknown_budget_is_not_mentioned() -> None:
    record = replace(RECORD, budget=BudgetRecord(kind="none", value=0, text=""))
    assert said(CLEAR, record).sentence.startswith("On Fashion-MNIST, with 2 seeds, CNN classifies best")


def test_contrasts_given_the_other_way_round_say_the_same() -> None:
    turned = [
        contrast(each.b, each.a, (-100 * d.difference, -100 * d.high, -100 * d.low))
        for each in CLEAR[1]
        for d in each.metrics.values()
    ]
    assert said((CLEAR[0], turned)) == said(CLEAR)


def test_a_tie_at_the_top_names_no_winner() -> None:
    assert said(TIE).headline == "CNN and Hybrid are level; both beat ViT."
    assert said(TIE).sentence == (
        f"{OPENING}nothing separates CNN from Hybrid "
        "(difference 0.2 percentage points, 95 % interval -0.5 to 0.9); CNN and Hybrid beat ViT by at least 3.1 points."
    )


def test_a_tied_model_beats_only_what_it_is_separated_from() -> None:
    found = said(three((0.2, -0.5, 0.9), (1.2, 0.3, 2.1), (1.0, -0.1, 2.1)))
    assert found.headline == "CNN and Hybrid are level; CNN beats ViT."
    assert found.sentence.endswith("0.9); CNN beats ViT by at least 0.3 points.")


def test_ties_with_the_leader_that_differ_from_each_other_are_not_called_level() -> None:
    found = said(three((0.2, -0.5, 0.9), (0.3, -0.4, 1.0), (1.0, 0.1, 1.9)))
    assert found.headline == "Nothing separates CNN from Hybrid or ViT; Hybrid beats ViT."


def test_models_that_nothing_separates_are_said_to_be_so() -> None:
    found = said(three((0.2, -0.5, 0.9), (0.3, -0.4, 1.0), (0.1, -0.6, 0.8)))
    assert found.headline == "Nothing separates CNN, Hybrid and ViT."
    assert found.sentence.endswith(
        "nothing separates CNN from Hybrid (difference 0.2 percentage points, 95 % interval -0.5 to 0.9) "
        "or ViT (0.3, -0.4 to 1.0)."
    )
    assert "best" not in str(found) and "beat" not in str(found)


def test_four_models_of_which_three_are_level() -> None:
    names = ("cnn", "hybrid", "mlp", "vit")
    tie, win = (0.1, -0.5, 0.7), (5.0, 4.0, 6.0)
    contrasts = [contrast(a, b, win if b == "vit" else tie) for a, b in combinations(names, 2)]
    case = [candidate(name, 0.9 - place / 100) for place, name in enumerate(names)], contrasts
    assert said(case).headline == "CNN, Hybrid and MLP are level; all of them beat ViT."


def test_one_seed_speaks_of_the_trained_networks_only() -> None:
    one = three((4.1, 3.2, 5.0), (7.9, 6.8, 9.0), (3.8, 2.0, 5.6), num_runs=1)
    text = said(one, replace(RECORD, seeds=(3,))).sentence
    assert "and 1 seed, CNN classifies best" in text
    assert text.endswith("; with one seed this holds for these trained networks, not for the architectures.")
    assert "architectures" not in str(said(CLEAR))


def test_one_model_is_compared_with_nothing() -> None:
    found = said(([candidate("cnn", 0.9123)], []))
    assert found.headline == "CNN has no other model to compare with."
    assert found.sentence.endswith(
        "CNN classifies 91.2 % of the test images correctly (95 % interval 90.2 to 92.3), "
        "with no other model to compare it with."
    )


@pytest.mark.parametrize(
    ("metric", "mean", "words"),
    [
        (ACCURACY, 0.9999, "classifies over 99.9 % of"),
        (WORD_ERRORS, 0.251, "gets 25.1 % of the test words wrong"),
        (WORD_ERRORS, 0.0001, "gets under 0.1 % of"),
        (WORD_ERRORS, 0.0, "gets 0.0 % of"),
        (WORD_ERRORS, 0.99999, "gets over 99.9 % of"),
        (GREY_LEVELS, 12.34, "is off by 12.3 grey levels (95 % interval 12.3 to 12.4)"),
        (GREY_LEVELS, 100.0, "is off by 100.0 grey levels"),
        (GREY_LEVELS, 0.01, "is off by under 0.1 grey levels"),
    ],
)
def test_one_model_alone_is_told_by_its_score(metric: Metric, mean: float, words: str) -> None:
    assert words in said(([candidate("cnn", mean, metrics=[metric])], []), metrics=[metric]).sentence


def test_failed_runs_are_counted_and_a_model_without_runs_is_not_judged() -> None:
    candidates = [candidate("cnn", 0.93), candidate("hybrid", 0.89, 1, 1), candidate("vit", None, 0, 2)]
    found = said((candidates, [contrast("cnn", "hybrid", (4.1, 3.2, 5.0))]))
    assert found.headline == "CNN beats Hybrid."
    assert "CNN classifies best: 4.1 percentage points above Hybrid" in found.sentence
    assert found.sentence.endswith("; 3 of 6 runs failed; ViT finished no run and cannot be judged.")


def test_nothing_is_said_when_all_runs_failed() -> None:
    assert said(([candidate("cnn", None, 0, 2), candidate("vit", None, 0, 2)], [])) == Verdict(
        headline="No run finished.", sentence=f"{OPENING}no run finished (4 failed), so nothing can be said."
    )


def test_models_without_a_common_seed_are_not_compared() -> None:
    found = said(([candidate("cnn", 0.93, 1, 1), candidate("vit", 0.85, 1, 1)], []))
    assert found.headline == "CNN could not be compared with ViT."
    assert "CNN has no finished seed in common with ViT;" in found.sentence and "best" not in found.sentence


def test_the_leader_is_not_a_model_that_its_own_contrast_contradicts() -> None:
    case = [candidate("cnn", 0.93), candidate("vit", 0.92, 1, 1)], [contrast("cnn", "vit", (-1.0, -1.5, -0.5))]
    assert "ViT classifies best: 1.0 percentage points above CNN" in said(case).sentence
    assert said(case).headline == "ViT beats CNN."


def test_candidates_with_one_title_are_told_apart_by_their_names() -> None:
    twins = [candidate("cnn", 0.93), replace(candidate("vit", 0.9), title="CNN")]
    found = said((twins, [contrast("cnn", "vit", (3.0, 2.0, 4.0))]))
    assert found.headline == "CNN (cnn) beats CNN (vit)."


@pytest.mark.parametrize(
    ("points", "wording"),
    [
        ((0.5, 0.04, 0.96), "0.50 percentage points above ViT (95 % interval 0.04 to 0.96)"),
        ((0.5, 0.00001, 1.0), "0.5000 percentage points above ViT (95 % interval more than 0 to 1.0000)"),
        ((1.0, 0.29, 1.71), "1.0 percentage points above ViT (95 % interval 0.2 to 1.8)"),
        ((3.0, 2.9, 3.5), "3.0 percentage points above ViT (95 % interval 2.9 to 3.5)"),
        ((0.6, -0.001, 1.2), "interval -0.1 to 1.2"),
    ],
)
def test_rounding_turns_away_from_the_claim(points: Points, wording: str) -> None:
    case = [candidate("cnn", 0.93), candidate("vit", 0.92)], [contrast("cnn", "vit", points)]
    assert wording in said(case).sentence


def test_a_metric_that_is_no_percentage_reads_right() -> None:
    metrics = [GREY_LEVELS]
    candidates = [
        candidate(name, mean, metrics=metrics) for name, mean in (("vit", 9.0), ("cnn", 5.0), ("hybrid", 5.2))
    ]
    contrasts = [
        contrast("cnn", "hybrid", (-0.2, -0.9, 0.5), metrics=metrics),
        contrast("cnn", "vit", (-4.0, -5.0, -3.0), metrics=metrics),
        contrast("hybrid", "vit", (-3.8, -4.8, -2.8), metrics=metrics),
    ]
    found = said((candidates, contrasts), metrics=metrics)
    assert found.headline == "CNN and Hybrid are level; both beat ViT."
    assert found.sentence == (
        f"{OPENING}nothing separates CNN from Hybrid (difference 0.2 grey levels, 95 % interval -0.5 to 0.9); "
        "CNN and Hybrid beat ViT by at least 2.8 levels."
    )
    bare = replace(GREY_LEVELS, points=("", ""))
    clear = [candidate("cnn", 5.0, metrics=[bare]), candidate("vit", 9.0, metrics=[bare])]
    text = said((clear, [contrast("cnn", "vit", (-4.0, -5.0, -3.0), metrics=[bare])]), metrics=[bare]).sentence
    assert text.endswith("CNN predicts best: 4.0 below ViT (95 % interval 3.0 to 5.0).")


BOTH = (WORD_ERRORS, PHONEME_ERRORS)
LEAD = "CNN makes the fewest word errors: 3.0 percentage points below ViT (95 % interval 1.8 to 4.2); "


@pytest.mark.parametrize(
    ("words", "phonemes", "headline", "sentence"),
    [
        (
            (-3.0, -4.2, -1.8),
            (-0.8, -1.2, -0.4),
            "CNN beats ViT.",
            f"{LEAD}in phoneme errors, CNN is 0.8 points below ViT (0.4 to 1.2).",
        ),
        (
            (-3.0, -4.2, -1.8),
            (-0.2, -0.6, 0.2),
            "CNN beats ViT.",
            f"{LEAD}phoneme errors do not separate CNN from ViT (difference 0.2 percentage points, 95 % interval -0.2 to 0.6).",
        ),
        (
            (-3.0, -4.2, -1.8),
            (0.8, 0.4, 1.2),
            "CNN beats ViT; in phoneme errors, ViT beats CNN.",
            f"{LEAD}but in phoneme errors, ViT is 0.8 percentage points below CNN (95 % interval 0.4 to 1.2).",
        ),
        (
            (3.0, 1.8, 4.2),
            (0.8, 0.4, 1.2),
            "ViT beats CNN.",
            "ViT makes the fewest word errors: 3.0 percentage points below CNN (95 % interval 1.8 to 4.2); in phoneme errors, "
            "ViT is 0.8 points below CNN (0.4 to 1.2).",
        ),
        (
            (-1.0, -2.2, 0.2),
            (-0.8, -1.2, -0.4),
            "Nothing separates CNN and ViT.",
            "nothing separates CNN from ViT (difference 1.0 percentage points, 95 % interval -0.2 to 2.2).",
        ),
    ],
)
def test_the_first_metric_decides_and_the_second_is_asked_where_it_separates(
    words: Points, phonemes: Points, headline: str, sentence: str
) -> None:
    candidates = [candidate("cnn", 0.25, metrics=BOTH), candidate("vit", 0.28, metrics=BOTH)]
    found = said((candidates, [contrast("cnn", "vit", words, phonemes, metrics=BOTH)]), metrics=BOTH)
    assert (found.headline, found.sentence) == (headline, OPENING + sentence)


NAMES = st.lists(st.sampled_from(list(TITLES)), min_size=2, max_size=4, unique=True)
ENDS = st.one_of(st.floats(-9, 9), st.sampled_from([0.0, 1e-9, -1e-9, 0.04, -0.04, 0.1]))
POINTS = st.tuples(ENDS, ENDS, ENDS).map(lambda found: (sorted(found)[1], min(found), max(found)))
METRICS = st.sampled_from([(ACCURACY,), (GREY_LEVELS,), BOTH])


@st.composite
def cases(draw: st.DrawFn) -> tuple[Case, tuple[Metric, ...]]:
    """Any candidates and contrasts, contradictory ones and missing ones too."""
    names, metrics = draw(NAMES), draw(METRICS)
    candidates = [
        candidate(name, draw(st.floats(0.1, 1)), num_runs=draw(st.integers(1, 3)), metrics=metrics) for name in names
    ]
    contrasts = [
        contrast(a, b, *(draw(POINTS) for _ in metrics), metrics=metrics)
        for a, b in combinations(names, 2)
        if draw(st.integers(0, 9))
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
    level = re.match(rf"{SOME} are level", text)
    first, second = set(), set()
    for clause in text.rstrip(".").split("; "):
        found = re.fullmatch(rf"(?:in [\w ]+, )?(both|all of them|{SOME}) beats? {SOME}", clause)
        if found:
            assert level or found[2], clause
            claimed = pairs(found[2] or (level[1] if level else ""), found[3])
            if clause.startswith("in "):
                second |= claimed
            else:
                first |= claimed
        else:
            assert re.fullmatch(
                rf"{SOME} are level|[Nn]othing separates .*|\w+ could not be compared with .*", clause
            ), clause
    return first, second


def allowed(contrasts: Sequence[Contrast], metric: Metric) -> set[tuple[str, str]]:
    found = set()
    for each in contrasts:
        difference = metric.difference(each)
        low, high = sorted((metric.sign * difference.low, metric.sign * difference.high))
        found |= {(TITLES[each.a], TITLES[each.b])} if low > 0 else set()
        found |= {(TITLES[each.b], TITLES[each.a])} if high < 0 else set()
    return found


@pytest.mark.thorough
@settings(max_examples=600, deadline=None)
@given(cases())
def test_headline_and_sentence_claim_only_what_the_intervals_allow(given: tuple[Case, tuple[Metric, ...]]) -> None:
    case, (first, *later) = given
    found = said(case, metrics=(first, *later))
    by_first = allowed(case[1], first)
    claimed = claims(found.sentence, first)
    assert claimed <= by_first
    assert (first.wins in found.sentence or " beat" in found.sentence) == bool(claimed)
    headline, headline_later = headline_claims(found.headline)
    assert headline == claimed
    if level := re.match(rf"{SOME} are level", found.headline):
        names = re.split(", | and ", level[1])
        assert not {(a, b) for a in names for b in names} & by_first
        compared = {frozenset((TITLES[each.a], TITLES[each.b])) for each in case[1]}
        assert {frozenset(pair) for pair in combinations(names, 2)} <= compared
    for metric in later:
        second = later_claims(found.sentence, metric)
        assert headline_later <= second <= allowed(case[1], metric)
        assert second <= by_first | {(b, a) for a, b in by_first}
    assert found.sentence.endswith(".") and found.sentence.count(". ") == 0 and "seeds, ." not in found.sentence


def test_the_property_reads_claims() -> None:
    assert claims(said(CLEAR).sentence, ACCURACY) == {("CNN", "Hybrid"), ("CNN", "ViT")}
    assert claims(said(TIE).sentence, ACCURACY) == {("CNN", "ViT"), ("Hybrid", "ViT")}
    assert headline_claims(said(TIE).headline)[0] == {("CNN", "ViT"), ("Hybrid", "ViT")}
