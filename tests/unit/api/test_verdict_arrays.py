"""Arrays as users of other libraries have them: classes named by numbers, columns and rows in another order, odd labels."""

from typing import Any

import numpy as np
import pytest

from fittingroom.api.verdict import VerdictResult, verdict
from fittingroom.core.errors import FittingRoomError

NUM_IMAGES = 60
LABELS = np.random.default_rng(3).integers(0, 3, NUM_IMAGES)
NAMES = ["cat", "dog", "eel"]


def made_up(skill: float, seed: int, labels: Any = LABELS) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(len(labels), 3))
    logits[np.arange(len(labels)), labels] += skill
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


GOOD = [made_up(3.0, 1), made_up(3.0, 2)]
POOR = [made_up(1.0, 3), made_up(1.0, 4)]
MODELS = {"good": GOOD, "poor": POOR}


@pytest.fixture(scope="module")
def expected() -> VerdictResult:
    return verdict(MODELS, LABELS)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([3, 5, 8])[LABELS], np.array([3, 5, 8])),
        (LABELS + 1, (1, 2, 3)),
        (LABELS + 1.0, ["1", "2", "3"]),
        (LABELS + 1, [np.str_("1"), np.str_("2"), np.str_("3")]),
        (LABELS, np.array(NAMES)),
        (LABELS, [0, 1, 2]),
        (LABELS, [1, 2, 3]),
        (np.array(NAMES)[LABELS], np.array(NAMES, dtype=object)),
        (np.array([b"cat", b"dog", b"eel"])[LABELS], NAMES),
        (np.array(["2", "1", "0"])[LABELS], [2, 1, 0]),
        (LABELS + 1.0, np.array([1.0, 2.0, 3.0])),
        (np.array([b"cat", b"dog", b"eel"])[LABELS], np.array([b"cat", b"dog", b"eel"])),
        (LABELS[:, None], None),
        (LABELS.astype(object), None),
    ],
)
def test_labels_and_names_of_other_libraries_mean_the_same(labels: Any, names: Any, expected: VerdictResult) -> None:
    assert verdict(MODELS, labels, class_names=names).sentence == expected.sentence


@pytest.mark.parametrize(
    ("labels", "names", "words"),
    [
        (2 - LABELS, [2, 1, 0], r"^labels such as \d can be numbers of columns or names of classes \(2, 1, 0\)"),
        (LABELS % 2 + 1, [1, 2, 3], r"^labels such as \d can be numbers of columns or names"),
        (LABELS + 1, None, r"is outside 0 to 2, the columns of the probabilities: numbers begin at 0, not at 1$"),
        (np.where(LABELS > 1, np.nan, LABELS), None, r"^labels: nan at position \d+ is no class"),
        (np.full(NUM_IMAGES, 1e300), None, "^labels are float64: give whole class numbers"),
        (LABELS, "xyz", "^class_names is a str: give a list"),
        (LABELS, set(NAMES), "^class_names is a set: give a list of names in the order of the columns"),
        (LABELS, {0: "cat", 1: "dog", 2: "eel"}, "^class_names is a dict: give a list"),
        (LABELS, 3, "^class_names is a int: give a list"),
    ],
)
def test_what_can_mean_two_things_is_refused(labels: Any, names: Any, words: str) -> None:
    with pytest.raises(FittingRoomError, match=words):
        verdict(MODELS, labels, class_names=names)


def test_an_error_lists_few_of_many_names() -> None:
    probs, names = np.full((4, 200), 1 / 200), [f"class {number}" for number in range(200)]
    with pytest.raises(FittingRoomError, match=r"\(class 0, .*, class 9 and 190 more\)$"):
        verdict({"vit": probs}, ["no such class"] * 4, class_names=names)


@pytest.mark.parametrize(
    ("probs", "words"),
    [
        ([GOOD], r"^the predictions are a list: give a dictionary of models, such as \{'vit': \[probs\]\}"),
        ({1: GOOD, "1": POOR}, "^two models have the name '1'"),
        ({" ": GOOD}, "^' ' is not the name of a model: names must not be empty"),
        ({"vit": GOOD[0] * 100}, "is not a probability: percentages must be divided by 100"),
        ({"vit": np.ma.masked_greater(GOOD[0], 0.9)}, "^vit: some values are masked"),
    ],
)
def test_odd_models_are_refused(probs: Any, words: str) -> None:
    with pytest.raises(FittingRoomError, match=words):
        verdict(probs, LABELS)


def test_rounding_below_zero_is_no_logit(expected: VerdictResult) -> None:
    shifted = [np.where(each < 0.01, -1e-9, each) for each in GOOD]
    assert verdict({"good": shifted, "poor": POOR}, LABELS).sentence == expected.sentence


def test_a_sum_of_99_percent_is_within_one_percent() -> None:
    probs = np.tile([0.5, 0.3, 0.19], (NUM_IMAGES, 1))
    assert abs(probs[0].sum() - 1) > 0.01  # in binary
    assert verdict({"vit": probs}, LABELS).sentence


def test_seeds_may_have_numbers_and_arrays_stay_small(expected: VerdictResult) -> None:
    found = verdict({"good": dict(enumerate(GOOD)), "poor": POOR}, LABELS)
    assert found.sentence == expected.sentence
    single = verdict({"vit": GOOD[0].astype(np.float32)}, LABELS).runs["vit"][0]["test"].probs
    assert single.dtype == np.float32


def test_names_are_printable_and_keep_their_letters() -> None:
    found = verdict({"nothingnet": GOOD, "\x1b[31m\nred ": POOR}, LABELS, title="my\npets")
    assert found.headline == r"nothingnet beats \x1b[31m\nred."
    assert r" my\npets " in found.sentence
    assert "Measured on 2024 with" in verdict({"vit": GOOD}, LABELS, title=2024).sentence  # type: ignore[arg-type]


