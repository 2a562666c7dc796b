"""From epochs or seconds to steps."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.training.speed import budget
from fittingroom.training.step import new_state
from tests.unit.training.machine import GUESS, tiny_config, tiny_task

STEP = st.floats(1e-4, 10)
IMAGE = st.floats(1e-6, 1e-2)


@given(epochs=st.floats(0.001, 100), steps_per_epoch=st.integers(1, 2000))
def test_epochs_become_at_least_one_step(epochs: float, steps_per_epoch: int) -> None:
    steps = budget.total_steps_for(epochs, steps_per_epoch)
    assert steps == max(1, round(epochs * steps_per_epoch))


@given(left=st.floats(1, 1e5), step=STEP, image=IMAGE, steps_per_epoch=st.integers(1, 2000))
def test_the_planned_work_fits_into_the_budget(left: float, step: float, image: float, steps_per_epoch: int) -> None:
    assume(left * (1 - budget.RESERVE) > step + 4000 * image)
    steps = budget.steps_in_budget(left, step, image, steps_per_epoch, num_val=5000)
    every, num_images = budget.validations(steps, steps_per_epoch, 5000)
    planned = steps * step + (steps // every) * num_images * image
    slack = 2 * steps_per_epoch * step + 5000 * image if steps == 2 * steps_per_epoch else 0.0
    assert planned <= left * (1 - budget.RESERVE) + step + slack


def test_a_long_run_is_validated_after_each_epoch_on_all_images() -> None:
    assert budget.validations(total_steps=860, steps_per_epoch=430, num_val=5000) == (430, 5000)


def test_a_short_run_is_validated_at_its_quarters_on_a_part() -> None:
    assert budget.validations(total_steps=100, steps_per_epoch=430, num_val=5000) == (25, 1000)
    assert budget.validations(total_steps=2, steps_per_epoch=430, num_val=300) == (2, 300)


@given(total_steps=st.integers(3, 100_000), steps_per_epoch=st.integers(1, 2000))
def test_no_run_is_validated_at_each_step_for_a_checkpoint_waits_for_one_without(
    total_steps: int, steps_per_epoch: int
) -> None:
    assert budget.validations(total_steps, steps_per_epoch, 5000)[0] >= 2


def test_a_budget_for_not_one_step_says_how_much_more_it_takes() -> None:
    with pytest.raises(FittingRoomError, match=r"give at least \d+ s more"):
        budget.steps_in_budget(1.0, step_seconds=2.0, seconds_each=0.001, steps_per_epoch=430, num_val=5000)


class Clock:
    """In place of `time`; a trial's steps move it."""

    def __init__(self, seconds: list[float]) -> None:
        self.now, self.left = 0.0, seconds
        self.seconds: list[float] = []

    def perf_counter(self) -> float:
        return self.now

    def step(self) -> float:
        """A training step of the next length; the last length goes on."""
        self.seconds.append(self.left.pop(0) if len(self.left) > 1 else self.left[0])
        self.now += self.seconds[-1]
        return self.seconds[-1]


@pytest.mark.parametrize(("seconds", "steps"), [([9.0, 9.0, 0.5], 5), ([0.1, 0.1, 0.01], 182)])
def test_a_step_is_the_median_of_two_seconds_and_five_at_least_without_the_first_two(
    seconds: list[float], steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(list(seconds))
    monkeypatch.setattr(budget, "time", clock)
    found = budget.measure_step(clock, 100.0)  # type: ignore[arg-type]
    assert found == pytest.approx(seconds[-1] + budget.LOOP_SECONDS)
    assert abs(len(clock.seconds) - steps) <= 1


def test_on_a_machine_that_stalls_a_step_is_the_mean_over_a_longer_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tenth step takes ten times as long: a budget that is planned with the median would take 1.9 times as long."""
    clock = Clock([0.1 if step % 10 else 1.0 for step in range(1000)])
    monkeypatch.setattr(budget, "time", clock)
    found = budget.measure_step(clock, 600.0)  # type: ignore[arg-type]
    assert found == pytest.approx(0.19, rel=0.1)
    assert clock.now == pytest.approx(budget.DISTURBED_SHARE * 600, abs=2.1)  # it ends with a step, twice


def test_one_disturbance_of_many_steps_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([0.1, 0.1, 0.25, 0.1])
    monkeypatch.setattr(budget, "time", clock)
    assert budget.measure_step(clock, 200.0) == pytest.approx(0.1 + budget.LOOP_SECONDS)  # type: ignore[arg-type]
    assert clock.now < budget.PROBE_SECONDS + 0.2


def test_a_disturbance_of_seconds_does_not_shorten_a_long_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first five seconds are three times slower. Of a budget of 20 minutes, 12 seconds are measured at first."""
    clock = Clock([0.3] * 17 + [0.1])
    monkeypatch.setattr(budget, "time", clock)
    assert budget.measure_step(clock, 1200.0) == pytest.approx(0.1, rel=0.25)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [5.0, 70.0, 1200.0])
