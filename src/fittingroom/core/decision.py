"""The rule by which a comparison claims a difference. Numbers, sentences, tables and figures all follow it."""

ALPHA = 0.05
"""A difference counts as real if its adjusted p is below this."""
RULE = (
    "One model beats another if p, adjusted for the number of pairs (Shaffer's step-down for three models, Holm's for more), is "
    "below 0.05. Intervals are not adjusted, so an interval may exclude zero although the adjusted p is above 0.05."
)
"""The rule, in words."""


def is_decided(p_adjusted: float) -> bool:
    """Whether a difference with this adjusted p counts as real."""
    return p_adjusted < ALPHA
