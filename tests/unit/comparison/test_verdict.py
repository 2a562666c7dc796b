"""The sentence in each case, and that it never claims what an interval does not allow."""

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.comparison.verdict import verdict

TITLES = {"cnn": "CNN", "hybrid": "Hybrid", "vit": "ViT", "mlp": "MLP"}
MINUTE = {"title": "Fashion-MNIST", "budget": {"text": "60 s of training each"}, "seeds": [0, 1]}
Points = tuple[float, float, float]


def model(name: str, mean: float | None, num_runs: int = 2, num_failed: int = 0) -> dict[str, Any]:
    around = {"low": None, "high": None} if mean is None else {"low": mean - 0.01, "high": min(1.0, mean + 0.01)}
    test = {"mean": mean, "sd": None, **around}
    return {"name": name, "title": TITLES[name], "num_runs": num_runs, "num_failed": num_failed, "test": test}


def pair(a: str, b: str, points: Points) -> dict[str, Any]:
    difference, low, high = (value / 100 for value in points)
    return {"a": a, "b": b, "difference": difference, "low": low, "high": high}


def three(cnn_hybrid: Points, cnn_vit: Points, hybrid_vit: Points, **changes: Any) -> dict[str, Any]:
    models = [model("vit", 0.85, **changes), model("cnn", 0.93, **changes), model("hybrid", 0.89, **changes)]
    pairs = [pair("cnn", "hybrid", cnn_hybrid), pair("cnn", "vit", cnn_vit), pair("hybrid", "vit", hybrid_vit)]
    return {"models": models, "pairs": pairs}


CLEAR = three((4.1, 3.2, 5.0), (7.9, 6.8, 9.0), (3.8, 2.0, 5.6))


