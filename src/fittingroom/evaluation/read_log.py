"""The log of reads of a run's sealed test split."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import TestRead, read_state, write_state
from fittingroom.core.rundir import exclusive_lock
from fittingroom.evaluation.shipped import is_shipped


def log_test_read(folder: Path, why: str) -> None:
    """Add an entry to `test_reads` in the run's state. Call this before opening the test items.

    The package is read-only, so for shipped weights the entry goes to a `state.json` in the user's cache.
    """
    if is_shipped(folder):
        folder = cache_folder("test-reads") / folder.name
    read = TestRead(when=datetime.now(UTC).isoformat(timespec="seconds"), why=why)
    try:
        with exclusive_lock(folder, patience=60, lock=".reads.lock", fixed=True):  # `fit` holds the run's own lock.
            state = read_state(folder)
            write_state(folder, replace(state, test_reads=(*state.test_reads, read)))
    except FittingRoomError as error:
        raise FittingRoomError(f"this read of the test part cannot be logged: {error}") from error
