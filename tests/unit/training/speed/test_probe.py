"""The probe on machines whose clock is a table; then its real steps, against those of the Trainer."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.tasks.config import ScheduleConfig
from fittingroom.training.loop import train
from fittingroom.training.module import TrainingModule
from fittingroom.training.speed import probe as speed_probe
from fittingroom.training.speed.engine import step_seconds
from fittingroom.training.speed.plan import Plan
from fittingroom.training.speed.probe import (
    HOPELESS,
    LOSS_TOLERANCE,
    STEPS,
    WARM_STEPS,
    WORTH_CHANGING,
    Timing,
    Trial,
    probe,
)
from tests.unit.training.machine import GUESS, Machine, all_weights, tiny_config, tiny_task

FP32 = replace(GUESS, precision="fp32")
OTHER = {"precision": "bf16", "attention": "fused", "channels_last": True, "num_threads": 1}
"""What the probe tries beside FP32."""


def measure(
    machine: Machine, *, guess: Plan = GUESS, fixed: tuple[str, ...] = (), model: str = "hybrid"
) -> tuple[Plan, list[Timing]]:
    """The probe's answer on that machine."""
    config = tiny_config(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed_probe, "new_trial", machine)
        return probe(tiny_task(config), guess, frozenset(fixed))


def times(factors: dict[str, float]) -> Callable[[Plan], float]:
    """Seconds of a step: 0.3, times a part's factor where it has the value in OTHER."""
    return lambda plan: 0.3 * math.prod(factors.get(part, 1.0) for part in OTHER if vars(plan)[part] == OTHER[part])


def test_a_machine_where_bf16_is_slower_comes_out_with_fp32_whatever_was_guessed() -> None:
    plan, table = measure(Machine(times({"precision": 1.5})))
    assert GUESS.precision == "bf16"
    assert plan == FP32
    assert table[0].part == "precision" and table[0].speedup == pytest.approx(1 / 1.5) and table[0].agrees


def test_a_machine_where_bf16_is_faster_comes_out_with_bf16() -> None:
    plan, _ = measure(Machine(times({"precision": 0.5})), guess=FP32)
    assert plan == GUESS


@pytest.mark.parametrize(
    "losses",
    [
        lambda plan, step: 2.3 * (1 + 1.5 * LOSS_TOLERANCE * (plan.precision == "bf16" and step == 6)),
        lambda plan, step: math.nan if plan.precision == "bf16" else 2.3,
        lambda plan, step: math.nan if plan.precision == "fp32" else 2.3,
    ],
    ids=["one of seven is off", "not a number", "fp32 itself is not a number"],
)
def test_a_faster_plan_whose_losses_disagree_is_refused(losses: Callable[[Plan, int], float]) -> None:
    plan, table = measure(Machine(times({"precision": 0.1}), losses))
    assert plan == FP32
    assert table[0].speedup == pytest.approx(10) and not table[0].agrees


def test_every_candidate_is_held_against_the_losses_of_fp32_not_of_the_winner_before_it() -> None:
    """Two small errors of the same sign, each within the tolerance of the one before, do not add up unseen."""

    def losses(plan: Plan, step: int) -> float:
        return 2.3 * (1 + 0.7 * LOSS_TOLERANCE * ((plan.precision == "bf16") + (plan.attention == "fused")))

    plan, table = measure(Machine(times({"precision": 0.5, "attention": 0.5}), losses))
    assert (plan.precision, plan.attention) == ("bf16", "explicit")
    assert [row.agrees for row in table[:2]] == [True, False]


@pytest.mark.parametrize("gain", [0.98, 1.02])
def test_a_gain_below_the_threshold_is_no_gain(gain: float) -> None:
    plan, _ = measure(Machine(times({"precision": 1 / gain})))
    assert gain < WORTH_CHANGING and plan == FP32


@pytest.mark.thorough
@given(
    factors=st.fixed_dictionaries({part: st.sampled_from([0.2, 0.8, 0.98, 1.0, 1.1, 9.0]) for part in OTHER}),
    fixed=st.sets(st.sampled_from(list(OTHER))),
)
def test_each_part_that_is_not_fixed_takes_its_faster_value(factors: dict[str, float], fixed: set[str]) -> None:
    machine = Machine(times(factors))
    plan, table = measure(machine, fixed=tuple(sorted(fixed)))
    start = GUESS if "precision" in fixed else FP32
    gains = {part: OTHER[part] for part in OTHER if part not in fixed and 1 / factors[part] > WORTH_CHANGING}
    assert plan == replace(start, **gains)
    assert [row.part for row in table] == [part for part in OTHER if part not in fixed]
    assert all(vars(tried)[part] == vars(start)[part] for tried in machine.plans for part in fixed)
    seconds = step_seconds(plan, [row.to_dict() for row in table])
    assert seconds == (pytest.approx(times(factors)(plan), rel=2e-3) if table else None)


