"""Rich consoles of the command line."""

from rich.console import Console


class Terminal(Console):
    """A console that leaves a broken pipe to `main`. Rich would end the process with exit code 1."""

    def on_broken_pipe(self) -> None:
        """Called while the BrokenPipeError is handled."""
        raise
