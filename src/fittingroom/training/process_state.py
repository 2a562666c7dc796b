"""What training changes in its process and must not leave behind: in a notebook or a script, the user goes on in it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

CUBLAS = "CUBLAS_WORKSPACE_CONFIG"
"""Lightning sets this variable for deterministic runs."""


@contextmanager
def process_state() -> Iterator[None]:
    """After this block, threads, deterministic mode and Lightning's logging are as before."""
    deterministic: Any = torch.utils.deterministic
    threads, fill = torch.get_num_threads(), deterministic.fill_uninitialized_memory
    mode, benchmark = torch.get_deterministic_debug_mode(), torch.backends.cudnn.benchmark
    variable, logger = os.environ.get(CUBLAS), logging.getLogger("lightning.pytorch")
    level = logger.level
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        deterministic.fill_uninitialized_memory = fill
        torch.backends.cudnn.benchmark = benchmark
        logger.setLevel(level)
        if variable is None:
            os.environ.pop(CUBLAS, None)
        else:
            os.environ[CUBLAS] = variable
