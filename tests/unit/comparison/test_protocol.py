"""Budgets in words, the fair order, presets."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.comparison.protocol import PRESETS, Budget, check_seeds, fair_order
from fittingroom.core.errors import FittingRoomError
from fittingroom.tasks.scoring import SCORINGS, ProtocolFacts

NAMES = st.lists(st.text("abcdef", min_size=1), min_size=1, max_size=5, unique=True)


@given(models=NAMES, num_seeds=st.integers(1, 7))
def test_every_model_meets_every_seed_once_and_seeds_stay_together(models: list[str], num_seeds: int) -> None:
    turns = fair_order(models, list(range(num_seeds)))
    assert sorted(turns) == sorted((model, seed) for model in models for seed in range(num_seeds))
    assert [seed for _, seed in turns] == sorted(seed for _, seed in turns)


@given(models=NAMES)
def test_over_as_many_seeds_as_models_each_is_first_once(models: list[str]) -> None:
    turns = fair_order(models, list(range(len(models))))
    assert sorted(turns[:: len(models)]) == sorted((model, seed) for seed, model in enumerate(models))


@pytest.mark.parametrize("count", [0, -1])
def test_no_seeds_is_no_comparison(count: int) -> None:
    with pytest.raises(FittingRoomError, match="at least 1 seed"):
        check_seeds(count)


def test_the_quick_preset_takes_at_most_six_minutes_on_two_cores() -> None:
    quick = PRESETS.get("quick")
    assert quick.budget.seconds is not None
    assert quick.seeds == 3
    assert math.ceil(quick.seeds * 3 / 2) * quick.budget.seconds <= 360  # nine runs, two at a time


@pytest.mark.parametrize(
    ("budget", "text", "slug"),
    [
        (Budget(seconds=58), "at most 58 s of training each", "58s"),
        (Budget(epochs=1), "1 epoch each", "1-epochs"),
        (Budget(epochs=0.5), "0.5 epochs each", "0.5-epochs"),
    ],
)
def test_a_budget_in_words(budget: Budget, text: str, slug: str) -> None:
    assert (budget.text, budget.slug) == (text, slug)


def protocol(name: str, budget: Budget = Budget(epochs=5), **changes: Any) -> list[str]:  # noqa: B008
    sizes = {"num_train": 55_000, "num_val": 5_000, "num_test": 10_000}
    return SCORINGS.get(name).protocol(ProtocolFacts(**{"budget": budget.record, "num_seeds": 2, **sizes, **changes}))


def test_the_protocol_states_sizes_and_seeds() -> None:
    text = " ".join(protocol("classification", jobs=2, own_core=True))
    for words in (
        "5 epochs each",
        "2 seeds, the same for all models. A seed decides the split, initial weights, order, augmentation and dropout",
        "55,000 training, 5,000 validation and 10,000 test images.",
        "Recipes were chosen on validation images only.",
        "Each run reads the 10,000 test images once",
        "Runs train 2 at a time, each on its own processor core, in a fair order",
    ):
        assert words in text
    assert "word" not in text and "docs/" not in text


@pytest.mark.parametrize(("budget", "measured"), [(Budget(epochs=5), False), (Budget(seconds=58), True)])
def test_a_budget_in_seconds_says_that_its_steps_are_measured(budget: Budget, measured: bool) -> None:
    assert ("measures how many steps fit" in protocol("classification", budget)[0]) == measured


def test_the_data_may_say_how_its_parts_were_made() -> None:
    text = " ".join(protocol("classification", split="The folders train, val and test are the parts."))
    assert "The folders train, val and test are the parts." in text and "stratified" not in text


def test_the_protocol_of_sequence_models_speaks_of_words() -> None:
    text = " ".join(protocol("seq2seq"))
    for words in (
        "A seed decides initial weights, order and dropout",
        "The words of each part are the same for all seeds.",
        "A hash of the spelling decides the part of a word",
        "Words are written greedily",
        "The word error rate decides.",
    ):
        assert words in text
    assert "image" not in text


def test_three_files_are_split_as_the_user_says() -> None:
    text = " ".join(protocol("seq2seq", task={"three_files": True}))
    assert "The three files say" in text and "hash" not in text


def test_every_sentence_of_a_protocol_ends_once() -> None:
    for task in SCORINGS.names():
        for sentence in protocol(task):
            assert sentence.endswith(".") and ".." not in sentence and "  " not in sentence
