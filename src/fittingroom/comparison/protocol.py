"""The protocol of a comparison: presets, budgets and the order of runs. `Scoring.protocol` describes it in sentences."""

import math
import statistics
from dataclasses import dataclass, replace
from typing import Any

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import BudgetRecord, ComparisonRecord
from fittingroom.core.registry import Registry
from fittingroom.core.text import epochs_text

MOST_SEEDS = 1000
LEAST_USED = 0.7
"""Share of a time budget that a candidate should use. Quiet runs use 0.75 to 0.85: the rest is kept for disturbances."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The length of each run: passes over the training data, or seconds of wall-clock time."""

    epochs: float | None = None
    seconds: float | None = None

    @property
    def text(self) -> str:
        """The budget as words that can follow "with", such as `at most 60 s of training each`."""
        if self.epochs is None:
            return f"at most {self.seconds:g} s of training each"
        return f"{epochs_text(self.epochs)} each"

    @property
    def slug(self) -> str:
        """The budget as part of a folder name, such as `60s`."""
        return f"{self.seconds:g}s" if self.epochs is None else f"{self.epochs:g}-epochs"

    @property
    def record(self) -> BudgetRecord:
        """The budget for comparison.json."""
        if self.epochs is None:
            return BudgetRecord(kind="seconds", value=self.seconds or 0.0, text=self.text)
        return BudgetRecord(kind="epochs", value=self.epochs, text=self.text)

    def to_dict(self) -> dict[str, Any]:
        """`record` as plain values."""
        return to_dict(self.record)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Number of seeds and budget of a comparison."""

    seeds: int
    budget: Budget
    purpose: str
    fold_seconds: float | None = None
    """Seconds of each run of a cross-validation, which has more runs; None keeps `budget`."""

    def for_folds(self) -> "Preset":
        """The preset for few images of one's own, which a comparison cross-validates: `FOLD_SEEDS` seeds of shorter runs."""
        budget = self.budget if self.fold_seconds is None else Budget(seconds=self.fold_seconds)
        return replace(self, seeds=FOLD_SEEDS, budget=budget)


FOLD_SEEDS = 2
"""Seeds of a cross-validation that a preset chooses: its intervals need two or more."""
PRESETS: Registry[Preset] = Registry("preset")
PRESETS.register("quick")(
    Preset(
        seeds=3, budget=Budget(seconds=70), fold_seconds=40, purpose="3 seeds, six minutes on two cores: a first look"
    )
)
PRESETS.register("standard")(
    Preset(seeds=3, budget=Budget(epochs=5), purpose="3 seeds x 5 epochs: about an hour on two cores with bf16")
)
PRESETS.register("full")(Preset(seeds=5, budget=Budget(epochs=20), purpose="5 seeds x 20 epochs: a night"))


def fair_order(models: list[str], seeds: list[int]) -> list[tuple[str, int]]:
    """The runs seed by seed. The models take turns at going first, so that a slow phase of the machine favours none."""
    turns = []
    for turn, seed in enumerate(seeds):
        start = turn % len(models)
        turns += [(model, seed) for model in models[start:] + models[:start]]
    return turns


def check_seeds(count: int) -> list[int]:
    """Seeds 0 to `count - 1`. Raises FittingRoomError unless there are 1 to `MOST_SEEDS`."""
    if count < 1:
        raise FittingRoomError(
            f"--seeds {count}: a comparison needs at least 1 seed, and 2 to say anything about other seeds"
        )
    if count > MOST_SEEDS:
        raise FittingRoomError(f"--seeds {count}: give at most {MOST_SEEDS:,}")
    return list(range(count))


def budget_text(record: ComparisonRecord) -> str:
    """The budget in words, with what did not keep to it: by how much a run overran it, or which candidates used too little."""
    share, short = overrun(record), underused(record)
    if not share and not short:
        return record.budget.text
    notes = [f"overrun by up to {math.ceil(100 * share - 1e-6)} %"] if share else []
    notes += [f"{title} used only {seconds:.0f} s" for title, seconds in short.items()]
    return f"{record.budget.value:g} s of training each ({', '.join(notes)})"


def overrun(record: ComparisonRecord) -> float:
    """The share by which the longest run exceeded a budget in seconds; 0 if none did, and for a budget in epochs."""
    if record.budget.kind != "seconds":
        return 0.0
    longest = max((row.train_seconds or 0.0 for row in record.finished()), default=0.0)
    return max(0.0, longest / record.budget.value - 1)


def underused(record: ComparisonRecord) -> dict[str, float]:
    """Title and mean seconds of each candidate that used less than `LEAST_USED` of a budget in seconds.

    It stopped early, or its steps were measured while something else slowed the machine.
    """
    if record.budget.kind != "seconds":
        return {}
    found = {}
    for candidate in record.candidates:
        used = [row.train_seconds for row in record.finished(candidate.name) if row.train_seconds is not None]
        if used and statistics.fmean(used) < LEAST_USED * record.budget.value:
            found[candidate.title] = statistics.fmean(used)
    return found