class NoComparison:
    """As pandas.NA: no comparison has a truth value."""

    def __ne__(self, other: object) -> Any:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("missing", [None, float("nan"), NoComparison()])
def test_an_image_without_a_group_is_refused(missing: Any) -> None:
    groups = [missing if place == 7 else "patient" for place in range(NUM_IMAGES)]
    with pytest.raises(FittingRoomError, match=r"^groups: no value at position 7: an image without a group needs one"):
        verdict(MODELS, LABELS, groups=groups)


def test_groups_of_mixed_kinds_or_in_one_column_are_groups() -> None:
    group = np.arange(NUM_IMAGES) // 5
    plain = verdict(MODELS, LABELS, groups=group).sentence
    assert verdict(MODELS, LABELS, groups=group[:, None]).sentence == plain
    assert verdict(MODELS, LABELS, groups=[f"p{g}" if g % 2 else int(g) for g in group]).sentence == plain


def test_columns_of_data_frames_name_the_classes(expected: VerdictResult) -> None:
    pandas = pytest.importorskip("pandas")

    def frames(order: list[int], **settings: Any) -> dict[str, Any]:
        names = [NAMES[each] for each in order]
        return {
            model: [pandas.DataFrame(each[:, order], columns=names, **settings) for each in seeds]
            for model, seeds in MODELS.items()
        }

    named = pandas.Series(np.array(NAMES)[LABELS])
    for order in ([0, 1, 2], [2, 0, 1]):
        assert verdict(frames(order), named).sentence == expected.sentence
    counted = {model: [pandas.DataFrame(each) for each in seeds] for model, seeds in MODELS.items()}
    assert verdict(counted, LABELS, class_names=NAMES).sentence == expected.sentence
    assert verdict(frames([0, 1, 2]), LABELS, class_names=["a", "b", "c"]).sentence == expected.sentence
    mixed = {"good": frames([0, 1, 2])["good"], "poor": frames([1, 0, 2])["poor"]}
    with pytest.raises(
        FittingRoomError, match=r"^poor, seed 0: the columns \(dog, cat, eel\) are in another order than"
    ):
        verdict(mixed, named)
    with pytest.raises(
        FittingRoomError, match=r"^good, seed 0: .* in another order than class_names \(dog, cat, eel\)"
    ):
        verdict(frames([0, 1, 2]), named, class_names=["dog", "cat", "eel"])
    numbers = np.random.default_rng(2).permutation(
        NUM_IMAGES
    )  # scikit-learn splits a series so; its answers are only counted
    assert (
        verdict(frames([0, 1, 2]), pandas.Series(np.array(NAMES)[LABELS], index=numbers)).sentence == expected.sentence
    )
    rows = [f"img{number}" for number in range(NUM_IMAGES)]
    with pytest.raises(
        FittingRoomError, match=r"^good, seed 0: its rows are in another order than the labels \(row 0 is"
    ):
        verdict(frames([0, 1, 2], index=rows), pandas.Series(np.array(NAMES)[LABELS], index=rows[::-1]))


def test_labels_in_another_order_are_asked_about() -> None:
    """Nothing in the numbers is wrong, so no error: but no better than one answer for all images is suspicious."""
    shuffled = np.random.default_rng(5).permutation(NUM_IMAGES)
    found = verdict({"good": GOOD, "shuffled": [each[shuffled] for each in GOOD]}, LABELS)
    (note,) = [note for note in found.notes if "hardly better" in note]
    assert "shuffled (seeds 0, 1); did they collapse, or are rows or classes in another order than the labels?" in note
    assert any(note.startswith("no run of good collapsed in 2 seeds") for note in found.notes)
    assert not [note for note in verdict(MODELS, LABELS).notes if "hardly better" in note]
    one_class = np.zeros(NUM_IMAGES, dtype=int)
    assert not [note for note in verdict({"vit": GOOD}, one_class).notes if "hardly better" in note]


def test_copies_among_seeds_and_models_are_noted() -> None:
    found = verdict({"a": [GOOD[0], GOOD[1], GOOD[0]], "b": [POOR[0], GOOD[1]]}, LABELS)
    copies = [note for note in found.notes if "equal in every number" in note]
    assert [note.split(": ")[2].split(". ")[0] for note in copies] == ["a, seed 0; a, seed 2", "a, seed 1; b, seed 1"]
    assert not [note for note in verdict(MODELS, LABELS).notes if "equal in every number" in note]


def test_images_without_one_best_class_are_noted() -> None:
    halves = np.where(np.arange(NUM_IMAGES)[:, None] < 6, [0.5, 0.5, 0.0], GOOD[0])
    found = verdict({"a": [GOOD[1], halves]}, LABELS)
    assert "a: several classes share the highest probability of 10 % of the images; the first of them counts" in str(
        found
    )
    assert "share the highest probability" not in str(verdict(MODELS, LABELS))


def test_groups_are_named_where_images_are_the_limit() -> None:
    found = verdict(MODELS, LABELS, groups=np.arange(NUM_IMAGES) // 20)
    assert "the 60 test images in 3 groups are the limit" in found.sentence
    assert found.record.protocol[-1] == "Images of one group count as one observation. There are 3 groups."
    assert not [line for line in verdict(MODELS, LABELS).record.protocol if "group" in line]


def test_the_score_of_one_answer_is_said_of_unbalanced_classes() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    found = verdict({"a": [np.eye(2)[labels]], "b": [np.eye(2)[np.where(np.arange(100) == 99, 0, labels)]]}, labels)
    assert "one answer for all test images would have accuracy 90.00 %" in found.notes
