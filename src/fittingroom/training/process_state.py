"""What training changes in its process and must not leave behind: in a notebook or a script, the user goes on in it."""

import logging
import os
import sys
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
    compiled: Any = sys.modules.get("torch._inductor.config")
    compiles_alike = compiled is not None and compiled.deterministic
    variable, logger = os.environ.get(CUBLAS), logging.getLogger("lightning.pytorch")
    level = logger.level
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(mode)
        deterministic.fill_uninitialized_memory = fill
        torch.backends.cudnn.benchmark = benchmark
        compiled = sys.modules.get("torch._inductor.config")
        if compiled is not None:
            compiled.deterministic = compiles_alike
        logger.setLevel(level)
        if variable is None:
            os.environ.pop(CUBLAS, None)
        else:
            os.environ[CUBLAS] = variable
