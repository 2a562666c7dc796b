"""A metric: its name, its direction, the functions that compute it, and the words that describe it."""

import math
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
    largest: float = math.inf
    """The largest possible score: 1 for a share. No difference between two models is larger."""
    scale: float = 100.0
    """Factor applied to a score for display."""
    unit: str = "%"
    """Unit shown after a score."""
    points: tuple[str, str] = ("percentage points", "points")
    """Unit shown after a difference: long form and short form."""
    decimals: int = 2
    """Decimals of a score and of the ends of an interval, wherever they are shown."""
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

    def number(self, value: float) -> str:
        """A score or a difference for display, without its unit: '92.31', '-0.58'. Never a minus before zero."""
        text = f"{self.scale * value:.{self.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text

    def interval_text(self, low: float, high: float) -> str:
        """The one way to write an interval: '3.20 to 5.00', rounded outward; 'more than 0' for an end that would become zero."""
        return f"{self.low_text(low)} to {self._rounded(high, math.ceil, -1e-6)}"

    def low_text(self, low: float) -> str:
        """The lower end of an interval."""
        text = self._rounded(low, math.floor, 1e-6)
        return "more than 0" if low > 0 and float(text) == 0 else text

    def _rounded(self, value: float, towards: Callable[[float], int], forgiven: float) -> str:
        """The millionth of the last digit forgives binary fractions such as 3.1999999999999997."""
        unit = 10**self.decimals
        scaled = self.scale * value * unit
        if math.isinf(scaled):  # from a file that was edited by hand
            return self.number(value)
        text = f"{towards(scaled + forgiven) / unit:.{self.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text


def p_text(value: float) -> str:
    """A p-value with two digits: '0.034', '0.00051'; 'under 0.0001' below that."""
    if value < 1e-4:
        return "under 0.0001"
    if 0.0495 <= value < 0.05:
        return f"{value:.3g}" if value < 0.04995 else "just under 0.05"
    return f"{min(value, 1.0):.2g}" if value < 0.995 else "1"
