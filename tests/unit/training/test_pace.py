"""From epochs or seconds to steps."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.training import pace

STEP = st.floats(1e-4, 10)
IMAGE = st.floats(1e-6, 1e-2)


@given(epochs=st.floats(0.001, 100), steps_per_epoch=st.integers(1, 2000))
def test_epochs_become_at_least_one_step(epochs: float, steps_per_epoch: int) -> None:
    steps = pace.total_steps_for(epochs, steps_per_epoch)
    assert steps == max(1, round(epochs * steps_per_epoch))


@given(left=st.floats(1, 1e5), step=STEP, image=IMAGE, steps_per_epoch=st.integers(1, 2000))
def test_the_planned_work_fits_into_the_budget(left: float, step: float, image: float, steps_per_epoch: int) -> None:
    assume(left * (1 - pace.RESERVE) > step + 4000 * image)
    steps = pace.steps_in_budget(left, step, image, steps_per_epoch, num_val=5000)
    every, num_images = pace.validations(steps, steps_per_epoch, 5000)
    planned = steps * step + (steps // every) * num_images * image
    slack = 2 * steps_per_epoch * step + 5000 * image if steps == 2 * steps_per_epoch else 0.0
    assert planned <= left * (1 - pace.RESERVE) + step + slack


def test_a_long_run_is_validated_after_each_epoch_on_all_images() -> None:
    assert pace.validations(total_steps=860, steps_per_epoch=430, num_val=5000) == (430, 5000)


def test_a_short_run_is_validated_at_its_quarters_on_a_part() -> None:
    assert pace.validations(total_steps=100, steps_per_epoch=430, num_val=5000) == (25, 1000)
    assert pace.validations(total_steps=2, steps_per_epoch=430, num_val=300) == (1, 300)


def test_a_budget_for_not_one_step_says_how_much_more_it_takes() -> None:
    with pytest.raises(FittingRoomError, match=r"give at least \d+ s more"):
        pace.steps_in_budget(1.0, step_seconds=2.0, seconds_per_image=0.001, steps_per_epoch=430, num_val=5000)