def test_parts_that_can_make_no_difference_are_not_tried() -> None:
    one_thread = replace(GUESS, num_threads=1)
    assert [row.part for row in measure(Machine(), model="vit")[1]] == ["precision", "attention", "num_threads"]
    assert [row.part for row in measure(Machine(), model="cnn")[1]] == ["precision", "channels_last", "num_threads"]
    assert [row.part for row in measure(Machine(), guess=one_thread, model="vit")[1]] == ["precision", "attention"]


def test_the_probe_never_compiles() -> None:
    machine = Machine(has_compiler=False)
    assert not measure(machine)[0].compile
    assert not any(plan.compile for plan in machine.plans)


@pytest.mark.parametrize(("factor", "steps"), [(HOPELESS * 1.1, WARM_STEPS), (HOPELESS * 0.9, WARM_STEPS + STEPS)])
def test_a_hopeless_candidate_is_given_up_once_warm(factor: float, steps: int) -> None:
    machine = Machine(times({"precision": factor}))
    _, table = measure(machine)
    assert [len(trial.seconds) for trial in machine.trials if trial.plan.precision == "bf16"] == [steps]
    assert table[0].speedup == pytest.approx(1 / factor)


@pytest.mark.parametrize("stalled", range(WARM_STEPS))
def test_one_stall_while_warming_up_does_not_make_a_candidate_hopeless(stalled: int) -> None:
    machine = Machine()
    machine.seconds = lambda plan: (
        0.15 * (20 if len(machine.trials[-1].seconds) == stalled else 1) if plan.precision == "bf16" else 0.3
    )
    plan, (row,) = measure(machine, fixed=("attention", "num_threads"), model="vit")
    assert plan.precision == "bf16" and row.speedup == pytest.approx(2.0)


def test_the_spread_is_that_of_the_middle_half_of_the_turns() -> None:
    """The ratios are 1, 1, 2, 2 and 10, after two that do not count: quartiles of 1 and 2."""
    ratios = [1, 1, 1, 2, 2, 10, 1]
    machine = Machine()
    machine.seconds = lambda plan: (
        0.3 / ratios[len(machine.trials[-1].seconds) % 7] if plan.precision == "bf16" else 0.3
    )
    _, (row,) = measure(machine, fixed=("attention", "num_threads"), model="vit")
    assert (row.speedup, row.spread) == (pytest.approx(2.0), pytest.approx(2.0))
    _, (row,) = measure(Machine(), fixed=("attention", "num_threads"), model="vit")
    assert row.spread == 1.0
    assert row.to_dict()["spread"] == 1.0


def test_first_steps_do_not_count_and_a_hiccup_does_not_either() -> None:
    """The challenger's first step takes ten times as long, and so does one in the middle."""
    machine = Machine()
    machine.seconds = lambda plan: (
        3.0 if plan.precision == "bf16" and len(machine.trials[-1].seconds) in (0, 4) else 0.3
    )
    _, (row,) = measure(machine, fixed=("attention", "num_threads"), model="vit")
    assert (row.step_seconds, row.speedup) == (pytest.approx(0.3), pytest.approx(1.0))
    assert row.first_step_seconds == pytest.approx(3.0)


@pytest.mark.thorough
def test_threads_stand_afterwards_as_before() -> None:
    config = tiny_config("vit")
    before = torch.get_num_threads()
    guess = replace(GUESS, num_threads=before + 1)
    plan, table = probe(tiny_task(config), guess, frozenset({"precision", "num_threads"}))
    assert torch.get_num_threads() == before
    assert [row.part for row in table] == ["attention"]
    assert (plan.precision, plan.num_threads) == ("bf16", before + 1)


def losses(model: str, plan: Plan) -> list[float]:
    """Of as many real steps as the probe makes."""
    config = tiny_config(model)
    trial = speed_probe.new_trial(tiny_task(config), plan)
    for _ in range(WARM_STEPS + STEPS):
        trial.step()
    return trial.losses


@pytest.mark.parametrize("model", ["vit", "cnn", "hybrid"])
def test_real_losses_in_bf16_are_those_of_fp32_within_the_tolerance_but_not_the_same(model: str) -> None:
    plan = replace(FP32, num_threads=1)
    exact, rounded = losses(model, plan), losses(model, replace(plan, precision="bf16"))
    assert rounded == pytest.approx(exact, rel=LOSS_TOLERANCE)
    assert rounded != exact


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_trials_steps_are_the_trainers_bit_for_bit(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedule, clipping, dropout, optimizer and average: what is timed, and compared, is what a run does."""
    config = tiny_config("vit", epochs=2.0, ema_decay=0.9, schedule=ScheduleConfig(warmup_rate=0.5), clip_norm=0.1)
    config = replace(config, model_config={**config.model_config, "drop_rate": 0.1, "drop_path_rate": 0.1})
    task, plan = tiny_task(config), replace(FP32, precision=precision, num_threads=1)
    monkeypatch.setattr(speed_probe, "SCHEDULE_STEPS", 8)
    trial: Trial = speed_probe.new_trial(task, plan)
    for _ in range(8):
        trial.step()
    module = TrainingModule(task, plan, total_steps=8)
    train(module, folder=tmp_path)
    found, wanted = all_weights(trial.state), all_weights(module.state)
    assert any(name.startswith("average.") for name in wanted) and found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
