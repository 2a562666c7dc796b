"""What an executor is given and what it tells. A `Work` is plain values, so it can travel as JSON to another machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol


@dataclass(frozen=True, kw_only=True)
class Work:
    """One training; or, with `only_plan`, the choice of its speed plan and the time of a step under it."""

    config: dict[str, Any]
    """A RunConfig as plain values."""
    folder: str
    run: str = ""
    """The run's short name; empty: model and seed."""
    data_dir: str | None = None
    checkpoint_seconds: float = 30.0
    plan: dict[str, str] = field(default_factory=dict)
    """Fixed parts of the speed plan, as text."""
    open_test: bool = True
    only_plan: bool = False
    probe: list[dict[str, Any]] = field(default_factory=list)
    """The timings behind `plan`, where it was measured before."""
    concurrency: int = 1
    """How many plans are measured at the same time."""
    modules: list[str] = field(default_factory=list)
    """Modules outside this package that register tasks, models or data sets; imported before the work begins."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened to work `number`."""

    kind: Literal["starts", "progress", "finished", "failed"]
    number: int
    content: Any = None
    """progress: (step, total, first score of validation or None); finished: the run's state as plain values, or with
    `only_plan` (plan, seconds per step, timings); failed: why."""


class Executor(Protocol):
    """Does works, several at a time, and tells what happens. A work that fails is an event; the others go on."""

    def run(self, works: Sequence[Work]) -> Iterator[Event]:
        """Events in the order in which they happen. When the caller stops listening, all works end; they can be resumed."""
        ...
