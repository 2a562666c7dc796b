"""Run lessons from top to bottom, each in a process of its own, and say how long each took.

cd docs/lecture && python -m lesson.execute          # all; with numbers (01 04) only these
"""

import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

FOLDER = Path(__file__).parents[1]
MOST_SECONDS = 300
"""Longest time of a lesson on two cores."""


def lessons(*numbers: str) -> list[Path]:
    """The files of all lessons, or of those whose name starts with one of the numbers."""
    return [path for path in sorted(FOLDER.glob("[0-9][0-9]_*.py")) if not numbers or path.name.startswith(numbers)]


def execute(path: Path, folder: Path = FOLDER, seconds: int = MOST_SECONDS) -> nbformat.NotebookNode:
    """Run every cell in `folder` and return the notebook with its outputs. Raises nbclient's error for a cell that fails."""
    notebook = jupytext.read(path)
    with tempfile.TemporaryDirectory() as runs:
        first = nbformat.v4.new_code_cell(f"import os, sys; sys.path.insert(0, {str(FOLDER)!r}); os.chdir({runs!r})")
        notebook.cells.insert(0, first)  # what a lesson trains does not stay
        NotebookClient(notebook, timeout=seconds, resources={"metadata": {"path": str(folder)}}).execute()
    notebook.cells.pop(0)
    return notebook


def main(numbers: list[str]) -> int:
    """Run the lessons; 1 if one failed or took too long."""
    failed = []
    for path in lessons(*numbers):
        began = time.monotonic()
        try:
            execute(path)
            words = "ok"
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            words = f"failed\n{error}"
        took = time.monotonic() - began
        if words == "ok" and took > MOST_SECONDS:
            words = f"took longer than {MOST_SECONDS} s"
        failed += [] if words == "ok" else [path.stem]
        print(f"{path.stem:24} {took:6.1f} s  {words}", flush=True)
    if failed:
        print(f"{len(failed)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
