"""A metric: what it is called, which way is better, how a prediction is turned into one number per item, and its words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fittingroom.core.records import CandidateSummary, Contrast, Difference, Score
from fittingroom.evaluation.statistics import Interval, SeedSpread


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of a task. Scores are stored as they are (an accuracy as a fraction); `scale` and `unit` are for people."""

    name: str
    """The key in `evals`, such as `accuracy`; in metrics.csv the column `val_accuracy`."""
    title: str
    """As in 'test accuracy'."""
    higher_is_better: bool
    values: Callable[[Any], Any]
    """The predictions of one run on one part -> one number per item [items], whose mean is the score."""
    interval: Callable[[Any, float, SeedSpread], Interval]
    """(values [seeds, items], level, spread) -> the interval of the mean."""
    scale: float = 100.0
    """What a score is multiplied by before it is shown."""
    unit: str = "%"
    """After a score."""
    points: tuple[str, str] = ("percentage points", "points")
    """After a difference, in full and in short."""
    decimals: int = 1
    """Of a score in a sentence."""
    wins: str
    """What the best candidate does, after its title: 'classifies best'."""
    beyond: str
    """Where the best lies relative to the others: 'above', or 'below'."""
    alone: str
    """What one candidate without a rival does, with `{score}`."""
    noun: str
    """As in 'fewer phoneme errors'."""

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.higher_is_better else -1

    @property
    def column(self) -> str:
        """Of metrics.csv: the validation's."""
        return f"val_{self.name}"

    def score(self, candidate: CandidateSummary, split: str = "test") -> Score:
        """Mean, sd, low and high of a candidate."""
        return candidate.evals.get(split, {}).get(self.name, Score())

    def difference(self, contrast: Contrast) -> Difference:
        """Score of a minus score of b."""
        return contrast.metrics[self.name]
