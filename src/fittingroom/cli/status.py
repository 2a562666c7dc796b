"""Status messages on standard error, for work that is short or has no known length."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fittingroom.cli.console import Terminal


@contextmanager
def status(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that shows a message. On a terminal the next message replaces it; elsewhere each message is a line."""
    console = Terminal(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield lambda words: console.print(words, highlight=False, markup=False)
        return
    with console.status("starting") as status:
        yield status.update
