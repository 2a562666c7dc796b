"""The sentence on error rates: fewer is better, and phonemes are spoken of only where words tell two models apart."""

import re
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fittingroom.comparison.verdict import verdict

TITLES = {"transformer": "Transformer", "recurrent": "RNN", "small": "Small"}
SETTING = {"kind": "pairs", "title": "pairs.tsv", "budget": {"text": "5 epochs each"}, "seeds": [0, 1]}
Points = tuple[float, float, float]


def scores(mean: float | None) -> dict[str, Any]:
    return {"mean": mean, "sd": None, "low": mean and mean * 0.9, "high": mean and mean * 1.1}


def model(name: str, mean: float | None, num_runs: int = 2, num_failed: int = 0) -> dict[str, Any]:
    test = {"word_error_rate": scores(mean), "phoneme_error_rate": scores(mean and mean / 4)}
    return {"name": name, "title": TITLES[name], "num_runs": num_runs, "num_failed": num_failed, "test": test}


def points(found: Points) -> dict[str, float]:
    return dict(zip(("difference", "low", "high"), (value / 100 for value in found), strict=True))


def pair(a: str, b: str, words: Points, phonemes: Points) -> dict[str, Any]:
    return {"a": a, "b": b, "word_error_rate": points(words), "phoneme_error_rate": points(phonemes)}


def said(words: Points, phonemes: Points) -> str:
    models = [model("transformer", 0.25), model("recurrent", 0.28)]
    text = verdict({"models": models, "pairs": [pair("transformer", "recurrent", words, phonemes)]}, SETTING)
    return text.removeprefix("On pairs.tsv, with 5 epochs each and 2 seeds, ")


@pytest.mark.parametrize(
    ("words", "phonemes", "sentence"),
    [
        (
            (-3.0, -4.2, -1.8),
            (-0.8, -1.2, -0.4),
            "Transformer makes the fewest word errors: 3.0 percentage points below RNN (95 % interval 1.8 to 4.2); in phoneme "
            "errors Transformer is 0.8 points below RNN (0.4 to 1.2).",
        ),
        (
            (-3.0, -4.2, -1.8),
            (-0.2, -0.6, 0.2),
            "Transformer makes the fewest word errors: 3.0 percentage points below RNN (95 % interval 1.8 to 4.2); phoneme "
            "errors do not separate Transformer from RNN (difference 0.2 percentage points, 95 % interval -0.2 to 0.6).",
        ),
        (
            (-3.0, -4.2, -1.8),
            (0.8, 0.4, 1.2),
            "Transformer makes the fewest word errors: 3.0 percentage points below RNN (95 % interval 1.8 to 4.2); yet RNN makes "
            "fewer phoneme errors: 0.8 percentage points below Transformer (95 % interval 0.4 to 1.2).",
        ),
        (
            (3.0, 1.8, 4.2),
            (0.8, 0.4, 1.2),
            "RNN makes the fewest word errors: 3.0 percentage points below Transformer (95 % interval 1.8 to 4.2); in phoneme "
            "errors RNN is 0.8 points below Transformer (0.4 to 1.2).",
        ),
        (
            (-1.0, -2.2, 0.2),
            (-0.8, -1.2, -0.4),
            "nothing separates Transformer from RNN (difference 1.0 percentage points, 95 % interval -0.2 to 2.2).",
        ),
    ],
)
def test_words_decide_and_phonemes_come_second(words: Points, phonemes: Points, sentence: str) -> None:
    assert said(words, phonemes) == sentence


@pytest.mark.parametrize(
    ("mean", "share"), [(0.251, "25.1 %"), (0.0001, "under 0.1 %"), (0.0, "0.0 %"), (0.99999, "over 99.9 %")]
)
def test_one_model_alone_is_told_by_its_errors(mean: float, share: str) -> None:
    assert f"Transformer gets {share} of the test words wrong" in verdict(
        {"models": [model("transformer", mean)], "pairs": []}, SETTING
    )


ENDS = st.one_of(st.floats(-9, 9), st.sampled_from([0.0, 1e-9, -1e-9, 0.04, -0.04, 0.1]))
POINTS = st.tuples(ENDS, ENDS, ENDS).map(lambda found: (sorted(found)[1], min(found), max(found)))


@st.composite
def summaries(draw: st.DrawFn) -> dict[str, Any]:
    """Any models and pairs, contradictory ones and missing ones too."""
    names = draw(st.lists(st.sampled_from(list(TITLES)), min_size=2, max_size=3, unique=True))
    models = [model(name, draw(st.floats(0.01, 0.9)), num_runs=draw(st.integers(1, 3))) for name in names]
    pairs = [pair(a, b, draw(POINTS), draw(POINTS)) for a, b in combinations(names, 2) if draw(st.integers(0, 9))]
    return {"models": models, "pairs": pairs}


def below(pairs: list[dict[str, Any]], key: str) -> set[tuple[str, str]]:
    """(better, worse) by title where the interval leaves zero out."""
    found = {(pair["a"], pair["b"]) for pair in pairs if pair[key]["high"] < 0}
    found |= {(pair["b"], pair["a"]) for pair in pairs if pair[key]["low"] > 0}
    return {(TITLES[a], TITLES[b]) for a, b in found}


def claims(clause: str, pattern: str) -> set[tuple[str, str]]:
    return {(a, b) for a, lead in re.findall(pattern, clause) for b in re.findall(r"below (\w+)", lead)}


@settings(max_examples=400, deadline=None)
@given(summaries())
def test_the_sentence_claims_only_what_the_intervals_allow(summary: dict[str, Any]) -> None:
    text = verdict(summary, SETTING)
    by_words, by_phonemes = (below(summary["pairs"], f"{kind}_error_rate") for kind in ("word", "phoneme"))
    assert claims(text, r"(\w+) makes the fewest word errors: ([^;]*)") <= by_words
    titles = "|".join(TITLES.values())
    some = rf"((?:(?:{titles})(?:, | and ))*(?:{titles}))"
    for winners, losers in re.findall(rf"{some} beats? {some} by", text):
        pairs = {(a, b) for a in re.split(", | and ", winners) for b in re.split(", | and ", losers)}
        assert pairs <= by_words
    second = claims(text, r"in phoneme errors (\w+) is ([^;]*)")
    second |= claims(text, r"yet (\w+) makes fewer phoneme errors: ([^;]*)")
    assert second <= by_phonemes
    assert second <= by_words | {(b, a) for a, b in by_words}
    assert text.endswith(".") and text.count(". ") == 0
