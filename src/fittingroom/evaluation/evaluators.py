"""Evaluators. Each one runs a predict function on a part of the data.

The predict function can be any callable: a model from fittingroom or another library, an ONNX session, a plain function. Scores
are stored as `evals[name][metric]`. Validation, test, corruptions and subgroups are entries of one list, and any entry can be
sealed.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fittingroom.core.records import ReadLog


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """One evaluation: a named part of the data."""

    name: str
    """The key in `evals`, such as 'val' or 'test'."""
    predictions: Callable[[Callable[[Any], Any], ReadLog], Any]
    """(predict function, log) -> predictions. A sealed evaluator calls `log(why)` before it opens its items."""
    sealed: bool = False


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """The result of one evaluator."""

    name: str
    predictions: Any
    scores: dict[str, float]
    seconds: float
    """Seconds in the predict function, without opening and reading the items."""


def evaluate(
    predict: Callable[[Any], Any],
    evaluators: Sequence[Evaluator],
    score: Callable[[Any], dict[str, float]],
    *,
    log: ReadLog,
    open_sealed: bool = True,
) -> list[Evaluated]:
    """Run the evaluators in order. Skip sealed ones unless `open_sealed`. `score` turns predictions into named scores."""
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
    """Wraps a function and adds up the seconds of its calls."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, items: Any) -> Any:
        start = time.perf_counter()
        try:
            return self.function(items)
        finally:
            self.seconds += time.perf_counter() - start
