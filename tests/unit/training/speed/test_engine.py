"""The engine's choice, on machines whose clock is a table: what is measured when, what is kept, and where compiling pays."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.config import OptimConfig
from fittingroom.training.speed import engine
from fittingroom.training.speed import probe as speed_probe
from fittingroom.training.speed.engine import (
    COMPILE_FROM_SECONDS,
    PROBE_FROM_SECONDS,
    check_compiler,
    choose_plan,
    set_up_process,
    step_seconds,
)
from fittingroom.training.speed.plan import Plan
from tests.unit.training.machine import GUESS, Machine, tiny_config, tiny_task

FP32 = replace(GUESS, precision="fp32")
LONG: dict[str, Any] = {"budget_seconds": COMPILE_FROM_SECONDS * 6}
MEDIUM: dict[str, Any] = {"budget_seconds": COMPILE_FROM_SECONDS * 0.9}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of kept plans, empty; and the same first guess on every machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engine, "first_guess", lambda config: GUESS)
    monkeypatch.setattr(engine, "_compiler", lambda: "/usr/bin/g++")
    return tmp_path / "fittingroom" / "plans"


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """What set_up_process changes is put back, but for malloc's settings, which only cost memory."""
    threads, fill = torch.get_num_threads(), torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    yield
    torch.set_num_threads(threads)
    torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]


def choose(
    machine: Machine, fixed: dict[str, str] | None = None, config: ClassificationConfig | None = None, **changes: Any
) -> tuple[Plan, list[dict[str, Any]]]:
    """The engine's answer on that machine."""
    config = config or tiny_config(**(changes or MEDIUM))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed_probe, "new_trial", machine)
        return choose_plan(tiny_task(config), fixed or {})


def slow_bf16(plan: Plan) -> float:
    return 0.4 if plan.precision == "bf16" else 0.3


def compiled(seconds: float, **values: Any) -> Machine:
    """A machine where a step takes 0.3 s, or `seconds` when compiled."""
    return Machine(lambda plan: seconds if plan.compile else 0.3, **values)


def test_what_was_measured_is_chosen_and_kept_with_its_table(cache: Path) -> None:
    plan, table = choose(Machine(slow_bf16))
    assert plan == FP32
    (kept,) = cache.iterdir()
    assert json.loads(kept.read_text())["table"] == table
    assert [row["part"] for row in table] == ["precision", "attention", "channels_last", "num_threads"]
    assert step_seconds(plan, table) == pytest.approx(0.3), "no line of its own: the first one was measured against it"


def test_a_second_run_of_the_same_work_times_nothing() -> None:
    first = choose(Machine(slow_bf16))
    machine = Machine()
    assert choose(machine) == first
    assert machine.trials == []


def test_whoever_waits_is_told_once_that_something_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_probe, "new_trial", Machine())
    told, task = [], tiny_task(tiny_config(**MEDIUM))
    for _ in range(2):
        choose_plan(task, {}, lambda: told.append(1))
    assert told == [1], "the second time it is known"
    choose_plan(tiny_task(tiny_config(**LONG)), {}, lambda: told.append(2))
    assert told == [1, 2], "compiling takes a minute, also where the rest is known"
    choose_plan(tiny_task(tiny_config(**LONG, batch_size=4)), {}, lambda: told.append(3))
    assert told == [1, 2, 3], "a line for both, where nothing is known"


@pytest.mark.parametrize("changes", [{"epochs": 1.0}, {"budget_seconds": PROBE_FROM_SECONDS - 1}])
def test_a_short_run_takes_the_first_guess(changes: dict[str, Any], cache: Path) -> None:
    machine = Machine()
    assert choose(machine, **changes) == (GUESS, [])
    assert machine.trials == [] and not cache.exists()


def test_a_run_in_epochs_is_measured_where_its_arithmetic_takes_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """6 flops a multiply-add: a run of 8 steps of 16 images has 768 x MACs."""
    monkeypatch.setattr(ClassificationTask, "step_macs", lambda self: 1000)
    monkeypatch.setattr(engine, "PROBE_FROM_FLOPS", 6 * 1000 * 8 * 16)
    assert choose(Machine(slow_bf16), epochs=1.75) == (GUESS, [])
    assert choose(Machine(slow_bf16), epochs=2.0)[0] == FP32


def test_where_everything_is_fixed_nothing_is_measured() -> None:
    fixed = {key: json.dumps(value) for key, value in vars(GUESS).items()}
    machine = Machine()
    assert choose(machine, fixed) == (GUESS, [])
    assert machine.trials == []


def test_fixed_parts_stay_however_slow_they_are() -> None:
    plan, table = choose(Machine(slow_bf16), {"precision": "bf16", "num_threads": "7"})
    assert plan == replace(GUESS, num_threads=7)
    assert [row["part"] for row in table] == ["attention", "channels_last"]


