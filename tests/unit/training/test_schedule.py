"""The learning rate over a run."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.tasks.config import ScheduleConfig
from fittingroom.training.loop import log_every
from fittingroom.training.schedule import lr_factor

SHAPES = st.sampled_from(["linear", "cosine", "constant"])


@given(shape=SHAPES, warmup=st.floats(0, 0.9), total=st.integers(1, 300))
def test_it_climbs_then_falls_and_stays_above_zero(shape: str, warmup: float, total: int) -> None:
    config = ScheduleConfig(shape=shape, warmup_rate=warmup)  # type: ignore[arg-type]
    factors = [lr_factor(step, total, config) for step in range(total)]
    top = factors.index(max(factors))
    assert all(0 < factor <= 1 + 1e-9 for factor in factors)
    assert factors[: top + 1] == sorted(factors[: top + 1])
    assert factors[top:] == sorted(factors[top:], reverse=True)


def test_linear_ends_near_zero_and_constant_does_not() -> None:
    assert lr_factor(999, 1000, ScheduleConfig(shape="linear")) < 0.001
    assert lr_factor(999, 1000, ScheduleConfig(shape="cosine")) < 0.00001
    assert lr_factor(999, 1000, ScheduleConfig(shape="constant")) == 1
    assert lr_factor(549, 1000, ScheduleConfig(shape="linear", warmup_rate=0.1)) == pytest.approx(0.5, abs=0.001)


def test_the_warm_up_is_a_straight_line_from_zero_to_the_peak() -> None:
    config = ScheduleConfig(shape="constant", warmup_rate=0.5)
    assert [lr_factor(step, 10, config) for step in range(5)] == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert lr_factor(0, 10, ScheduleConfig(shape="linear", warmup_rate=0.0)) == pytest.approx(0.95)


def test_cosine_is_the_half_wave_and_halves_the_peak_half_way() -> None:
    config = ScheduleConfig(shape="cosine", warmup_rate=0.2)
    expected = [0.5 * (1 + math.cos(math.pi * ((step + 0.5) / 50 - 0.2) / 0.8)) for step in range(10, 50)]
    assert [lr_factor(step, 50, config) for step in range(10, 50)] == pytest.approx(expected)


@given(warmup=st.integers(1, 60), total=st.integers(61, 300))
def test_inverse_square_root_is_the_papers_equation_3_over_its_peak(warmup: int, total: int) -> None:
    def paper(step: float, d_model: int = 512) -> float:
        return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)

    config = ScheduleConfig(shape="inverse_sqrt", warmup_rate=warmup / total)
    expected = [paper(step + 0.5) / paper(warmup) for step in range(total)]
    assert [lr_factor(step, total, config) for step in range(total)] == pytest.approx(expected)


def test_inverse_square_root_without_a_warm_up_is_refused() -> None:
    with pytest.raises(FittingRoomError, match="warmup_rate 0 gives inverse_sqrt no peak"):
        ScheduleConfig(shape="inverse_sqrt", warmup_rate=0.0)


@pytest.mark.parametrize("rate", [1.0, -0.1])
def test_a_warm_up_of_the_whole_run_or_none_at_all_is_refused(rate: float) -> None:
    with pytest.raises(FittingRoomError, match=f"warmup_rate {rate} is out of range"):
        ScheduleConfig(warmup_rate=rate)


def test_a_run_of_one_step_trains_at_a_rate_and_logs_it() -> None:
    assert lr_factor(0, 1, ScheduleConfig()) > 0.5
    assert [log_every(steps) for steps in (1, 2, 3, 100, 500, 5000)] == [1, 2, 2, 2, 10, 20]
