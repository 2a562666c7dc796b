"""Headline and sentence in each case, and that neither claims what a p-value does not allow; for three kinds of metric."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from fittingroom.comparison.verdict import verdict
from fittingroom.core.records import (
    BudgetRecord,
    CandidateRecord,
    CandidateSummary,
    ComparisonRecord,
    Contrast,
    DataRecord,
    Difference,
    Outlook,
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
SETTING = " Measured on Fashion-MNIST with 60 s of training each and 2 seeds."
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
        num_planned=(num_runs if mean is not None else 0) + num_failed,
        evals={"test": {metric.name: score for metric in metrics}},
    )


def contrast(
    a: str,
    b: str,
    *points: Points,
    metrics: Sequence[Metric] = (ACCURACY,),
    p: float | None = None,
    outlook: Outlook | None = None,
) -> Contrast:
    """`points`: difference, low and high for each metric, in its own unit. By default p fits them."""
    found = {}
    for metric, ends in zip(metrics, points, strict=True):
        difference, low, high = (value / metric.scale for value in ends)
        adjusted = p if p is not None else 0.4 if low <= 0 <= high else 0.012
        found[metric.name] = Difference(
            difference=difference, low=low, high=high, p=adjusted / 3, p_adjusted=adjusted, outlook=outlook
        )
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
        "CNN classifies best: 4.10 percentage points above Hybrid (95 % interval 3.20 to 5.00, p 0.012) and 7.90 above ViT "
        f"(6.80 to 9.00, p 0.012).{SETTING}"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ([60.0, 42.0], "at most 60 s of training each"),
        ([42.0, 60.3], r"60 s of training each \(overrun by up to 1 %\)"),
        ([65.4, None], r"60 s of training each \(overrun by up to 9 %\)"),
        ([41.0, 41.4], r"60 s of training each \(CNN used only 41 s\)"),
        ([2.0, 66.0], r"60 s of training each \(overrun by up to 10 %, CNN used only 34 s\)"),
    ],
)
def test_a_budget_that_was_not_kept_is_not_called_at_most(seconds: list[float | None], words: str) -> None:
    row = RunRow(run="cnn-seed0", folder="", candidate="cnn", seed=0, status="finished")
    rows = [replace(row, train_seconds=each) for each in seconds]
    rows.append(replace(row, status="failed", train_seconds=999.0))
    budget = BudgetRecord(kind="seconds", value=60.0, text="at most 60 s of training each")
    candidates = (CandidateRecord(name="cnn", title="CNN", model="cnn", family="CNN"),)
    record = replace(RECORD, budget=budget, runs=tuple(rows), candidates=candidates)
    assert re.search(f"Measured on Fashion-MNIST with {words} and 2 seeds.$", said(CLEAR, record).sentence)


def test_an_unknown_budget_is_not_mentioned() -> None:
    record = replace(RECORD, budget=BudgetRecord(kind="none", value=0, text=""))
    assert said(CLEAR, record).sentence.endswith("Measured on Fashion-MNIST with 2 seeds.")


def test_contrasts_given_the_other_way_round_say_the_same() -> None:
    turned = [
        contrast(each.b, each.a, (-100 * d.difference, -100 * d.high, -100 * d.low))
        for each in CLEAR[1]
        for d in each.metrics.values()
    ]
    assert said((CLEAR[0], turned)) == said(CLEAR)


NO_OUTLOOK = (
    " CNN and Hybrid: one seed each says nothing about other seeds; train two or more to learn what would settle it."
)


def test_a_tie_at_the_top_names_first_whom_both_beat() -> None:
    assert said(TIE).headline == "CNN and Hybrid beat ViT; nothing separates CNN from Hybrid."
    assert said(TIE).sentence == (
        "CNN and Hybrid beat ViT by 3.80 percentage points or more (95 % intervals from 3.10, p 0.012 or less); nothing "
        f"separates CNN from Hybrid (difference 0.20 percentage points, 95 % interval -0.50 to 0.90, p 0.4).{SETTING}{NO_OUTLOOK}"
    )


def test_p_decides_where_the_interval_of_the_pair_alone_leaves_out_zero() -> None:
    case = [candidate("cnn", 0.93), candidate("vit", 0.92)], [contrast("cnn", "vit", (0.5, 0.1, 0.9), p=0.06)]
    assert said(case).headline == "Nothing separates CNN from ViT."
    assert (
        "nothing separates CNN from ViT (difference 0.50 percentage points, 95 % interval 0.10 to 0.90, p 0.06)"
        in said(case).sentence.replace("Nothing", "nothing")
    )


def test_a_tied_model_beats_only_what_it_is_separated_from() -> None:
    found = said(three((0.2, -0.5, 0.9), (1.2, 0.3, 2.1), (1.0, -0.1, 2.1)))
    assert found.headline == "CNN beats ViT; nothing separates CNN from Hybrid."
    assert found.sentence.startswith("CNN beats ViT by 1.20 percentage points (95 % interval 0.30 to 2.10, p 0.012); ")
    assert found.outlook[1].startswith("Hybrid and ViT: ") and "Hybrid and ViT:" not in found.sentence


def test_ties_with_the_leader_that_differ_from_each_other_are_told() -> None:
    found = said(three((0.2, -0.5, 0.9), (0.3, -0.4, 1.0), (1.0, 0.1, 1.9)))
    assert found.headline == "Hybrid beats ViT; nothing separates CNN from Hybrid or ViT."


def test_models_that_nothing_separates_are_said_to_be_so() -> None:
    found = said(three((0.2, -0.5, 0.9), (0.3, -0.4, 1.0), (0.1, -0.6, 0.8)))
    assert found.headline == "Nothing separates CNN from Hybrid or ViT."
    assert found.sentence.startswith(
        "Nothing separates CNN from Hybrid (difference 0.20 percentage points, 95 % interval -0.50 to 0.90, p 0.4) "
        "or ViT (0.30, -0.40 to 1.00, p 0.4)."
    )
    assert "best" not in str(found) and "beat" not in str(found)


@pytest.mark.parametrize(
    ("outlook", "headline", "sentence"),
    [
        (
            Outlook(more_seeds=4),
            "4 more seeds would settle it",
            "4 more seeds per model would settle it, with a probability of 80 %.",
        ),
        (
            Outlook(more_seeds=1),
            "1 more seed would settle it",
            "1 more seed per model would settle it, with a probability of 80 %.",
        ),
        (
            Outlook(images_limit=True, least_gap=0.0019),
            "the test set is too small to settle it",
            "no number of seeds will settle it; the 10,000 test images are the limit (they cannot show a gap under 0.19 points).",
        ),
        (
            Outlook(images_limit=True, least_gap=0.0019, chance=0.56),
            "the test set may be too small to settle it",
            "even unlimited seeds would not settle it with a probability of 80 %; the 10,000 test images are the limit.",
        ),
        (
            Outlook(images_limit=True, least_gap=1.2),
            "the test set is too small to settle it",
            "no number of seeds will settle it; the 10,000 test images are the limit (they cannot show any gap).",
        ),
        (
            Outlook(),
            "over 100 more seeds would be needed",
            "over 100 more seeds would be needed to settle it with a probability of 80 %.",
        ),
    ],
)
def test_a_tie_says_what_would_settle_it(outlook: Outlook, headline: str, sentence: str) -> None:
    tie = contrast("cnn", "vit", (0.2, -0.5, 0.9), outlook=outlook)
    case = [candidate("cnn", 0.93), candidate("vit", 0.92)], [tie]
    found = verdict(RECORD, *case, (ACCURACY,), num_items="10,000 test images")
    assert found.headline == f"Nothing separates CNN from ViT: {headline}."
    assert found.outlook == (f"CNN and ViT: {sentence}",)
    assert found.sentence.endswith(f" CNN and ViT: {sentence}")


def test_ties_with_the_same_outlook_share_a_sentence() -> None:
    names = ("cnn", "hybrid", "vit")
    tie = contrast("cnn", "vit", (0.2, -0.5, 0.9), outlook=Outlook(more_seeds=4))
    contrasts = [replace(tie, a=a, b=b) for a, b in combinations(names, 2)]
    found = said(([candidate(name, 0.9 - place / 100) for place, name in enumerate(names)], contrasts))
    assert (
        found.outlook[0]
        == "CNN and Hybrid, CNN and ViT: 4 more seeds per model would settle it, with a probability of 80 %."
    )


def test_four_models_of_which_three_are_level() -> None:
    names = ("cnn", "hybrid", "mlp", "vit")
    tie, win = (0.1, -0.5, 0.7), (5.0, 4.0, 6.0)
    contrasts = [contrast(a, b, win if b == "vit" else tie) for a, b in combinations(names, 2)]
    case = [candidate(name, 0.9 - place / 100) for place, name in enumerate(names)], contrasts
    assert said(case).headline == "CNN, Hybrid and MLP beat ViT; nothing separates CNN from Hybrid or MLP."


def test_one_seed_speaks_of_the_trained_networks_only() -> None:
    one = three((4.1, 3.2, 5.0), (7.9, 6.8, 9.0), (3.8, 2.0, 5.6), num_runs=1)
    text = said(one, replace(RECORD, seeds=(3,))).sentence
    assert text.endswith(
        " and 1 seed: with one seed each, this holds for these trained networks, not for the architectures."
    )
    assert "architectures" not in str(said(CLEAR))


def test_runs_that_are_missing_are_in_headline_and_sentence() -> None:
    candidates = [replace(each, num_runs=1, num_planned=3) for each in CLEAR[0]]
    found = said((candidates, CLEAR[1]))
    assert found.headline == "CNN beats Hybrid and ViT (1 of 3 seeds)."
    assert "with 60 s of training each and 1 of 3 seeds: with one seed each, this holds" in found.sentence
    assert found.conditions == ("Only 3 of 9 runs have finished (seeds: ViT 1 of 3, CNN 1 of 3, Hybrid 1 of 3).",)
    uneven = [candidates[0], *(replace(each, num_planned=2) for each in CLEAR[0][1:])]
    found = said((uneven, CLEAR[1]))
    assert found.headline == "CNN beats Hybrid and ViT (5 of 7 runs)."
    assert "and 1 to 2 of 3 seeds." in found.sentence


def test_runs_made_in_different_ways_are_part_of_the_verdict() -> None:
    mixed = "The runs mix 2 commits."
    found = verdict(RECORD, *CLEAR, (ACCURACY,), mixed=mixed)
    assert found.sentence.endswith(f"2 seeds. {mixed}") and found.conditions == (mixed,)


def test_one_model_is_compared_with_nothing() -> None:
    found = said(([candidate("cnn", 0.9123)], []))
    assert found.headline == "CNN has no other model to compare with."
    assert found.sentence.startswith(
        "CNN classifies 91.23 % of the test images correctly (95 % interval 90.23 to 92.23), "
        "with no other model to compare it with."
    )


@pytest.mark.parametrize(
    ("metric", "mean", "words"),
    [
        (ACCURACY, 0.99999, "classifies over 99.99 % of"),
        (WORD_ERRORS, 0.251, "gets 25.10 % of the test words wrong"),
        (WORD_ERRORS, 0.00001, "gets under 0.01 % of"),
        (WORD_ERRORS, 0.0, "gets 0.00 % of"),
        (WORD_ERRORS, 0.999999, "gets over 99.99 % of"),
        (GREY_LEVELS, 12.34, "is off by 12.34 grey levels (95 % interval 12.33 to 12.35)"),
        (GREY_LEVELS, 100.0, "is off by 100.00 grey levels"),
        (GREY_LEVELS, 0.001, "is off by under 0.01 grey levels"),
    ],
)
def test_one_model_alone_is_told_by_its_score(metric: Metric, mean: float, words: str) -> None:
    assert words in said(([candidate("cnn", mean, metrics=[metric])], []), metrics=[metric]).sentence


def test_failed_runs_are_counted_and_a_model_without_runs_is_not_judged() -> None:
    candidates = [candidate("cnn", 0.93), candidate("hybrid", 0.89, 1, 1), candidate("vit", None, 0, 2)]
    found = said((candidates, [contrast("cnn", "hybrid", (4.1, 3.2, 5.0))]))
    assert found.headline == "CNN beats Hybrid (3 of 6 runs)."
    assert "CNN classifies best: 4.10 percentage points above Hybrid" in found.sentence
    assert found.conditions == (
        "Only 3 of 6 runs have finished (seeds: Hybrid 1 of 2, ViT 0 of 2); 3 runs failed.",
        "ViT finished no run and cannot be judged.",
    )
    assert found.sentence.endswith(" ".join(found.conditions))


def test_nothing_is_said_when_all_runs_failed() -> None:
    assert said(([candidate("cnn", None, 0, 2), candidate("vit", None, 0, 2)], [])) == Verdict(
        headline="No run finished.", sentence="Nothing can be said about Fashion-MNIST: no run has finished (4 failed)."
    )


def test_the_leader_is_not_a_model_that_its_own_contrast_contradicts() -> None:
    case = [candidate("cnn", 0.93), candidate("vit", 0.92, 1, 1)], [contrast("cnn", "vit", (-1.0, -1.5, -0.5))]
    assert "ViT classifies best: 1.00 percentage points above CNN" in said(case).sentence
    assert said(case).headline == "ViT beats CNN (3 of 4 runs)."


def test_candidates_with_one_title_are_told_apart_by_their_names() -> None:
    twins = [candidate("cnn", 0.93), replace(candidate("vit", 0.9), title="CNN")]
    found = said((twins, [contrast("cnn", "vit", (3.0, 2.0, 4.0))]))
    assert found.headline == "CNN (cnn) beats CNN (vit)."


@pytest.mark.parametrize(
    ("points", "wording"),
    [
        ((0.5, 0.04, 0.96), "0.50 percentage points above ViT (95 % interval 0.04 to 0.96, p"),
        ((0.5, 0.00001, 1.0), "0.50 percentage points above ViT (95 % interval more than 0 to 1.00, p"),
        ((1.0, 0.299, 1.701), "1.00 percentage points above ViT (95 % interval 0.29 to 1.71, p"),
        ((3.0, 2.9, 3.5), "3.00 percentage points above ViT (95 % interval 2.90 to 3.50, p"),
        ((0.6, -0.001, 1.2), "interval -0.01 to 1.20, p"),
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
    assert found.headline == "CNN and Hybrid beat ViT; nothing separates CNN from Hybrid."
    assert found.sentence.startswith(
        "CNN and Hybrid beat ViT by 3.80 grey levels or more (95 % intervals from 2.80, p 0.012 or less); nothing separates CNN "
        "from Hybrid (difference 0.20 grey levels, 95 % interval -0.50 to 0.90, p 0.4)."
    )
    bare = replace(GREY_LEVELS, points=("", ""))
    clear = [candidate("cnn", 5.0, metrics=[bare]), candidate("vit", 9.0, metrics=[bare])]
    text = said((clear, [contrast("cnn", "vit", (-4.0, -5.0, -3.0), metrics=[bare])]), metrics=[bare]).sentence
    assert text.startswith("CNN predicts best: 4.00 below ViT (95 % interval 3.00 to 5.00, p 0.012).")


BOTH = (WORD_ERRORS, PHONEME_ERRORS)
LEAD = "CNN makes the fewest word errors: 3.00 percentage points below ViT (95 % interval 1.80 to 4.20, p 0.012); "


@pytest.mark.parametrize(
    ("words", "phonemes", "headline", "sentence"),
    [
        (
            (-3.0, -4.2, -1.8),
            (-0.8, -1.2, -0.4),
            "CNN beats ViT.",
            f"{LEAD}in phoneme errors, CNN is 0.80 points below ViT (0.40 to 1.20, p 0.012).",
        ),
        (
            (-3.0, -4.2, -1.8),
            (-0.2, -0.6, 0.2),
            "CNN beats ViT.",
            f"{LEAD}phoneme errors do not separate CNN from ViT (difference 0.20 percentage points, 95 % interval -0.20 "
            "to 0.60, p 0.4).",
        ),
        (
            (-3.0, -4.2, -1.8),
            (0.8, 0.4, 1.2),
            "CNN beats ViT; in phoneme errors, ViT beats CNN.",
            f"{LEAD}but in phoneme errors, ViT is 0.80 percentage points below CNN (95 % interval 0.40 to 1.20, p 0.012).",
        ),
        (
            (3.0, 1.8, 4.2),
            (0.8, 0.4, 1.2),
            "ViT beats CNN.",
            "ViT makes the fewest word errors: 3.00 percentage points below CNN (95 % interval 1.80 to 4.20, p 0.012); in "
            "phoneme errors, ViT is 0.80 points below CNN (0.40 to 1.20, p 0.012).",
        ),
        (
            (-1.0, -2.2, 0.2),
            (-0.8, -1.2, -0.4),
            "Nothing separates CNN from ViT.",
            "Nothing separates CNN from ViT (difference 1.00 percentage points, 95 % interval -0.20 to 2.20, p 0.4).",
        ),
    ],
)
def test_the_first_metric_decides_and_the_second_is_asked_where_it_separates(
    words: Points, phonemes: Points, headline: str, sentence: str
) -> None:
    candidates = [candidate("cnn", 0.25, metrics=BOTH), candidate("vit", 0.28, metrics=BOTH)]
    found = said((candidates, [contrast("cnn", "vit", words, phonemes, metrics=BOTH)]), metrics=BOTH)
    assert found.headline == headline
    assert found.sentence.startswith(sentence + SETTING)
