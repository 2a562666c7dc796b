"""The log of reads of a run's sealed test split."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fittingroom.core.records import TestRead, read_state, write_state
from fittingroom.core.rundir import cache_folder, exclusive_lock
from fittingroom.evaluation.shipped import is_shipped


def log_test_read(folder: Path, why: str) -> None:
    """Add a line to `test_reads` in the run's state, before the items are handed out.

    For weights that come with the package, the line goes to a `state.json` in the user's cache: the package is read-only.
    """
    if is_shipped(folder):
        folder = cache_folder("test-reads") / folder.name
    read = TestRead(when=datetime.now(UTC).isoformat(timespec="seconds"), why=why)
    with exclusive_lock(folder, patience=60, lock=".reads.lock"):  # not the run's own lock, which `fit` holds
        state = read_state(folder)
        write_state(folder, replace(state, test_reads=(*state.test_reads, read)))
