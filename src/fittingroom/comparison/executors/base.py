"""The interface of an executor. A `Work` holds only plain values, so it can be sent to another machine as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, kw_only=True)
class Work:
    """One training run; with `only_plan`, only the choice of its speed plan and the timing of a step."""

    config: dict[str, Any]
    """A RunConfig as plain values."""
    folder: str
    run: str = ""
    """The run's short name; by default model and seed."""
    data_dir: str | None = None
    checkpoint_seconds: float = 30.0
    plan: dict[str, str] = field(default_factory=dict)
    """Parts of the speed plan that are not measured, as text."""
    loggers: list[str] = field(default_factory=list)
    """Names of loggers."""
    group: str = ""
    """The name of the comparison, for loggers that group runs."""
    open_test: bool = True
    only_plan: bool = False
    probe: list[dict[str, Any]] = field(default_factory=list)
    """The timings behind `plan`, if it was measured before."""
    concurrency: int = 1
    """How many plans are measured at the same time."""
    modules: list[str] = field(default_factory=list)
    """Modules outside this package that register tasks, models or data sets; imported before the work begins."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to the work at index `number`."""

    kind: Literal["starts", "progress", "finished", "failed"]
    number: int
    content: Any = None
    """Depends on `kind`.

    starts: None. progress: (steps done, total steps, latest validation score or None). finished: the run's state as plain
    values, or with `only_plan` (plan, seconds per step, timings). failed: the reason."""


class Executor(Protocol):
    """Does several works at a time and reports events. If a work fails, the others continue."""

    def run(self, works: Sequence[Work]) -> Iterator[Event]:
        """Yield events as they happen. If the caller closes the iterator, all works stop; they can be resumed."""
        ...
