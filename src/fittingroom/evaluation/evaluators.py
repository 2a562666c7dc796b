"""Evaluations: a part of the data, and the way from a predict function to predictions on it.

An evaluator takes any predict function: our model, another library's, an ONNX session, a plain callable. Scores are stored as
`evals[name][metric]`. Validation, test, corruptions, subgroups are entries of one list; `sealed` is a property of an entry.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fittingroom.core.records import ReadLog


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """One entry."""

    name: str
    """The key in `evals`, such as 'val' or 'test'."""
    predictions: Callable[[Callable[[Any], Any], ReadLog], Any]
    """(predict function, log) -> predictions. A sealed entry calls `log(why)` before it opens its items."""
    sealed: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """What came out of one entry."""

    name: str
    predictions: Any
    scores: dict[str, float]
    seconds: float
    """In the predict function. Opening and reading the items does not count."""


def evaluate(
    predict: Callable[[Any], Any],
    evaluators: Sequence[Evaluator],
    score: Callable[[Any], dict[str, float]],
    *,
    log: ReadLog,
    open_sealed: bool = True,
) -> list[Evaluated]:
    """Run the evaluators in order; sealed ones only with `open_sealed`. `score` turns predictions into named scores."""
    found = []
    for evaluator in evaluators:
        if evaluator.sealed and not open_sealed:
            continue
        timed = _Timed(predict)
        predictions = evaluator.predictions(timed, log)
        found.append(
            Evaluated(name=evaluator.name, predictions=predictions, scores=score(predictions), seconds=timed.seconds)
        )
    return found


class _Timed:
    """The function, and the seconds that all of its calls took."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, items: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.function(items)
        finally:
            self.seconds += time.perf_counter() - start
