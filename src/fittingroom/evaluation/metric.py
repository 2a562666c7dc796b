"""A metric: its name, its direction, the functions that compute it, and the words that describe it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fittingroom.core.records import CandidateSummary, Contrast, Difference, Score
from fittingroom.evaluation.statistics import Interval, SeedSpread


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric of a task. Files store plain scores (an accuracy as a fraction); `scale` and `unit` apply only to display."""

    name: str
    """The key in `evals`, such as `accuracy`. The column in metrics.csv is `val_accuracy`."""
    title: str
    """The name shown to people: 'test accuracy' has the title 'accuracy'."""
    higher_is_better: bool
    values: Callable[[Any], Any]
    """(predictions of one run on one part) -> one number per item [items]. Their mean is the score."""
    interval: Callable[[Any, float, SeedSpread], Interval]
    """(values [seeds, items], level, spread) -> the interval of the mean."""
    scale: float = 100.0
    """Factor applied to a score for display."""
    unit: str = "%"
    """Unit shown after a score."""
    points: tuple[str, str] = ("percentage points", "points")
    """Unit shown after a difference: long form and short form."""
    decimals: int = 1
    """Decimals of a score in a sentence."""
    wins: str
    """Predicate for the best candidate, used after its title: 'classifies best'."""
    beyond: str
    """Position of the best score relative to the others: 'above' or 'below'."""
    alone: str
    """Predicate for a single candidate without a rival. Contains `{score}`."""
    noun: str
    """Noun for comparisons such as 'fewer phoneme errors'."""

    @property
    def sign(self) -> int:
        """1 if higher is better, else -1."""
        return 1 if self.higher_is_better else -1

    @property
    def column(self) -> str:
        """The column of metrics.csv that holds the validation score."""
        return f"val_{self.name}"

    def score(self, candidate: CandidateSummary, split: str = "test") -> Score:
        """Mean, sd, low and high of a candidate's score."""
        return candidate.evals.get(split, {}).get(self.name, Score())

    def difference(self, contrast: Contrast) -> Difference:
        """Score of candidate a minus score of candidate b."""
        return contrast.metrics[self.name]
