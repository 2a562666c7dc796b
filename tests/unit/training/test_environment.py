"""The memory of a run is that of its own process."""

import subprocess
import sys

import pytest


@pytest.mark.thorough
def test_peak_memory_is_not_that_of_the_process_that_started_it() -> None:
    """getrusage begins there on Linux: a notebook's data would count as the run's."""
    code = (
        "import subprocess, sys; held = bytearray(600_000_000); held[::4096] = bytes(len(held[::4096])); "
        "ask = 'from fittingroom.training.environment import process_peak_bytes; print(process_peak_bytes())'; "
        "print(subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True, check=True).stdout)"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert 10_000_000 < int(alone.stdout) < 550_000_000