def test_a_clear_winner_is_named_with_its_lead_over_each() -> None:
    assert verdict(CLEAR, MINUTE) == (
        "On Fashion-MNIST, with 60 s of training each and 2 seeds, CNN classifies best: "
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
    budget = {"kind": "seconds", "value": 60.0, "text": "at most 60 s of training each"}
    runs = [{"status": "finished", "train_seconds": each} for each in seconds]
    runs.append({"status": "failed", "train_seconds": 999.0})
    assert re.match(
        f"On Fashion-MNIST, with {words} and 2 seeds, ", verdict(CLEAR, {**MINUTE, "budget": budget, "runs": runs})
    )


def test_pairs_given_the_other_way_round_say_the_same() -> None:
    turned = [
        {"a": p["b"], "b": p["a"], "difference": -p["difference"], "low": -p["high"], "high": -p["low"]}
        for p in CLEAR["pairs"]
    ]
    assert verdict({**CLEAR, "pairs": turned}, MINUTE) == verdict(CLEAR, MINUTE)


def test_a_tie_at_the_top_names_no_winner() -> None:
    assert verdict(three((0.2, -0.5, 0.9), (4.0, 3.3, 4.7), (3.8, 3.1, 4.5)), MINUTE) == (
        "On Fashion-MNIST, with 60 s of training each and 2 seeds, nothing separates CNN from Hybrid "
        "(difference 0.2 percentage points, 95 % interval -0.5 to 0.9), CNN and Hybrid beat ViT by at least 3.1 points."
    )


def test_a_tied_model_beats_only_what_it_is_separated_from() -> None:
    text = verdict(three((0.2, -0.5, 0.9), (1.2, 0.3, 2.1), (1.0, -0.1, 2.1)), MINUTE)
    assert text.endswith("0.9), CNN beats ViT by at least 0.3 points.")


def test_models_that_nothing_separates_are_said_to_be_so() -> None:
    text = verdict(three((0.2, -0.5, 0.9), (0.3, -0.4, 1.0), (0.1, -0.6, 0.8)), MINUTE)
    assert text.endswith(
        "nothing separates CNN from Hybrid (difference 0.2 percentage points, 95 % interval -0.5 to 0.9) "
        "or ViT (0.3, -0.4 to 1.0)."
    )
    assert "best" not in text and "beat" not in text


def test_one_seed_speaks_of_the_trained_networks_only() -> None:
    one = three((4.1, 3.2, 5.0), (7.9, 6.8, 9.0), (3.8, 2.0, 5.6), num_runs=1)
    text = verdict(one, {**MINUTE, "seeds": [3]})
    assert "and 1 seed, CNN classifies best" in text
    assert text.endswith("; with one seed this holds for these trained networks, not for the architectures.")
    assert "architectures" not in verdict(CLEAR, MINUTE)


def test_one_model_is_compared_with_nothing() -> None:
    assert verdict({"models": [model("cnn", 0.9123)], "pairs": []}, MINUTE).endswith(
        "CNN classifies 91.2 % of the test images correctly (95 % interval 90.2 to 92.3), "
        "with no other model to compare it with."
    )
    assert "over 99.9 %" in verdict({"models": [model("cnn", 0.9999)], "pairs": []}, MINUTE)


def test_failed_runs_are_counted_and_a_model_without_runs_is_not_judged() -> None:
    models = [model("cnn", 0.93), model("hybrid", 0.89, 1, 1), model("vit", None, 0, 2)]
    text = verdict({"models": models, "pairs": [pair("cnn", "hybrid", (4.1, 3.2, 5.0))]}, MINUTE)
    assert "CNN classifies best: 4.1 percentage points above Hybrid" in text
    assert text.endswith("; 3 of 6 runs failed; ViT finished no run and cannot be judged.")


def test_nothing_is_said_when_all_runs_failed() -> None:
    models = [model("cnn", None, 0, 2), model("vit", None, 0, 2)]
    assert verdict({"models": models, "pairs": []}, MINUTE) == (
        "On Fashion-MNIST, with 60 s of training each and 2 seeds, no run finished (4 failed), so nothing can be said."
    )


def test_models_without_a_common_seed_are_not_compared() -> None:
    models = [model("cnn", 0.93, 1, 1), model("vit", 0.85, 1, 1)]
    text = verdict({"models": models, "pairs": []}, MINUTE)
    assert "CNN finished no seed in common with ViT;" in text and "best" not in text


def test_the_leader_is_not_a_model_that_its_own_pair_contradicts() -> None:
    models = [model("cnn", 0.93), model("vit", 0.92, 1, 1)]
    text = verdict({"models": models, "pairs": [pair("cnn", "vit", (-1.0, -1.5, -0.5))]}, MINUTE)
    assert "ViT classifies best: 1.0 percentage points above CNN" in text


@pytest.mark.parametrize(
    ("points", "wording"),
    [
        ((0.5, 0.04, 0.96), "0.50 percentage points above ViT (95 % interval 0.04 to 0.96)"),
        ((0.5, 0.00001, 1.0), "0.5000 percentage points above ViT (95 % interval more than 0 to 1.0000)"),
        ((1.0, 0.29, 1.71), "1.0 percentage points above ViT (95 % interval 0.2 to 1.8)"),
        ((3.0, 2.9, 3.5), "3.0 percentage points above ViT (95 % interval 2.9 to 3.5)"),
    ],
)
def test_rounding_turns_away_from_the_claim(points: Points, wording: str) -> None:
    models = [model("cnn", 0.93), model("vit", 0.92)]
    assert wording in verdict({"models": models, "pairs": [pair("cnn", "vit", points)]}, MINUTE)


def test_a_tie_that_nearly_is_none_still_shows_zero_inside() -> None:
    models = [model("cnn", 0.93), model("vit", 0.92)]
    text = verdict({"models": models, "pairs": [pair("cnn", "vit", (0.6, -0.001, 1.2))]}, MINUTE)
    assert "interval -0.1 to 1.2" in text


NAMES = st.lists(st.sampled_from(list(TITLES)), min_size=2, max_size=4, unique=True)
ENDS = st.one_of(st.floats(-9, 9), st.sampled_from([0.0, 1e-9, -1e-9, 0.04, -0.04, 0.1]))


@st.composite
def summaries(draw: st.DrawFn) -> dict[str, Any]:
    """Any models and pairs, contradictory ones and missing ones too."""
    names = draw(NAMES)
    models = [model(name, draw(st.floats(0.1, 1)), num_runs=draw(st.integers(1, 3))) for name in names]
    pairs = []
    for a, b in combinations(names, 2):
        if draw(st.integers(0, 9)):
            low, difference, high = sorted(draw(st.tuples(ENDS, ENDS, ENDS)))
            pairs.append(pair(a, b, (difference, low, high)))
    return {"models": models, "pairs": pairs}


def claims(text: str) -> set[tuple[str, str]]:
    """Every 'winner above loser' that the sentence makes, by title."""
    found = set()
    for winner, lead in re.findall(r"(\w+) classifies best: (.*?)\)[.;]", text):
        found |= {(winner, loser) for loser in re.findall(r"above (\w+)", lead)}
    title = "|".join(TITLES.values())
    some = rf"((?:(?:{title})(?:, | and ))*(?:{title}))"
    for winners, losers in re.findall(rf"{some} beats? {some} by", text):
        found |= {(a, b) for a in re.split(", | and ", winners) for b in re.split(", | and ", losers)}
    return found


@settings(max_examples=400, deadline=None)
@given(summaries())
def test_the_sentence_claims_only_what_the_intervals_allow(summary: dict[str, Any]) -> None:
    text = verdict(summary, MINUTE)
    names = {title: name for name, title in TITLES.items()}
    allowed = {(p["a"], p["b"]) for p in summary["pairs"] if p["low"] > 0}
    allowed |= {(p["b"], p["a"]) for p in summary["pairs"] if p["high"] < 0}
    claimed = claims(text)
    assert {(names[a], names[b]) for a, b in claimed} <= allowed
    assert ("classifies best" in text or " beat" in text) == bool(claimed)
    assert text.endswith(".") and text.count(". ") == 0 and "seeds, ." not in text


def test_the_property_reads_claims() -> None:
    tie = verdict(three((0.2, -0.5, 0.9), (4.0, 3.3, 4.7), (3.8, 3.1, 4.5)), MINUTE)
    assert claims(verdict(CLEAR, MINUTE)) == {("CNN", "Hybrid"), ("CNN", "ViT")}
    assert claims(tie) == {("CNN", "ViT"), ("Hybrid", "ViT")}
