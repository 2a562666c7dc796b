"""What models are compared by: accuracy on images, error rates on words. Where each stands in summary.json, and its words.

A comparison of pairs (`"kind": "pairs"` in comparison.json and summary.json) has two measures. Words decide; phonemes are
asked second, and only about models that words tell apart: so both claims together err no more often than the first.
"""

from dataclasses import dataclass
from typing import Any

IMAGES, PAIRS = "images", "pairs"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One score, a fraction."""

    name: str
    """As in 'test accuracy'."""
    key: str
    """Under a model's split and under a pair of summary.json; '' where the scores stand there directly."""
    column: str
    """Of metrics.csv: the validation's."""
    higher_is_better: bool
    wins: str
    """What the best model does, after its title."""
    beyond: str
    """Where the best model lies: so many points above, or below, the other."""
    alone: str
    """What one model without rival does, with `{share}`."""
    noun: str
    """As in 'fewer phoneme errors'."""

    @property
    def sign(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.higher_is_better else -1

    def scores(self, model: dict[str, Any], split: str = "test") -> dict[str, Any]:
        """Mean, sd, low and high of a model of summary.json."""
        return model[split][self.key] if self.key else model[split]

    def difference(self, pair: dict[str, Any]) -> dict[str, Any]:
        """Difference, low and high of a pair of summary.json: score of a minus score of b."""
        return pair[self.key] if self.key else pair

    def lead(self, pair: dict[str, Any]) -> dict[str, Any]:
        """Names, difference, low and high of the pair as the lead of a over b: positive where a is better."""
        found = self.difference(pair)
        ends = (found["low"], found["high"]) if self.higher_is_better else (-found["high"], -found["low"])
        named = {"a": pair["a"], "b": pair["b"], "difference": self.sign * found["difference"]}
        return {**named, "low": ends[0], "high": ends[1]}


ACCURACY = Measure(
    name="accuracy",
    key="",
    column="val_accuracy",
    higher_is_better=True,
    wins="classifies best",
    beyond="above",
    alone="classifies {share} % of the test images correctly",
    noun="right answers",
)
WORD_ERRORS = Measure(
    name="word error rate",
    key="word_error_rate",
    column="val_word_error_rate",
    higher_is_better=False,
    wins="makes the fewest word errors",
    beyond="below",
    alone="gets {share} % of the test words wrong",
    noun="word errors",
)
PHONEME_ERRORS = Measure(
    name="phoneme error rate",
    key="phoneme_error_rate",
    column="val_phoneme_error_rate",
    higher_is_better=False,
    wins="makes the fewest phoneme errors",
    beyond="below",
    alone="makes {share} phoneme errors in a hundred",
    noun="phoneme errors",
)


def kind_of(record: dict[str, Any]) -> str:
    """'images' or 'pairs', of the contents of comparison.json or summary.json; files that say nothing are of images."""
    return record.get("kind", IMAGES)


def measures_of(record: dict[str, Any]) -> tuple[Measure, ...]:
    """The measures of a comparison; the first decides."""
    return (WORD_ERRORS, PHONEME_ERRORS) if kind_of(record) == PAIRS else (ACCURACY,)
