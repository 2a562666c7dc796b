"""Progress of a comparison on standard error: one bar for the whole, with the time left, and one for each run at hand."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from fittingroom.comparison.grid import Watcher
from fittingroom.training.config import RunConfig

PLANS = "measuring what this machine does fastest (once)"


@contextmanager
def watch(configs: Sequence[RunConfig], *, quiet: bool) -> Iterator[Watcher]:
    """A watcher whose bar is drawn on a terminal; elsewhere a line a run is enough."""
    console = Console(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield _lines(console, configs)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, speed_estimate_period=120) as bars:
        yield _bars(bars, configs)


def _lines(console: Console, configs: Sequence[RunConfig]) -> Watcher:
    began = time.monotonic()
    begun: set[int] = set()
    made = ended = 0

    def plans() -> None:
        console.print(PLANS, highlight=False, markup=False)

    def starts(number: int, config: RunConfig) -> None:
        begun.add(number)
        console.print(f"run {number + 1} of {len(configs)}: {config.run}", highlight=False, markup=False)

    def ends(number: int, row: dict[str, Any]) -> None:
        nonlocal made, ended
        ended, made = ended + 1, made + (number in begun)
        # A run that was finished before took no time: of how long the others take it says nothing.
        left = (time.monotonic() - began) / made * (len(configs) - ended) if made else None
        words = "" if left is None else f"; about {_minutes(left)} left"
        console.print(f"  {row['run']}: {_outcome(row)}{words}", highlight=False, markup=False)

    def looks() -> None:
        console.print(
            "looking inside: what each model looks at, and whether that means something", highlight=False, markup=False
        )

    return Watcher(plans=plans, starts=starts, ends=ends, looks=looks)


def _bars(bars: Progress, configs: Sequence[RunConfig]) -> Watcher:
    overall = bars.add_task("all runs", total=len(configs), note=PLANS)
    current: dict[int, TaskID] = {}
    done: dict[int, float] = {}
    ended = 0

    def starts(number: int, config: RunConfig) -> None:
        current[number] = bars.add_task(config.run, total=None, note="starting")
        bars.update(overall, note=f"{ended} of {len(configs)}")

    words = "validation" if configs[0].kind == "images" else "wrong words"

    def steps(number: int, step: int, total: int, score: float | None) -> None:
        note = "" if score is None else f"{words} {score:.1%}"
        bars.update(current[number], completed=step, total=total, note=note)
        done[number] = step / total
        bars.update(overall, completed=sum(done.values()))

    def ends(number: int, row: dict[str, Any]) -> None:
        nonlocal ended
        ended += 1
        done[number] = 1.0
        if number in current:  # a run that was finished before has not begun
            bars.remove_task(current.pop(number))
        bars.update(overall, completed=sum(done.values()), note=f"{ended} of {len(configs)}")
        bars.console.print(f"{row['run']}: {_outcome(row)}", highlight=False, markup=False)

    def looks() -> None:
        bars.add_task("looking inside", total=None, note="what each model looks at")

    return Watcher(starts=starts, steps=steps, ends=ends, looks=looks)


def _outcome(row: dict[str, Any]) -> str:
    if row["status"] != "finished":
        return f"failed: {row['error']}"
    if "val_word_error_rate" in row:
        score = f"{row['val_word_error_rate']:.2%} of the validation words wrong"
    else:
        score = f"validation {row['val_accuracy']:.2%}"
    return f"{score}, {row['epochs']:g} epochs in {row['train_seconds']:.0f} s"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
