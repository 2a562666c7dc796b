"""What is compared and how: presets, matched budgets, the fair order of runs, and the sentences that say so in the report."""

from dataclasses import dataclass
from typing import Any

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import Registry
from fittingroom.data.seq2seq.splits import TRAIN_PERCENT, VAL_PERCENT


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The same for every model: passes over the images (or pairs), or seconds of wall-clock."""

    epochs: float | None = None
    seconds: float | None = None

    @property
    def text(self) -> str:
        """As it stands in a sentence after "with", such as `at most 60 s of training each`."""
        if self.epochs is None:
            return f"at most {self.seconds:g} s of training each"
        return "1 epoch each" if self.epochs == 1 else f"{self.epochs:g} epochs each"

    @property
    def slug(self) -> str:
        """As it stands in a folder's name."""
        return f"{self.seconds:g}s" if self.epochs is None else f"{self.epochs:g}-epochs"

    def to_dict(self) -> dict[str, Any]:
        """For comparison.json."""
        kind, value = ("seconds", self.seconds) if self.epochs is None else ("epochs", self.epochs)
        return {"kind": kind, "value": value, "text": self.text}


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A size of comparison."""

    seeds: int
    budget: Budget
    purpose: str


PRESETS: Registry[Preset] = Registry("preset")
PRESETS.register("quick")(
    Preset(seeds=2, budget=Budget(seconds=100), purpose="2 seeds, six minutes on two cores: a first look")
)
PRESETS.register("standard")(
    Preset(seeds=3, budget=Budget(epochs=5), purpose="3 seeds x 5 epochs: about an hour on two cores with bf16")
)
PRESETS.register("full")(Preset(seeds=5, budget=Budget(epochs=20), purpose="5 seeds x 20 epochs: a night"))


def fair_order(models: list[str], seeds: list[int]) -> list[tuple[str, int]]:
    """Seed by seed, the models taking turns at being first, so that a machine that slows down harms all alike."""
    turns = []
    for turn, seed in enumerate(seeds):
        start = turn % len(models)
        turns += [(model, seed) for model in models[start:] + models[:start]]
    return turns


def check_seeds(count: int) -> list[int]:
    """Seeds 0 to `count - 1`. Raises FittingRoomError unless there is at least one."""
    if count < 1:
        raise FittingRoomError(
            f"--seeds {count}: a comparison needs at least 1 seed, and 2 to say anything about others"
        )
    return list(range(count))


def sentences(
    budget: Budget, seeds: list[int], jobs: int, own_core: bool, *, num_train: int, num_val: int, num_test: int
) -> list[str]:
    """The protocol in plain words, for the report. `own_core`: each of the `jobs` runs at a time is alone on a core."""
    return [
        _length(budget),
        f"{_paired(seeds)}: a seed decides split, initial weights, order, augmentation and dropout, for all models alike.",
        f"{num_train:,} training and {num_val:,} validation images, stratified, carved from the training file by seed; training "
        "images that stand in the test or validation part as well are left out.",
        "Which recipe was kept, validation images decided; that the search for one went on, three times a test figure below its "
        "target: docs/lab/results.md lists the trials of each family.",
        f"The {num_test:,} test images are read once by each run, after its last epoch; no earlier epoch is picked, no early "
        "stopping, no test-time augmentation.",
        _turns(jobs, own_core),
        "Intervals are 95 %, over seeds and test images together; those of differences hold for all pairs at once "
        "(Bonferroni), and p-values are Holm's.",
        _clock("final evaluation"),
    ]


def pair_sentences(
    budget: Budget,
    seeds: list[int],
    jobs: int,
    own_core: bool,
    *,
    num_train: int,
    num_val: int,
    num_test: int,
    three_files: bool = False,
) -> list[str]:
    """The protocol of a comparison of sequence models; the numbers are those of words (different sources)."""
    split = (
        "as the three files say; training words that stand in a validation or test file as well are left out."
        if three_files
        else f"{TRAIN_PERCENT}, {VAL_PERCENT} and {100 - TRAIN_PERCENT - VAL_PERCENT} in a hundred by a hash of the spelling: a "
        "word's part is the same whatever the seed, and all its right answers stand in one part."
    )
    return [
        _length(budget),
        f"{_paired(seeds)}: a seed decides initial weights, order and dropout, for all models alike; the words of each part "
        "are the same for all seeds.",
        f"{num_train:,} training, {num_val:,} validation and {num_test:,} test words, split {split}",
        "All choices are made on validation words, none on test words.",
        f"The {num_test:,} test words are read once by each run, after its last epoch; no earlier epoch is picked, no early "
        "stopping.",
        "Words are written greedily, symbol by symbol, the likeliest each time: no beam search, dictionary or language model.",
        "A word is wrong unless it equals one of its right answers; phoneme errors are substitutions, deletions and insertions "
        "against the closest of them, over its phonemes, summed over all words.",
        _turns(jobs, own_core),
        "Intervals are 95 %, over seeds and test words together; those of differences hold for all pairs of models at once "
        "(Bonferroni), and p-values are Holm's. Word errors decide; the verdict speaks of phoneme errors only for models "
        "that word errors tell apart.",
        _clock("writing the test words"),
    ]


def _length(budget: Budget) -> str:
    length = (
        "the whole learning-rate schedule is fitted to that length."
        if budget.epochs is not None
        else "the steps that fit are measured in a run's first seconds, some time is kept in reserve, and the whole "
        "learning-rate schedule is fitted to them; the seconds that were used stand in the table."
    )
    return f"Every model is trained from scratch with {budget.text}: {length}"


def _paired(seeds: list[int]) -> str:
    return "1 seed" if len(seeds) == 1 else f"{len(seeds)} seeds, paired"


def _turns(jobs: int, own_core: bool) -> str:
    side = (
        "one after another" if jobs == 1 else f"{jobs} at a time{', each on a processor core of its own,' * own_core}"
    )
    return f"Runs are made {side} in a fair order: the models take turns at being first."


def _clock(without: str) -> str:
    return f"Training seconds count from the start of a run to its last step, validation on the way included, {without} not."
