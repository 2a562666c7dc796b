"""How an interval is written, whatever its ends."""

import pytest

from fittingroom.evaluation.metric import Metric
from fittingroom.tasks.scoring import SCORINGS

ACCURACY: Metric = SCORINGS.get("classification").metrics[0]


@pytest.mark.parametrize(
    ("low", "high", "text"), [(0.5, 0.75, "50.00 to 75.00"), (0.123456, 0.2, "12.34 to 20.00"), (-0.5, 1e308, "-50.00 to inf")]
)  # fmt: skip
def test_ends_are_rounded_outward_and_an_edited_file_cannot_break_them(low: float, high: float, text: str) -> None:
    assert ACCURACY.interval_text(low, high) == text
