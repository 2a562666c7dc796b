"""Which class is meant, and which questions are the same."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.explain.question import Question, check_target, class_number

CLASSES = ("T-shirt/top", "Trouser", "Ankle boot", "3", "ok", "OK")


@pytest.mark.parametrize(
    ("target", "number"),
    [
        ("Trouser", 1),
        ("trouser", 1),
        ("ankle BOOT", 2),
        (2, 2),
        ("2", 2),
        ("3", 3),
        (3, 3),
        ("ok", 4),
        ("OK", 5),
        ("0", 0),
    ],
)
def test_a_class_by_name_or_number(target: str | int, number: int) -> None:
    assert class_number(target, CLASSES) == number


@pytest.mark.parametrize(
    ("target", "said"),
    [("Ankel boot", "did you mean 'Ankle boot'"), ("bag", "give one of T-shirt/top, Trouser"), (6, "0 to 5"), ("-1", "0 to 5"),
     (True, "unknown class 'True'"), ("", "unknown class ''"), ("²", "unknown class")],
)  # fmt: skip
def test_an_unknown_class_is_refused_with_the_nearest_one(target: str | int, said: str) -> None:
    with pytest.raises(FittingRoomError, match="unknown class") as found:
        class_number(target, CLASSES)
    assert said in str(found.value)


def test_of_many_classes_only_some_are_listed() -> None:
    with pytest.raises(FittingRoomError) as found:
        class_number("zzz", [f"class number {n}" for n in range(1000)])
    assert len(str(found.value)) < 500 and "0 to 999" in str(found.value)


def test_a_target_needs_a_method_that_tells_classes_apart() -> None:
    check_target("relevance")
    check_target(None)
    for method in ("rollout", "attention", "random"):
        with pytest.raises(FittingRoomError, match="same for every class: with a target, choose relevance, gradcam"):
            check_target(method)


def test_every_part_of_a_question_tells_it_from_another(tmp_path: Path) -> None:
    first = Question(
        runs=("vit",), kind="image", files=(tmp_path / "a" / "x.png",), given=torch.zeros(1, dtype=torch.uint8)
    )
    others = [
        replace(first, files=(tmp_path / "b" / "x.png",)), replace(first, method="rollout"), replace(first, split="test"),
        replace(first, number=3), replace(first, kind="index"), replace(first, faithfulness=9),
        replace(first, given=torch.ones(1, dtype=torch.uint8)),
    ]  # fmt: skip
    asked = [each.asked([tmp_path], None) for each in (first, *others)]
    asked += [first.asked([tmp_path], 3), first.asked([tmp_path / "x"], None)]
    assert len({str(each) for each in asked}) == len(asked)
    assert first.asked([tmp_path], None) == replace(first, data_dir=tmp_path).asked([tmp_path], None)
