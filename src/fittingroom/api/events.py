"""Progress of a training run: a bar on a terminal or in a notebook, lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

Progress = Callable[[int, int, float | None], None]
LINE_SECONDS = 30.0
"""Seconds between lines where there is no terminal."""


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def on_terminal() -> bool:
    """Whether standard error is a terminal. A program without a console may have none, or a closed one."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


@contextmanager
def training_progress(run: str, show: bool | None = None) -> Iterator[Progress | None]:
    """A function to call with (steps done, total steps, score), or None if progress is not shown.

    By default (`show` None) progress is shown on terminals and in notebooks. If `show` is true, lines are printed elsewhere.
    """
    if show is False or (show is None and not in_notebook() and not on_terminal()):
        yield None
        return
    if in_notebook():
        bar = NotebookBar()
        yield lambda step, total, score: bar.update(_words(run, step, total, score), step / total)
        bar.close()
        return
    if not on_terminal():
        yield _lines(run)
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(run, total=None)
        yield lambda step, total, score: bars.update(
            task, completed=step, total=total, description=_words(run, step, total, score)
        )


def _lines(run: str) -> Progress:
    """Print a line on standard error each half minute, and at the last step."""
    last = time.monotonic()

    def tell(step: int, total: int, score: float | None) -> None:
        nonlocal last
        if step == total or time.monotonic() - last >= LINE_SECONDS:
            last = time.monotonic()
            print(_words(run, step, total, score), file=sys.stderr, flush=True)

    return tell


class NotebookBar:
    """A progress bar as one HTML element that is updated in the cell's output. It needs no widget library."""

    def __init__(self) -> None:
        from IPython.display import HTML, display  # type: ignore[import-not-found]

        self._html: Any = HTML
        self._shown: Any = display(HTML("starting ..."), display_id=True)
        self._last = 0.0

    def update(self, text: str, share: float) -> None:
        """Show the text and the share done, at most five times a second."""
        if share < 1 and time.monotonic() - self._last < 0.2:
            return
        self._last = time.monotonic()
        bar = f'<progress value="{share:.4f}" max="1" style="width:20em"></progress>'
        self._shown.update(self._html(f"{bar} {escape(text)}"))

    def close(self) -> None:
        """Remove the bar: the cell shows its result instead."""
        self._shown.update(self._html(""))


def _words(run: str, step: int, total: int, score: float | None) -> str:
    return f"{run}: step {step} of {total}" + ("" if score is None else f", validation {score:.1%}")
