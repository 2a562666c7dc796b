"""The time left of a grid: runs side by side, the last run alone, and the work after it."""

import pytest

from fittingroom.cli.time_left import TimeLeft, duration


class Clock:
    """A clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_three_runs_two_at_a_time_take_two_rounds() -> None:
    clock = Clock()
    left = TimeLeft(3, after=5.0, clock=clock)
    assert left.left() is None
    left.starts(0)
    left.starts(1)
    clock.now = 10.0
    left.advances(0, 0.5)  # 20 s each, 10 s to go
    left.advances(1, 0.5)
    assert left.left() == pytest.approx(10 + 20 + 5)
    clock.now = 20.0
    left.ends(0)  # one run of two is still there: the next starts beside it
    left.advances(1, 1.0)
    assert left.left() == pytest.approx(20 + 5)
    left.starts(2)
    left.ends(1)
    clock.now = 30.0
    left.advances(2, 0.5)
    assert left.left() == pytest.approx(10 + 5)
    left.ends(2)
    assert left.left() == 5.0


def test_a_waiting_run_starts_beside_a_long_one_as_soon_as_there_is_room() -> None:
    clock = Clock()
    left = TimeLeft(3, clock=clock)
    left.starts(0)
    left.starts(1)
    clock.now = 10.0
    left.advances(1, 0.25)  # 40 s, 30 s to go
    left.ends(0)
    assert left.left() == pytest.approx(30.0), "the third takes 25 s, beside the second"


def test_a_budget_is_an_estimate_before_any_run_has_advanced() -> None:
    left = TimeLeft(4, usual=100.0, clock=Clock())
    left.starts(0)
    left.starts(1)
    assert left.left() == 200.0


def test_runs_found_finished_take_no_time() -> None:
    clock = Clock()
    left = TimeLeft(2, clock=clock)
    left.ends(0)
    left.starts(1)
    clock.now = 8.0
    left.advances(1, 0.25)
    assert left.left() == pytest.approx(24.0)


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (89, "89 s"), (150, "2 min"), (5000, "83 min"), (9000, "2.5 h")]
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
