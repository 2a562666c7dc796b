"""Recipes of the sequence models for cmudict: one a family and length. Peak rate and batch size of the short ones were searched
on its validation words, with four trials for each family (results/search/).
"""

from collections.abc import Callable
from dataclasses import replace

from fittingroom.core.registry import Registry
from fittingroom.tasks.config import OptimConfig, ScheduleConfig
from fittingroom.tasks.seq2seq.config import Seq2seqConfig

SEQUENCE_RECIPES: Registry[Callable[[], Seq2seqConfig]] = Registry("sequence recipe")


@SEQUENCE_RECIPES.register("transformer_10")
def transformer_10() -> Seq2seqConfig:
    """Muon on the matrices (Jordan et al. 2024) in place of the paper's Adam; label smoothing 0.1 and dropout 0.1 as there.

    Linear decay after a short warm-up; the paper's own schedule is `--set schedule.shape=inverse_sqrt`.
    Command: `fittingroom train transformer --budget 20m`. Result: docs/lab/sequences.md, results/sequences/.
    """
    return Seq2seqConfig(
        model="transformer",
        epochs=10,
        batch_size=128,
        optim=OptimConfig(muon_lr=0.01, lr=0.003),
        schedule=ScheduleConfig(shape="linear", warmup_rate=0.05),
    )


@SEQUENCE_RECIPES.register("transformer_24")
def transformer_24() -> Seq2seqConfig:
    """`transformer_10` with half the rates and more dropout: at its full rates the loss of a long run went up again.

    Command: `fittingroom train transformer --recipe transformer_24`. Result: docs/lab/sequences.md, results/long/.
    """
    return _long(transformer_10())


@SEQUENCE_RECIPES.register("recurrent_10")
def recurrent_10() -> Seq2seqConfig:
    """The same for the attention RNN: Muon on the gates' matrices, each by itself.

    Command: `fittingroom train recurrent --budget 20m`. Result: docs/lab/sequences.md, results/sequences/.
    """
    return Seq2seqConfig(
        model="recurrent",
        epochs=10,
        batch_size=128,
        optim=OptimConfig(muon_lr=0.01, lr=0.003),
        schedule=ScheduleConfig(shape="linear", warmup_rate=0.05),
    )


@SEQUENCE_RECIPES.register("recurrent_24")
def recurrent_24() -> Seq2seqConfig:
    """`recurrent_10` changed as the Transformer's is, so that a long comparison is of equals; not run yet.

    Command: `fittingroom train recurrent --recipe recurrent_24`.
    """
    return _long(recurrent_10())


def _long(short: Seq2seqConfig) -> Seq2seqConfig:
    optim = replace(short.optim, muon_lr=0.005, lr=0.0015)
    return replace(short, epochs=24, model_config={"drop_rate": 0.15}, optim=optim)