@pytest.mark.parametrize("step", [0.004, 0.05, 0.7])
def test_a_run_on_a_steady_machine_ends_within_its_budget_and_uses_most_of_it(
    seconds: float, step: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measurement, training and what Lightning adds, all on one clock."""
    clock = Clock([step])
    monkeypatch.setattr(budget, "time", clock)
    monkeypatch.setattr(budget, "new_trial", lambda *_: clock)
    monkeypatch.setattr(budget, "evaluation_seconds", lambda _: 1e-5)
    task = tiny_task(replace(tiny_config("vit"), epochs=None, budget_seconds=seconds))
    steps = budget.total_steps(new_state(task, GUESS), began=clock.now)
    used = clock.now + steps * (step + budget.LOOP_SECONDS)
    assert seconds * 0.7 <= used <= seconds


def test_where_batches_differ_in_length_a_step_is_their_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock([9.0, 9.0, 1.0, 3.0, 2.0])
    monkeypatch.setattr(budget, "time", clock)
    found = budget.measure_step(clock, 1.0, one_shape=False)  # type: ignore[arg-type]
    assert found == pytest.approx(2.0 + budget.LOOP_SECONDS)


def test_what_a_batch_costs_to_make_is_part_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Augmentation on two cores can take as long as a small network."""
    clock = Clock([0.1])
    monkeypatch.setattr(budget, "time", clock)
    step = clock.step

    def with_its_batch() -> float:
        clock.now += 0.3
        return step()

    clock.step = with_its_batch  # type: ignore[method-assign]
    assert budget.measure_step(clock, 100.0) == pytest.approx(0.4 + budget.LOOP_SECONDS)  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_validation_is_timed_in_the_plans_precision_without_leaving_the_model_in_evaluation(precision: str) -> None:
    plan = replace(GUESS, precision=precision, num_threads=1)  # type: ignore[arg-type]
    state = new_state(tiny_task(tiny_config("vit")), plan)
    seen = []
    state.model.register_forward_hook(
        lambda model, images, logits: seen.append((logits.dtype, model.training, len(logits)))
    )
    assert 0 < budget.evaluation_seconds(state) < 1
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    assert seen == [(dtype, False, 64)] * 2, "once to find memory and kernels, once on the clock"
    assert state.model.training


def test_the_first_run_of_a_model_fixes_the_steps_of_all(tmp_path: Path) -> None:
    path = tmp_path / "steps" / "vit.json"
    assert budget.agreed_steps(path, lambda: 335) == 335
    assert budget.agreed_steps(path, lambda: 387) == 335
    assert json.loads(path.read_text()) == {"total_steps": 335}
    assert [file.name for file in path.parent.iterdir()] == ["vit.json"]


def test_of_two_runs_that_measure_at_once_the_first_to_end_decides(tmp_path: Path) -> None:
    path = tmp_path / "vit.json"

    def slower() -> int:
        assert budget.agreed_steps(path, lambda: 335) == 335
        return 387

    assert budget.agreed_steps(path, slower) == 335


def test_a_run_outside_a_comparison_measures_for_itself() -> None:
    assert budget.agreed_steps(None, lambda: 387) == 387


@pytest.mark.parametrize("text", ["{}", '{"total_steps": 0}', '{"total_steps": "many"}', "["])
def test_a_damaged_number_of_steps_is_named_with_its_fix(tmp_path: Path, text: str) -> None:
    path = tmp_path / "vit.json"
    path.write_text(text)
    with pytest.raises(FittingRoomError, match=r"vit\.json .*delete it and run the command again"):
        budget.agreed_steps(path, lambda: 1)


@pytest.mark.parametrize("off", [-1000, -1, 1])
def test_a_resumed_run_of_another_length_than_its_config_is_refused(off: int, tmp_path: Path) -> None:
    """An edited state.json would end the run early, and call it finished."""
    task = tiny_task(tiny_config())
    assert task.config.epochs is not None
    right = budget.total_steps_for(task.config.epochs, task.batches.steps_per_epoch)
    path = tmp_path / "state.json"
    budget.check_planned(task, None, path)
    budget.check_planned(task, right, path)
    said = rf"state\.json has total_steps {right + off}, which is not the length of this run"
    with pytest.raises(FittingRoomError, match=said):
        budget.check_planned(task, right + off, path)
