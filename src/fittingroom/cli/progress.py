"""Progress of a comparison on standard error: one bar for the whole, with the time left, and a line for the run at hand."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from fittingroom.comparison.grid import Watcher
from fittingroom.training.config import RunConfig


@contextmanager
def watch(configs: list[RunConfig], *, quiet: bool) -> Iterator[Watcher]:
    """A watcher whose bar is drawn on a terminal; elsewhere a line a run is enough."""
    console = Console(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield _lines(console, configs)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, speed_estimate_period=120) as bars:
        yield _bars(bars, configs)


def _lines(console: Console, configs: list[RunConfig]) -> Watcher:
    began = time.monotonic()
    worked = 0

    def starts(number: int, config: RunConfig) -> None:
        console.print(f"run {number + 1} of {len(configs)}: {config.run}", highlight=False)

    def ends(number: int, row: dict[str, Any]) -> None:
        nonlocal worked
        worked += 1
        left = (time.monotonic() - began) / worked * (len(configs) - number - 1)
        console.print(f"  {_outcome(row)}; about {_minutes(left)} left", highlight=False)

    def looks() -> None:
        console.print("looking inside: what each model looks at, and whether that means something", highlight=False)

    return Watcher(starts=starts, ends=ends, looks=looks)


def _bars(bars: Progress, configs: list[RunConfig]) -> Watcher:
    overall = bars.add_task("all runs", total=len(configs), note=f"0 of {len(configs)}")
    current = bars.add_task("", total=1, note="")

    def starts(number: int, config: RunConfig) -> None:
        bars.update(current, description=config.run, completed=0, total=None, note="starting")

    def steps(number: int, step: int, total: int, accuracy: float | None) -> None:
        note = "" if accuracy is None else f"validation {accuracy:.1%}"
        bars.update(current, completed=step, total=total, note=note)
        bars.update(overall, completed=number + step / total)

    def ends(number: int, row: dict[str, Any]) -> None:
        bars.update(overall, completed=number + 1, note=f"{number + 1} of {len(configs)}")
        bars.console.print(f"{row['run']}: {_outcome(row)}", highlight=False)

    def looks() -> None:
        bars.update(current, description="looking inside", completed=0, total=None, note="what each model looks at")

    return Watcher(starts=starts, steps=steps, ends=ends, looks=looks)


def _outcome(row: dict[str, Any]) -> str:
    if row["status"] != "finished":
        return f"failed: {row['error']}"
    return f"validation {row['val_accuracy']:.2%}, {row['epochs']:g} epochs in {row['train_seconds']:.0f} s"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
