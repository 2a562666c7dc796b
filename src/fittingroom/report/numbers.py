"""One way to write each kind of number, wherever it is shown."""

from fittingroom.core.records import Difference, Score
from fittingroom.evaluation.metric import Metric, p_text

ABSENT = "–"


def count(value: float | None) -> str:
    """Three digits and a unit: 487114 is '487 k', 24600000 is '24.6 M'."""
    if value is None:
        return ABSENT
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= 0.9995 * size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{value:.0f}"


def memory(num_bytes: float | None) -> str:
    """In MiB below 1 GiB, in GiB above."""
    if num_bytes is None:
        return ABSENT
    mebibytes = num_bytes / 2**20
    return f"{mebibytes:.0f} MiB" if mebibytes < 1023.5 else f"{mebibytes / 1024:.1f} GiB"


def seconds(value: float | None) -> str:
    """With one decimal below 100 s, whole above: '60.2', '1,204'."""
    if value is None:
        return ABSENT
    return f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def rate(value: float | None) -> str:
    """Whole, with a comma at each thousand; small rates keep three digits."""
    if value is None:
        return ABSENT
    return f"{value:,.0f}" if value >= 99.95 else _three_digits(value)


def share(value: float | None) -> str:
    """A share in percent with two decimals, like scores: '87.31'."""
    return ABSENT if value is None else f"{100 * value:.2f}"


def score(found: Score, metric: Metric) -> str:
    """'92.31 ± 0.22' in the metric's unit: mean and standard deviation over seeds; without the latter for one seed."""
    if found.mean is None:
        return ABSENT
    deviation = "" if found.sd is None else f" ± {metric.number(found.sd)}"
    return f"{metric.number(found.mean)}{deviation}"


def interval(found: Score, metric: Metric) -> str:
    """'91.85 to 92.77', the 95 % interval in the metric's unit, or '' where there is none."""
    if found.low is None or found.high is None:
        return ""
    return metric.interval_text(found.low, found.high)


def probability(value: float) -> str:
    """'87 %'. Only certainty is written as 100 %, and only impossibility as 0 %."""
    text = f"{100 * value:.0f} %"
    return {"100 %": "over 99 %", "0 %": "under 1 %"}.get(text, text) if 0 < value < 1 else text


def difference(found: Difference, metric: Metric, *, turned: bool) -> str:
    """'0.58 (95 % interval 0.14 to 1.02, p 0.012)'; `turned` is the second model against the first."""
    low, high = (-found.high, -found.low) if turned else (found.low, found.high)
    amount = metric.number(-found.difference if turned else found.difference)
    return f"{amount} (95 % interval {metric.interval_text(low, high)}, p {p_text(found.p_adjusted)})"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
