"""One way to write each kind of number, wherever it is shown."""

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


def score(scores: dict[str, float | None]) -> str:
    """'92.31 ± 0.22' in percent: mean and standard deviation over seeds; without the latter for one seed."""
    if scores["mean"] is None:
        return ABSENT
    deviation = "" if scores["sd"] is None else f" ± {100 * scores['sd']:.2f}"
    return f"{100 * scores['mean']:.2f}{deviation}"


def interval(scores: dict[str, float | None]) -> str:
    """'91.85–92.77', the 95 % interval in percent, or '' where there is none."""
    if scores["low"] is None or scores["high"] is None:
        return ""
    return f"{100 * scores['low']:.2f}–{100 * scores['high']:.2f}"


def probability(value: float) -> str:
    """'87 %'; neither certainty nor impossibility that is not complete is rounded to it."""
    text = f"{100 * value:.0f} %"
    return {"100 %": "over 99 %", "0 %": "under 1 %"}.get(text, text) if 0 < value < 1 else text


def points(value: float) -> str:
    """A difference of scores in percentage points with its sign: '+4.12', '−0.30', '0.00'."""
    text = f"{100 * abs(value):.2f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else '−'}{text}"


def _three_digits(value: float) -> str:
    return f"{value:.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
