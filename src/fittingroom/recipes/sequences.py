"""Recipes of the sequence models: one a family, for cmudict. Peak rate and batch size were searched on its validation words,
with four trials for each family (results/search/).
"""

from collections.abc import Callable

from fittingroom.core.registry import Registry
from fittingroom.training.config import PairRunConfig
from fittingroom.training.optim import OptimConfig
from fittingroom.training.schedule import ScheduleConfig

SEQUENCE_RECIPES: Registry[Callable[[], PairRunConfig]] = Registry("sequence recipe")


@SEQUENCE_RECIPES.register("transformer")
def transformer() -> PairRunConfig:
    """Muon on the matrices (Jordan et al. 2024) in place of the paper's Adam; label smoothing 0.1 and dropout 0.1 as there.

    Linear decay after a short warm-up; the paper's own schedule is `--set schedule.shape=inverse_sqrt`.
    Command: `fittingroom train transformer --budget 20m`. Result: docs/sequences.md, results/sequences/.
    """
    return PairRunConfig(
        model="transformer",
        epochs=10,
        batch_size=128,
        optim=OptimConfig(muon_lr=0.01, lr=0.003),
        schedule=ScheduleConfig(shape="linear", warmup_rate=0.05),
    )


@SEQUENCE_RECIPES.register("recurrent")
def recurrent() -> PairRunConfig:
    """The same for the attention RNN: Muon on the gates' matrices, each by itself.

    Command: `fittingroom train recurrent --budget 20m`. Result: docs/sequences.md, results/sequences/.
    """
    return PairRunConfig(
        model="recurrent",
        epochs=10,
        batch_size=128,
        optim=OptimConfig(muon_lr=0.01, lr=0.003),
        schedule=ScheduleConfig(shape="linear", warmup_rate=0.05),
    )
