"""Evaluations in order, sealed ones only where they may be opened, and what their seconds count."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from fittingroom.core.records import ReadLog
from fittingroom.evaluation import evaluators
from fittingroom.evaluation.evaluators import Evaluated, Evaluator, evaluate


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of a clock that only a test moves."""
    now = [0.0]
    monkeypatch.setattr(evaluators, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def run(clock: list[float], reads: list[str], **options: Any) -> list[Evaluated]:
    """Parts of three and of five items; opening takes 100 seconds, predicting 2 for each item."""

    def part(number: int) -> Callable[[Callable[[int], int], ReadLog], list[int]]:
        def predictions(predict: Callable[[int], int], log: ReadLog) -> list[int]:
            log("evaluation")
            clock[0] += 100
            return [predict(item) for item in range(number)]

        return predictions

    def predict(item: int) -> int:
        clock[0] += 2
        return item

    entries = (
        Evaluator(name="val", predictions=part(3)),
        Evaluator(name="test", predictions=part(5), sealed=True),
    )
    return evaluate(predict, entries, lambda found: {"sum": float(sum(found))}, log=reads.append, **options)


def test_seconds_count_predicting_and_not_the_opening_of_a_part(clock: list[float]) -> None:
    found = run(clock, [])
    assert [(each.name, each.seconds, each.scores) for each in found] == [
        ("val", 6.0, {"sum": 3.0}),
        ("test", 10.0, {"sum": 10.0}),
    ]


def test_a_sealed_part_is_not_touched_unless_it_may_be_opened(clock: list[float]) -> None:
    reads: list[str] = []
    (found,) = run(clock, reads, open_sealed=False)
    assert (found.name, found.predictions, reads) == ("val", [0, 1, 2], ["evaluation"])
