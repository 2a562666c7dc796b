"""A run is one process, whatever a scheduler or a launcher says about it.

SLURM, torchrun and MPI describe themselves in environment variables. Lightning reads them: it refuses a task of several, or takes
this process for one of several and keeps its loggers silent. It also reads arguments of its Trainer (`PL_TRAINER_...`), which
would change a run without a word in its config.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.utilities.rank_zero import rank_zero_only

LOGGING: Any = rank_zero_only
"""Its attribute `rank` decides whether loggers write: 0 does. Lightning sets it from the environment."""
TRAINER_ARGUMENTS = "PL_TRAINER_"


@contextmanager
def single_process() -> Iterator[LightningEnvironment]:
    """Make and run a Trainer of one device inside this block, with the yielded plugin, which keeps it from asking a scheduler.

    Environment and rank are as before afterwards.
    """
    rank = LOGGING.rank
    arguments = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(TRAINER_ARGUMENTS)}
    LOGGING.rank = 0
    try:
        yield LightningEnvironment()
    finally:
        LOGGING.rank = rank
        os.environ.update(arguments)
