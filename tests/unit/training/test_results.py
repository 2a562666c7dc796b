"""What a run leaves behind: predictions in half precision, and the memory of its own process."""

import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.tasks.classification.scoring import to_half


@given(
    logits=st.lists(st.lists(st.floats(-8, 8), min_size=4, max_size=4), min_size=1, max_size=20),
    nearly=st.sampled_from([0.0, 1e-5, 1e-4, 1e-3]),
)
def test_half_precision_keeps_the_class(logits: list[list[float]], nearly: float) -> None:
    scores = np.array(logits, dtype=np.float32)
    scores[:, 1] = scores[:, 0] + nearly  # two that rounding may make equal, the later one ahead
    probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    half = to_half(probs)
    assert half.dtype == np.float16
    assert (half.argmax(axis=1) == probs.argmax(axis=1)).all()
    assert np.abs(half - probs).max() < 1e-3


def test_peak_memory_is_not_that_of_the_process_that_started_it() -> None:
    """getrusage begins there on Linux: a notebook's data would count as the run's."""
    code = (
        "import subprocess, sys; held = bytearray(600_000_000); held[::4096] = bytes(len(held[::4096])); "
        "ask = 'from fittingroom.training.environment import process_peak_bytes; print(process_peak_bytes())'; "
        "print(subprocess.run([sys.executable, '-c', ask], capture_output=True, text=True, check=True).stdout)"
    )
    alone = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert 10_000_000 < int(alone.stdout) < 550_000_000
