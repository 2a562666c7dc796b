"""What goes on, in a few words on standard error, for work that is short or has no length known beforehand."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def status(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that takes the words: on a terminal they replace one another and vanish, elsewhere each is a line."""
    console = Console(stderr=True, quiet=quiet)
    if quiet or not console.is_terminal:
        yield lambda words: console.print(words, highlight=False, markup=False)
        return
    with console.status("starting") as status:
        yield status.update
