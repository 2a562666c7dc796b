"""The exercises of the lecture: each solution is accepted, and each usual mistake gets a hint that names the place."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lesson import check

LESSONS = sorted((Path(__file__).parents[3] / "docs" / "lecture").glob("[0-9][0-9]_*.py"))
EXERCISE = re.compile(r"^check\.(\w+)\((\w+)\)$", re.MULTILINE)
SOLUTION = re.compile(r"<summary>Solution</summary>\n#\n# ```python\n(.*?)# ```", re.DOTALL)


def solution_text(name: str) -> str:
    """The solution to the exercise that `check.NAME` checks, as the lesson shows it."""
    for lesson in LESSONS:
        text = lesson.read_text(encoding="utf-8")
        for exercise in EXERCISE.finditer(text):
            if exercise[1] == name:
                found = SOLUTION.search(text, exercise.end())
                assert found, f"{lesson.name}: check.{name} has no solution below it"
                return "".join(line[2:] if line.startswith("# ") else line[1:] for line in found[1].splitlines(True))
    raise AssertionError(f"no lesson calls check.{name}")


def answered(name: str, *changes: tuple[str, str]) -> Any:
    """The student's function (or value) of the solution, after changes of its text."""
    text = solution_text(name)
    for old, new in changes:
        assert old in text, f"the solution of {name} has no {old!r}"
        text = text.replace(old, new)
    namespace: dict[str, Any] = {"torch": torch}
    exec(text, namespace)
    return namespace[f"my_{name}"]


def checks() -> dict[str, Callable[..., check.Result]]:
    """All checks by name."""
    return {
        name: value
        for name, value in vars(check).items()
        if (getattr(value, "__doc__", "") or "").startswith("Lesson ")
    }


def test_every_lesson_has_exercises_and_every_check_an_exercise() -> None:
    called = {lesson.name: [match[1] for match in EXERCISE.finditer(lesson.read_text())] for lesson in LESSONS}
    assert len(LESSONS) == 11 and all(called.values())
    assert sorted(name for names in called.values() for name in names) == sorted(checks())


@pytest.mark.parametrize("name", sorted(checks()))
def test_the_solution_of_each_exercise_is_accepted(name: str) -> None:
    found = checks()[name](answered(name))
    assert found.solved, found.message


@pytest.mark.parametrize("name", sorted(set(checks()) - {"group"}))
def test_an_unwritten_exercise_is_not_an_error_but_a_hint(name: str) -> None:
    found = checks()[name](lambda *given: ...)
    assert not found and "replace the dots" in found.message


def test_a_pattern_that_is_not_written_is_a_hint() -> None:
    assert "replace the dots" in check.group(...).message


MISTAKES = [
    ("weights", (" / q.shape[-1] ** 0.5", ""), "root is missing"),
    ("weights", (" ** 0.5", ""), "square root"),
    ("weights", ("q.shape[-1]", "len(k)"), "root of the number of tokens"),
    ("weights", ("scores.softmax(dim=-1)", "scores.softmax(dim=0)"), "over the keys"),
    ("weights", ("scores.softmax(dim=-1)", "scores"), "sum to 1"),
    ("weights", ("scores.softmax(dim=-1)", "scores.exp() / scores.exp().sum()"), "all weights together"),
    ("weights", ("scores = q @ k.T / q.shape[-1] ** 0.5", "scores = k @ q.T / q.shape[-1] ** 0.5"), "shape"),
    ("masked", ("diagonal=1", "diagonal=2"), "off by one"),
    ("masked", ("diagonal=1", "diagonal=0"), "row 0"),
    ("masked", ("triu(diagonal=1)", "tril()"), "wrong way round"),
    ("masked", ("softmax(dim=-1)", "softmax(dim=0)"), "over the keys"),
    (
        "masked",
        ('scores.masked_fill(hidden, float("-inf")).softmax(dim=-1)', "scores.softmax(dim=-1).masked_fill(hidden, 0.0)"),
        "before the softmax",
    ),
    ("masked", ('.masked_fill(hidden, float("-inf"))', ""), "token 0 attends to token"),
    ("heads", ("x.view(tokens, num_heads, dim // num_heads).transpose(0, 1)", "x.view(num_heads, tokens, -1)"), "mixed"),
    ("merged", ("x.transpose(0, 1).reshape", "x.reshape"), "transpose(0, 1)"),
    ("positions", ("torch.arange(num_positions)", "torch.arange(1, num_positions + 1)"), "off by one"),
    ("positions", ("angle.sin()", "angle.cos()  # swapped"), "expected"),
    ("positions", ("/ dim)", "* 2 / dim)"), "exponent"),
    ("positions", ("angle.cos()", "(position / 10000 ** (torch.arange(1, dim, 2) / dim)).cos()"), "the cosines are not"),
    ("shifted", ("[begin, *target[:-1]]", "target"), "not shifted"),
    ("shifted", ("target[:-1]", "target"), "one symbol too many"),
    ("shifted", ("[begin, *target[:-1]]", "target[1:] + [begin]"), "to the left"),
    ("path_length", ("return 1", "return distance"), "attention, distance 100"),
    ("path_length", ("-(-distance // (kernel // 2))", "distance // (kernel // 2)"), "round up"),
    ("patches", (".permute(0, 2, 1, 3)", ""), "strips"),
    ("patches", (".permute(0, 2, 1, 3)", ".permute(2, 0, 1, 3)"), "their order"),
    ("patches", (".permute(0, 2, 1, 3)", ".permute(0, 2, 3, 1)"), "mirrored"),
    ("embedding", (" + bias", ""), "bias is missing"),
    ("rollout", ("(attention + identity) / 2", "attention"), "skip connection"),
    ("rollout", ("(attention + identity) / 2 @ result", "result @ ((attention + identity) / 2)"), "order is reversed"),
    ("rollout", (" / 2 @", " @"), "divide"),
    ("verdict", ("low > 0", "high > 0"), "one side of zero"),
    ("num_tokens", ("-(-side // stride)", "side // stride"), "rounds up"),
    ("num_tokens", ("side * side", "side"), "one side of the map"),
    ("steps", ("-(-num_images // batch_size) * epochs", "num_images // batch_size * epochs"), "drop the last"),
    ("steps", ("-(-num_images // batch_size) * epochs", "-(-num_images * epochs // batch_size)"), "before you multiply"),
    ("group", ('r"^[a-z-]+"', 'r"^[a-z]+"'), "mary-ann"),
    ("group", ('r"^[a-z-]+"', 'r"\\d+"'), "expected 'anna'"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "hint"), MISTAKES, ids=[f"{each[0]}: {each[2]}" for each in MISTAKES])
def test_a_usual_mistake_gets_a_hint_that_names_the_place(name: str, change: tuple[str, str], hint: str) -> None:
    found = checks()[name](answered(name, change))
    assert not found.solved
    assert hint in found.message


def test_code_that_raises_is_a_hint_with_its_error() -> None:
    found = check.weights(lambda q, k: q @ k)
    assert not found and "RuntimeError" in found.message


def test_a_result_shows_itself_as_text_and_as_html() -> None:
    solved, open_ = check.verdict(answered("verdict")), check.verdict(lambda low, high: "<b>")
    assert repr(solved).startswith("Solved") and repr(open_).startswith("Not yet")
    assert "&lt;b&gt;" in open_._repr_html_() and "✓" in solved._repr_html_()
