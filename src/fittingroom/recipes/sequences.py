"""Recipes of the sequence models for cmudict: one per family and length. Peak learning rates and batch size of the short
recipes were chosen on validation words only, with four trials per family (results/search/).
"""

from collections.abc import Callable
from dataclasses import replace

from fittingroom.core.registry import Registry
from fittingroom.data.seq2seq.augment import PairAugmentConfig
from fittingroom.tasks.config import OptimConfig, ScheduleConfig
from fittingroom.tasks.seq2seq.config import Seq2seqConfig

FEW_PAIRS, FOR_FEW = 20_000, 100
"""With fewer training pairs, a run may take the recipe of this length. It was measured with 800 and 8,000 words."""
SEQUENCE_RECIPES: Registry[Callable[[], Seq2seqConfig]] = Registry("sequence recipe")


@SEQUENCE_RECIPES.register("transformer_10")
def transformer_10() -> Seq2seqConfig:
    """Muon on the matrices (Jordan et al. 2024) instead of the paper's Adam. Label smoothing 0.1 and dropout 0.1 as in the paper.

    Linear decay after a short warm-up. `--set schedule.shape=inverse_sqrt` selects the paper's schedule.
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
    """`transformer_10` with half the learning rates and more dropout. With the full rates, the loss of a long run rose again.

    Command: `fittingroom train transformer --recipe transformer_24`. Result: docs/lab/sequences.md, results/long/.
    """
    return _long(transformer_10())


@SEQUENCE_RECIPES.register("recurrent_10")
def recurrent_10() -> Seq2seqConfig:
    """The settings of `transformer_10` for the attention RNN. Muon treats the matrix of each gate separately.

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
    """`recurrent_10` with the same changes as in `transformer_24`, so that long comparisons are fair. Not run yet.

    Command: `fittingroom train recurrent --recipe recurrent_24`.
    """
    return _long(recurrent_10())


@SEQUENCE_RECIPES.register("transformer_100")
def transformer_100() -> Seq2seqConfig:
    """For few words: `transformer_24` with smaller batches, more dropout, joined pairs and hidden symbols.

    Command: `fittingroom train transformer --set num_train=800`. Result: docs/sequences.md, results/few-words.json.
    """
    return _few(transformer_24())


@SEQUENCE_RECIPES.register("recurrent_100")
def recurrent_100() -> Seq2seqConfig:
    """For few words: `recurrent_24` with the same changes as in `transformer_100`.

    Command: `fittingroom train recurrent --set num_train=800`. Result: docs/sequences.md, results/few-words.json.
    """
    return _few(recurrent_24())


def _few(long: Seq2seqConfig) -> Seq2seqConfig:
    augment = PairAugmentConfig(join_rate=0.5, hide_rate=0.2)
    return replace(long, epochs=100, batch_size=64, model_config={"drop_rate": 0.3}, augment=augment)


def _long(short: Seq2seqConfig) -> Seq2seqConfig:
    optim = replace(short.optim, muon_lr=0.005, lr=0.0015)
    return replace(short, epochs=24, model_config={"drop_rate": 0.15}, optim=optim)
