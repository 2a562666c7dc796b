"""Progress on standard error: bars on a terminal; elsewhere (nohup, CI) lines as runs start and end, and each half minute."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from fittingroom.cli.console import Terminal
from fittingroom.cli.time_left import TimeLeft, duration
from fittingroom.comparison.grid import Comparison, Watcher
from fittingroom.core.records import RunRow
from fittingroom.core.text import epochs_text
from fittingroom.tasks.scoring import SCORINGS, Scoring

PLANS = "measuring the fastest settings for this machine (once)"
EVERY, AFTER_EPOCH = 30.0, 10.0
"""Seconds between lines; and after an epoch, if the last line is at least this old."""
PICTURE_SECONDS = 10.0
"""What the pictures for the report take for each candidate, roughly."""


@contextmanager
def watch(comparison: Comparison, *, quiet: bool) -> Iterator[Watcher]:
    """A watcher that draws bars on a terminal, and prints lines elsewhere."""
    console = Terminal(stderr=True, quiet=quiet)
    total, seconds = len(comparison.runs), comparison.budget.seconds
    left = TimeLeft(total, usual=seconds, after=PICTURE_SECONDS * len(comparison.candidates), clock=_now)
    if quiet or not console.is_terminal:
        yield _lines(console, comparison, left)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), _Left())
    with Progress(*columns, console=console, speed_estimate_period=120) as bars:
        yield _bars(bars, comparison, left)


def _now() -> float:
    return time.monotonic()


class RunLines:
    """Lines about the runs of a grid."""

    def __init__(self, say: Callable[[str], None], left: TimeLeft) -> None:
        self.say, self.estimate = say, left
        self.names: dict[int, str] = {}
        self.last = _now()

    def starts(self, number: int, run: str) -> None:
        """Say that a run starts."""
        self.names[number] = run
        self.estimate.starts(number)
        self._print(f"run {number + 1} of {self.estimate.total}: {run}")

    def steps(self, number: int, step: int, of: int, score: float | None) -> None:
        """Say where all current runs are, every half minute."""
        self.estimate.advances(number, step / of)
        if _now() - self.last < EVERY:
            return
        shares = ", ".join(f"{self.names[each]} {share:.0%}" for each, share in self.estimate.shares.items())
        self._print(f"{self.estimate.num_ended} of {self.estimate.total} runs done; {shares}{self._left()}")

    def ends(self, number: int, outcome: str) -> None:
        """Say how a run ended."""
        made = number in self.names
        self.estimate.ends(number)
        self._print(f"  {outcome}{self._left() if made else ''}")

    def _left(self) -> str:
        left = self.estimate.left()
        return "" if left is None else f"; about {duration(left)} left"

    def _print(self, text: str) -> None:
        self.last = _now()
        self.say(text)


def _lines(console: Terminal, comparison: Comparison, left: TimeLeft) -> Watcher:
    scoring = _scoring(comparison)

    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    lines = RunLines(say, left)

    def ends(number: int, row: RunRow) -> None:
        lines.ends(number, f"{row.run}: {_outcome(row, scoring)}")

    def pictures() -> None:
        say(f"pictures for the report: what each model looks at; about {duration(left.after)} left")

    return Watcher(plans=lambda: say(PLANS), starts=lines.starts, steps=lines.steps, ends=ends, pictures=pictures)


class _Left(TimeRemainingColumn):
    """The time left: of everything for the first bar, of one run for the others."""

    def render(self, task: Task) -> Text:
        """The text of one bar."""
        return Text(task.fields["left"], style="progress.remaining") if "left" in task.fields else super().render(task)


def _bars(bars: Progress, comparison: Comparison, left: TimeLeft) -> Watcher:
    total, scoring = len(comparison.runs), _scoring(comparison)
    overall = bars.add_task("all runs", total=total, note=PLANS, left="")
    current: dict[int, TaskID] = {}
    done: dict[int, float] = {}

    def update(**fields: Any) -> None:
        seconds = left.left()
        shown = "" if seconds is None else f"{duration(seconds)} left"
        bars.update(overall, completed=sum(done.values()), left=shown, **fields)

    def starts(number: int, run: str) -> None:
        left.starts(number)
        current[number] = bars.add_task(run, total=None, note="starting")
        update(note=f"{left.num_ended} of {total}")

    def steps(number: int, step: int, of: int, score: float | None) -> None:
        left.advances(number, step / of)
        bars.update(current[number], completed=step, total=of, note=score_text(scoring, score))
        done[number] = step / of
        update()

    def ends(number: int, row: RunRow) -> None:
        left.ends(number)
        done[number] = 1.0
        if number in current:  # a run that was finished before has no bar
            bars.remove_task(current.pop(number))
        update(note=f"{left.num_ended} of {total}")
        bars.console.print(f"{row.run}: {_outcome(row, scoring)}", highlight=False, markup=False)

    def pictures() -> None:
        bars.add_task("pictures for the report", total=None, note="what each model looks at")

    return Watcher(starts=starts, steps=steps, ends=ends, pictures=pictures)


class TrainLines:
    """Lines about one training: after an epoch, or every half minute. A training of a few seconds gets none."""

    def __init__(self, run: str, scoring: Scoring[Any], epochs: float | None, say: Callable[[str], None]) -> None:
        self.run, self.scoring, self.epochs, self.say = run, scoring, epochs, say
        self.first: tuple[float, int] | None = None
        self.last, self.epoch = _now(), 0

    def __call__(self, step: int, total: int, score: float | None) -> None:
        """`step` of `total` steps are done."""
        now = _now()
        if self.first is None:
            self.first, self.last = (now, step), now
        epoch = 0 if self.epochs is None else int((step - 1) / total * self.epochs)  # validated by the next step
        wait = AFTER_EPOCH if epoch > self.epoch else EVERY
        if now - self.last < wait or step == total:
            return
        self.last, self.epoch = now, epoch
        began, first = self.first
        left = (now - began) / (step - first) * (total - step) if step > first else None
        where = f"step {step:,} of {total:,}"
        if self.epochs is not None:
            where = f"epoch {step / total * self.epochs:.2f} of {self.epochs:g}"
        words = [f"{self.run}: {where}", score_text(self.scoring, score)]
        words += [] if left is None else [f"about {duration(left)} left"]
        self.say(", ".join(filter(None, words)))


def score_text(scoring: Scoring[Any], score: float | None) -> str:
    """`validation accuracy 93.1 %`; empty before the first validation."""
    if score is None:
        return ""
    metric = scoring.metrics[0]
    return f"validation {metric.title} {metric.scale * score:.1f} {metric.unit}".rstrip()


def _scoring(comparison: Comparison) -> Scoring[Any]:
    return SCORINGS.get(comparison.candidates[0].config.task)


def _outcome(row: RunRow, scoring: Scoring[Any]) -> str:
    if row.status != "finished":
        return f"failed: {row.error}"
    metric = scoring.metrics[0]
    score = f"validation {metric.title} {metric.scale * row.evals['val'][metric.name]:.2f} {metric.unit}".rstrip()
    return f"{score}, {epochs_text(row.epochs)} in {row.train_seconds:.0f} s"