@pytest.mark.parametrize("torn", ['{"plan": {"device": "cp', "", "{}", "null", "[]", '{"plan": {"precision": "fp8"}}'])
def test_a_kept_plan_that_cannot_be_read_is_measured_anew(torn: str, cache: Path) -> None:
    first = choose(Machine(slow_bf16))
    (kept,) = cache.iterdir()
    whole = kept.read_text()
    kept.write_text(torn)
    assert choose(Machine(slow_bf16)) == first
    assert kept.read_text() == whole


def test_a_cache_that_cannot_be_written_costs_a_notice_not_the_run(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache.parent.touch()  # a file where the folder should be: that stops root too
    assert choose(Machine(slow_bf16))[0] == FP32
    notice = capsys.readouterr().err
    assert notice.startswith("notice: cannot write ") and str(cache) in notice and notice.count("\n") == 1
    assert choose(Machine(slow_bf16))[0] == FP32


def test_a_plan_measured_while_the_machine_stalls_serves_the_run_and_is_not_kept(cache: Path) -> None:
    machine = Machine()
    machine.seconds = lambda plan: 0.9 if plan.precision == "bf16" and len(machine.trials[-1].seconds) % 2 else 0.3
    plan, table = choose(machine)
    assert plan.precision == "fp32" and max(row["spread"] for row in table) > engine.STEADY
    assert not cache.exists()
    assert choose(Machine(lambda plan: 0.1 if plan.precision == "bf16" else 0.3))[0] == GUESS
    assert len(list(cache.iterdir())) == 1


OTHER_WORK = [
    {"model": "vit"},
    {"model": "cnn"},
    {"batch_size": 8},
    {"ema_decay": 0.9},
    {"optim": OptimConfig(name="adamw")},
]
SAME_WORK = [{"seed": 5}, {"budget_seconds": 300.0}, {"optim": OptimConfig(muon_lr=0.5)}, {"label_smoothing": 0.0}]


@pytest.mark.parametrize("changes", OTHER_WORK, ids=str)
def test_other_work_is_measured_by_itself(changes: dict[str, Any], cache: Path) -> None:
    choose(Machine())
    choose(Machine(), **{**MEDIUM, **changes})
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("changes", SAME_WORK, ids=str)
def test_what_does_not_change_the_time_of_a_step_is_not_measured_again(changes: dict[str, Any], cache: Path) -> None:
    choose(Machine())
    choose(Machine(), **{**MEDIUM, **changes})
    assert len(list(cache.iterdir())) == 1


@pytest.mark.thorough
def test_other_settings_of_the_model_other_fixed_parts_and_another_machine_are_measured_by_themselves(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_config(**MEDIUM)
    choose(Machine(), config=config)
    choose(Machine(), config=replace(config, model_config={**config.model_config, "depth": 2}))
    choose(Machine(), {"precision": "bf16"})  # the value of the guess, but no longer to be changed
    choose(Machine(), {"num_threads": "1"})
    monkeypatch.setattr(engine, "processor", lambda: "another processor")
    choose(Machine())
    monkeypatch.setattr(engine, "first_guess", lambda config: replace(GUESS, num_threads=4))
    choose(Machine())
    # Intel's clouds call Ice Lake and Sapphire Rapids by one name; only one multiplies bf16.
    monkeypatch.setattr(engine, "_bf16_instructions", lambda: ["of another machine"])
    choose(Machine())
    assert len(list(cache.iterdir())) == 7


def test_compiling_is_taken_where_it_saves_more_than_it_costs() -> None:
    """12,000 steps of 0.3 s: 10 ms less each are two minutes, for half a minute of compiling."""
    plan, table = choose(compiled(0.29), **LONG)
    assert plan == replace(FP32, compile=True)
    assert table[-1]["part"] == "compile" and table[-1]["first_step_seconds"] == pytest.approx(30.29)
    assert step_seconds(plan, table) == pytest.approx(0.29)


@pytest.mark.parametrize(
    "machine",
    [
        compiled(0.298),
        compiled(0.31),
        compiled(0.29, compiling=150.0),
        compiled(0.1, losses=lambda plan, step: 2.0 if plan.compile else 2.3),
    ],
    ids=["saves 24 s", "slower", "saves 120 s of 150", "other losses"],
)
def test_compiling_is_not_taken_where_it_does_not_pay_or_changes_the_losses(machine: Machine) -> None:
    plan, table = choose(machine, **LONG)
    assert plan == FP32
    assert table[-1]["part"] == "compile"
    assert step_seconds(plan, table) == pytest.approx(0.3)


@pytest.mark.parametrize("changes", [MEDIUM, {"epochs": 400.0}], ids=["9 minutes", "400 epochs of 4 steps"])
def test_a_shorter_run_never_compiles(changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PROBE_FROM_FLOPS", 0)
    machine = compiled(0.001, has_compiler=False)
    plan, table = choose(machine, **changes)
    assert not plan.compile and table
    assert not any(tried.compile for tried in machine.plans)


def test_a_longer_run_of_the_same_work_asks_only_for_compiling_and_a_third_for_nothing() -> None:
    choose(compiled(0.2), **MEDIUM)
    second, third = compiled(0.2), Machine()
    plan, _ = choose(second, **LONG)
    assert plan.compile
    assert second.plans == [FP32, replace(FP32, compile=True)]
    assert choose(third, **LONG)[0] == plan
    assert not choose(third, **MEDIUM)[0].compile
    assert third.trials == []


def test_without_a_compiler_training_goes_on_eagerly_and_that_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_compiler", lambda: None)
    plan, table = choose(compiled(0.1, has_compiler=False), **LONG)
    notice = capsys.readouterr().err
    assert plan == FP32
    assert notice.count("\n") == 1 and "No working C++ compiler found" in notice and "continues without it" in notice
    assert step_seconds(plan, table) == pytest.approx(0.3), "a failed line must not stand for the eager plan"
    assert choose(Machine(), **LONG) == (plan, table)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(engine, "_compiler", lambda: "/usr/bin/g++")
    assert choose(compiled(0.1), **LONG)[0].compile, "installed since: asked again"
    assert choose(Machine(), **LONG)[0].compile, "and kept"


def test_a_compiler_that_fails_is_asked_again_by_the_next_run() -> None:
    """A full disk, say: what was found then is not for ever."""
    assert not choose(compiled(0.1, has_compiler=False), **LONG)[0].compile
    assert choose(compiled(0.1), **LONG)[0].compile


def test_a_compiler_that_is_gone_since_it_was_measured_costs_a_notice_not_the_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose(compiled(0.1), **LONG)[0].compile
    monkeypatch.setattr(engine, "_compiler", lambda: None)
    assert not choose(Machine(), **LONG)[0].compile
    assert "no C++ compiler found" in capsys.readouterr().err


def test_a_budget_of_ten_minutes_is_ten_minutes_however_the_steps_divide_it() -> None:
    machine = Machine(lambda plan: 0.02 if plan.compile else 0.37)
    assert choose(machine, budget_seconds=COMPILE_FROM_SECONDS)[0].compile


def test_what_one_process_measured_alone_is_not_the_plan_of_several_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = tiny_task(tiny_config(**MEDIUM))
    for beside, precision in ((1, "fp32"), (2, "bf16"), (1, "fp32"), (2, "bf16")):
        machine = Machine(slow_bf16) if beside == 1 else Machine(lambda plan: 0.2 if plan.precision == "bf16" else 0.3)
        monkeypatch.setattr(speed_probe, "new_trial", machine)
        assert choose_plan(task, {}, concurrency=beside)[0].precision == precision


def test_after_a_hopeless_challenger_the_next_ones_are_still_held_to_every_loss() -> None:
    """Emulated bf16 ends its duel after two steps; a fused kernel that goes wrong at the third must not win by that."""

    def losses(plan: Plan, step: int) -> float:
        return 9.0 if plan.attention == "fused" and step >= 2 else 2.3 - 0.01 * step

    machine = Machine(lambda plan: {"bf16": 9.0}.get(plan.precision, 0.1 if plan.attention == "fused" else 0.3), losses)
    assert choose(machine)[0] == FP32


def test_compile_false_is_never_tried() -> None:
    machine = compiled(0.001)
    assert not choose(machine, {"compile": "false"}, **LONG)[0].compile
    assert not any(plan.compile for plan in machine.plans)


def test_compile_true_without_a_compiler_is_the_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(function: Any) -> Any:
        raise RuntimeError("InvalidCxxCompiler\nand a long story")

    monkeypatch.setattr(torch, "compile", fails)
    for call in (check_compiler, lambda: choose(Machine(), {"compile": "true"}, epochs=1.0)):
        with pytest.raises(
            FittingRoomError, match=r"torch.compile does not work here \(InvalidCxxCompiler\): install"
        ) as e:
            call()
        assert "\n" not in str(e.value)


def test_the_seconds_of_a_step_are_unknown_where_nothing_was_timed() -> None:
    assert step_seconds(GUESS, []) is None


def test_a_process_is_set_up_with_the_plans_threads_and_without_nan_filling() -> None:
    set_up_process(replace(GUESS, num_threads=3))
    assert torch.get_num_threads() == 3
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
