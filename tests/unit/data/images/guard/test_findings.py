"""Findings name the kind, the pictures and what to do, the gravest first."""

from typing import NamedTuple

import numpy as np

from fittingroom.data.images.guard import near, quality
from fittingroom.data.images.guard.findings import find_all, near_sets, of_labels, together
from fittingroom.data.images.guard.labels import Doubtful


class Example(NamedTuple):
    label: str
    part: str
    digest: bytes
    constant: bool = False
    size: tuple[int, int] = (8, 8)


def example(text: str, label: str = "cat", part: str = "train", constant: bool = False) -> Example:
    return Example(label, part, text.encode(), constant)


NO_PAIRS = near.Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def pairs(*links: tuple[int, int]) -> near.Pairs:
    first, second = np.array(links).T
    return near.Pairs(first, second, np.zeros(len(links)))


def found(
    pictures: list[Example], links: near.Pairs = NO_PAIRS, classes: tuple[str, ...] = ("cat",)
) -> dict[str, list]:
    calm = quality.Looks(np.zeros(len(pictures)), np.full(len(pictures), 255.0), np.ones(len(pictures)))
    return {
        each.kind: list(each.sets or each.details)
        for each in find_all(pictures, classes, calm, links)
        if each.kind != "tiny-classes"
    }


def test_copies_are_sorted_by_what_they_do() -> None:
    pictures = [
        example("a"), example("a"), example("b"), example("b", part="test"), example("c"), example("c", label="dog"),
        example("d", label="dog", part="test"), example("e"),
    ]  # fmt: skip
    assert found(pictures, classes=("cat", "dog")) == {
        "copies-with-other-labels": [(4, 5)],
        "copies-in-two-parts": [(2, 3)],
        "copies": [(0, 1)],
        "unbalanced-classes": ["cat 5, dog 1"],
    }


def test_copies_of_near_duplicates_belong_to_their_set() -> None:
    pictures = [example("a"), example("b"), example("b", part="test"), example("c"), example("d", part="test")]
    assert found(pictures, pairs((0, 1)))["near-duplicates-in-two-parts"] == [(0, 2, 1)]
    assert near_sets(pictures, NO_PAIRS) == []


def test_pictures_of_one_colour_are_no_group() -> None:
    pictures = [example("a", constant=True), example("a", constant=True), example("b"), example("b")]
    group = together(pictures, NO_PAIRS).tolist()
    assert group[0] != group[1] and group[2] == group[3]
    assert found(pictures)["constant"] == [(0,), (1,)]


def test_a_long_set_begins_with_what_contradicts() -> None:
    pictures = [*(example("a") for _ in range(5)), example("a", label="dog")]
    assert found(pictures, classes=("cat", "dog"))["copies-with-other-labels"] == [(0, 5, 1, 2, 3, 4)]


def test_a_class_that_a_part_lacks_is_named() -> None:
    pictures = [example("a"), example("b", label="dog"), example("c", part="test")]
    assert found(pictures, classes=("cat", "dog"))["missing-classes"] == ["dog in test"]


def test_nothing_is_found_in_nothing() -> None:
    assert found([example(str(number)) for number in range(12)]) == {}


def test_doubtful_labels_say_what_they_may_be() -> None:
    finding = of_labels(
        Doubtful(np.array([1]), np.array([0]), np.array([0.87]), np.array([0.02]), 0.9), ("cat", "dog"), [4, 7]
    )
    assert finding.sets == ((7,),) and finding.details == ("rather cat? (87 % to 2 %)",)
    assert "mistakes" not in finding.advice


def test_poor_judges_are_called_so() -> None:
    finding = of_labels(
        Doubtful(np.array([1]), np.array([0]), np.array([0.87]), np.array([0.02]), 0.42), ("cat", "dog"), [4, 7]
    )
    assert "the networks agree with only 42 % of all labels" in finding.advice


def test_unbalanced_classes_say_what_one_answer_for_all_would_score() -> None:
    pictures = [example(str(number), "ok" if number else "bad") for number in range(300)]
    calm = quality.Looks(np.zeros(300), np.full(300, 255.0), np.ones(300))
    (one,) = [each for each in find_all(pictures, ("bad", "ok"), calm, NO_PAIRS) if each.kind == "unbalanced-classes"]
    assert one.advice.startswith("the answer 'ok' for all would be right for over 99 % of these pictures: also read")
