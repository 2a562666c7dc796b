"""The learning rate over a run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.training.schedule import ScheduleConfig, lr_factor

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


def test_a_warm_up_of_the_whole_run_is_refused() -> None:
    with pytest.raises(FittingRoomError, match=r"warmup_rate 1\.0"):
        ScheduleConfig(warmup_rate=1.0)
