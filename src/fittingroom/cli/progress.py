"""Progress of a comparison on standard error: a bar for the whole with the time left, and a bar for each current run."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fittingroom.cli.console import Terminal
from fittingroom.comparison.grid import Comparison, Watcher
from fittingroom.core.records import RunRow
from fittingroom.tasks.scoring import SCORINGS, Scoring

PLANS = "measuring the fastest settings for this machine (once)"


@contextmanager
def watch(comparison: Comparison, *, quiet: bool) -> Iterator[Watcher]:
    """A watcher that draws bars on a terminal, and prints lines elsewhere."""
    console = Terminal(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield _lines(console, comparison)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, speed_estimate_period=120) as bars:
        yield _bars(bars, comparison)


def _lines(console: Terminal, comparison: Comparison) -> Watcher:
    began, total, scoring = time.monotonic(), len(comparison.runs), _scoring(comparison)
    begun: set[int] = set()
    made = ended = 0

    def plans() -> None:
        console.print(PLANS, highlight=False, markup=False)

    def starts(number: int, run: str) -> None:
        begun.add(number)
        console.print(f"run {number + 1} of {total}: {run}", highlight=False, markup=False)

    def ends(number: int, row: RunRow) -> None:
        nonlocal made, ended
        ended, made = ended + 1, made + (number in begun)
        # Runs that were finished before took no time, so they do not help to estimate the time left.
        left = (time.monotonic() - began) / made * (total - ended) if made else None
        words = "" if left is None else f"; about {_minutes(left)} left"
        console.print(f"  {row.run}: {_outcome(row, scoring)}{words}", highlight=False, markup=False)

    def pictures() -> None:
        console.print(
            "pictures for the report: what each model looks at, tested against random maps",
            highlight=False,
            markup=False,
        )

    return Watcher(plans=plans, starts=starts, ends=ends, pictures=pictures)


def _bars(bars: Progress, comparison: Comparison) -> Watcher:
    total, scoring = len(comparison.runs), _scoring(comparison)
    overall = bars.add_task("all runs", total=total, note=PLANS)
    current: dict[int, TaskID] = {}
    done: dict[int, float] = {}
    ended = 0

    def starts(number: int, run: str) -> None:
        current[number] = bars.add_task(run, total=None, note="starting")
        bars.update(overall, note=f"{ended} of {total}")

    def steps(number: int, step: int, of: int, score: float | None) -> None:
        metric = scoring.metrics[0]
        note = "" if score is None else f"validation {metric.title} {metric.scale * score:.1f} {metric.unit}".rstrip()
        bars.update(current[number], completed=step, total=of, note=note)
        done[number] = step / of
        bars.update(overall, completed=sum(done.values()))

    def ends(number: int, row: RunRow) -> None:
        nonlocal ended
        ended += 1
        done[number] = 1.0
        if number in current:  # a run that was finished before has no bar
            bars.remove_task(current.pop(number))
        bars.update(overall, completed=sum(done.values()), note=f"{ended} of {total}")
        bars.console.print(f"{row.run}: {_outcome(row, scoring)}", highlight=False, markup=False)

    def pictures() -> None:
        bars.add_task("pictures for the report", total=None, note="what each model looks at")

    return Watcher(starts=starts, steps=steps, ends=ends, pictures=pictures)


def _scoring(comparison: Comparison) -> Scoring[Any]:
    return SCORINGS.get(comparison.candidates[0].config.task)


def _outcome(row: RunRow, scoring: Scoring[Any]) -> str:
    if row.status != "finished":
        return f"failed: {row.error}"
    metric = scoring.metrics[0]
    score = f"validation {metric.title} {metric.scale * row.evals['val'][metric.name]:.2f} {metric.unit}".rstrip()
    return f"{score}, {row.epochs:g} epochs in {row.train_seconds:.0f} s"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
