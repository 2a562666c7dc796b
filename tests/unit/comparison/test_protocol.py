"""Budgets in words, the fair order, presets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.comparison.protocol import PRESETS, Budget, check_seeds, fair_order, pair_sentences, sentences
from fittingroom.core.errors import FittingRoomError

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
    assert quick.seeds == 2
    assert quick.seeds * 3 * quick.budget.seconds / 2 <= 360  # six runs, two at a time


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


def test_the_protocol_states_sizes_and_seeds() -> None:
    text = " ".join(sentences(Budget(epochs=5), [0, 1], 2, True, num_train=55_000, num_val=5_000, num_test=10_000))
    for words in (
        "5 epochs each",
        "2 seeds, paired",
        "55,000 training",
        "5,000 validation",
        "10,000 test images are read once",
        "Runs are made 2 at a time, each on a processor core of its own,",
    ):
        assert words in text


@pytest.mark.parametrize(("budget", "measured"), [(Budget(epochs=5), False), (Budget(seconds=58), True)])
def test_a_budget_in_seconds_says_that_its_steps_are_measured(budget: Budget, measured: bool) -> None:
    first = sentences(budget, [0, 1], 1, False, num_train=55_000, num_val=5_000, num_test=10_000)[0]
    assert ("the steps that fit are measured" in first) == measured


def pair_text(**changes: bool) -> str:
    return " ".join(
        pair_sentences(Budget(epochs=5), [0, 1], 1, False, num_train=900, num_val=50, num_test=51, **changes)
    )


def test_the_protocol_of_pairs_states_words_split_and_seeds() -> None:
    for words in (
        "2 seeds, paired: a seed decides initial weights, order and dropout, for all models alike",
        "900 training, 50 validation and 51 test words, split 90, 5 and 5 in a hundred by a hash of the spelling",
        "51 test words are read once",
        "written greedily",
    ):
        assert words in pair_text()
    assert "image" not in pair_text()


def test_three_files_are_split_as_the_user_says() -> None:
    text = pair_text(three_files=True)
    assert "as the three files say" in text and "hash" not in text
