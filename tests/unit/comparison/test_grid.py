"""The speed plans of a comparison that is called again: kept for its runs, measured for new models, never changed in silence."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from fittingroom.comparison import grid
from fittingroom.comparison.candidate import Candidate, candidate
from fittingroom.comparison.executors.base import Event, Work
from fittingroom.comparison.executors.processes import have_own_core
from fittingroom.comparison.grid import Comparison, Watcher, run_comparison
from fittingroom.comparison.protocol import Budget
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import write_state
from fittingroom.data.images.fashion_mnist import SPEC
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.training.fit import resolve
from fittingroom.training.folder import new_state_of
from tests.unit.training.machine import GUESS, TINY, tiny_config, tiny_task

PLANS = {"vit": asdict(replace(GUESS, num_threads=1)), "hybrid": asdict(GUESS), "cnn": asdict(GUESS)}


class Started(Exception):
    """Raised where the runs would begin: all before is what these tests are about."""


class Planner:
    """Answers for `plan_grid`, and for the processes in which the runs would be made."""

    def __init__(self) -> None:
        self.asked: list[tuple[list[str], int | None]] = []
        self.works: Sequence[Work] = ()
        self.jobs = 0

    def plan_grid(
        self, candidates: Sequence[Candidate], num_runs: int, *, jobs: int | None, fixed: Mapping[str, str], **_: Any
    ) -> tuple[int, dict[str, Any], dict[str, Any]]:
        names = [each.name for each in candidates]
        self.asked.append((names, jobs))
        self.fixed = dict(fixed)
        return (
            min(jobs or 2, num_runs),
            {name: PLANS[name] for name in names},
            {name: [{"of": name}] for name in names},
        )

    def processes(self, *, jobs: int) -> "Planner":
        self.jobs = jobs
        return self

    def run(self, works: Sequence[Work]) -> Iterator[Event]:
        self.works = works
        raise Started


@pytest.fixture
def planner(monkeypatch: pytest.MonkeyPatch) -> Planner:
    """Nothing is measured, trained or read from disk."""

    planner = Planner()
    monkeypatch.setattr(grid, "plan_grid", planner.plan_grid)
    monkeypatch.setattr(grid, "Processes", planner.processes)
    monkeypatch.setattr(ClassificationTask, "spec", SPEC)
    monkeypatch.setattr(ClassificationTask, "splits", tiny_task(tiny_config()).splits)
    return planner


def tiny_comparison(folder: Path, *models: str, **choices: Any) -> Comparison:
    """One seed of these models."""
    configs = [ClassificationConfig(model=name, model_config=TINY[name], epochs=1.0, batch_size=16) for name in models]
    return Comparison(
        folder=folder, candidates=list(map(candidate, configs)), seeds=[0], budget=Budget(epochs=1.0), **choices
    )


def begin(folder: Path, *models: str, jobs: int | None = None, plan: Mapping[str, str] | None = None) -> int:
    """Begin a comparison of these models; how often its watcher was told that plans are measured."""
    told = []
    comparison = tiny_comparison(folder, *models, jobs=jobs, plan=plan or {})
    with pytest.raises(Started):
        run_comparison(comparison, Watcher(plans=lambda: told.append(1)))
    return len(told)


def test_each_run_gets_its_models_plan_whole(planner: Planner, tmp_path: Path) -> None:
    assert begin(tmp_path, "vit", "cnn") == 1
    assert planner.jobs == 2
    for work in planner.works:
        assert {key: json.loads(value) for key, value in work.plan.items()} == PLANS[work.config["model"]]
        assert work.probe == [{"of": work.config["model"]}], "and the timings behind it, for environment.json"


def test_called_again_it_measures_nothing(planner: Planner, tmp_path: Path) -> None:
    begin(tmp_path, "vit", "cnn")
    assert begin(tmp_path, "vit", "cnn") == 0
    assert begin(tmp_path, "cnn", jobs=1) == 0
    assert planner.jobs == 1
    assert len(planner.asked) == 1


def test_a_new_model_is_measured_for_as_many_at_a_time_and_the_others_keep_their_plans(
    planner: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(tmp_path, "vit", "hybrid")
    monkeypatch.setitem(PLANS, "vit", asdict(replace(GUESS, precision="fp32")))  # what a second measurement would find
    assert begin(tmp_path, "vit", "hybrid", "cnn") == 1
    assert planner.asked == [(["vit", "hybrid"], None), (["cnn"], 2)]
    kept = json.loads((tmp_path / "plan.json").read_text())
    assert kept["plans"]["vit"]["precision"] == GUESS.precision
    assert list(kept["plans"]) == ["vit", "hybrid", "cnn"]
    assert planner.jobs == kept["jobs"] == 2


def test_a_new_model_gets_a_core_as_the_runs_before_it_had(
    planner: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("vit", "cnn"):
        monkeypatch.setitem(PLANS, name, asdict(replace(GUESS, num_threads=1)))
    begin(tmp_path, "vit", "cnn")
    assert planner.fixed == {}
    begin(tmp_path, "vit", "cnn", "hybrid", plan={"precision": GUESS.precision})
    assert planner.fixed == {"num_threads": "1", "precision": GUESS.precision}


def test_a_run_found_finished_ends_and_does_not_begin(planner: Planner, tmp_path: Path) -> None:
    """Of how long the others take it says nothing: the time left is told by runs that began."""
    config = resolve(tiny_comparison(tmp_path, "vit").candidates[0].config)
    write_state(tmp_path / "runs" / "vit-seed0", replace(new_state_of(config), status="finished"))
    told: list[tuple[str, int]] = []
    watcher = Watcher(
        starts=lambda number, _: told.append(("starts", number)), ends=lambda number, _: told.append(("ends", number))
    )
    with pytest.raises(Started):
        run_comparison(tiny_comparison(tmp_path, "vit", "cnn"), watcher)
    assert told == [("ends", 0)]


def test_what_a_killed_process_left_in_comparison_and_finished_run_is_deleted(planner: Planner, tmp_path: Path) -> None:
    comparison = tiny_comparison(tmp_path, "vit", "cnn")
    config = resolve(comparison.candidates[0].with_seed(0))
    run = tmp_path / "runs" / "vit-seed0"
    write_state(run, replace(new_state_of(config), status="finished"))
    (run / "checkpoints").mkdir()
    left = [tmp_path / ".plan.json.0123abcd.tmp", tmp_path / "steps" / ".vit.json.0123abcd.tmp"]
    left += [run / ".lock", run / ".state.json.0123abcd.tmp", run / "checkpoints" / "step=0000001.ckpt"]
    for path in left:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    with pytest.raises(Started):
        run_comparison(comparison, Watcher())
    assert [path.name for path in run.iterdir()] == ["state.json"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_no_more_at_a_time_than_there_are_runs(planner: Planner, tmp_path: Path) -> None:
    begin(tmp_path, "vit", "cnn", jobs=1000)
    assert planner.jobs == 2
    begin(tmp_path, "cnn")
    assert planner.jobs == 1


def test_another_plan_for_runs_that_have_one_is_refused_and_the_same_is_not(planner: Planner, tmp_path: Path) -> None:
    begin(tmp_path, "vit", plan={"precision": "bf16"})
    begin(tmp_path, "vit", plan={"precision": "bf16"})
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    comparison = tiny_comparison(tmp_path, "vit", plan={"precision": "fp32"})
    with pytest.raises(FittingRoomError, match="was started with another plan than precision=fp32: omit --plan"):
        run_comparison(comparison, Watcher())
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.json")}


def test_the_protocol_says_how_runs_shared_the_machine(planner: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("usable_cores", [0, 1]), ("num_cores", 2)):
        monkeypatch.setattr(f"fittingroom.comparison.executors.processes.{name}", lambda value=value: value)
    one_thread, two_threads = {"vit": {"num_threads": 1}}, {"vit": {"num_threads": 1}, "cnn": {"num_threads": 2}}
    assert have_own_core(one_thread, 2)
    assert not have_own_core(one_thread, 1), "alone it has them all"
    assert not have_own_core(one_thread, 3), "three on two cores"
    assert not have_own_core(two_threads, 2)


def timed(folder: Path) -> Comparison:
    """Two seeds of two models, for some seconds each."""
    of_epochs = tiny_comparison(folder, "vit", "cnn")
    candidates = [
        replace(each, config=replace(each.config, epochs=None, budget_seconds=9.0)) for each in of_epochs.candidates
    ]
    return replace(of_epochs, candidates=candidates, seeds=[0, 1], budget=Budget(seconds=9.0))


def test_the_seeds_of_a_model_share_the_steps_of_a_time_budget(planner: Planner, tmp_path: Path) -> None:
    with pytest.raises(Started):
        run_comparison(timed(tmp_path), Watcher())
    files = {work.run: work.steps_file for work in planner.works}
    assert files["vit-seed0"] == files["vit-seed1"] == str(tmp_path / "steps" / "vit.json")
    assert files["cnn-seed0"] == files["cnn-seed1"] != files["vit-seed0"]
    begin(tmp_path / "epochs", "vit")
    assert [work.steps_file for work in planner.works] == [None]


def test_every_run_gets_the_loggers_and_the_folder_is_their_group(planner: Planner, tmp_path: Path) -> None:
    with pytest.raises(Started):
        run_comparison(tiny_comparison(tmp_path / "shoes", "vit", "cnn", loggers=["tensorboard", "wandb"]), Watcher())
    assert [(work.loggers, work.group) for work in planner.works] == [(["tensorboard", "wandb"], "shoes")] * 2


def test_hints_about_the_data_are_told_once_and_before_the_runs(
    planner: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(ClassificationTask, "hints", ("the first line looks like a header",))
    with pytest.raises(Started):
        run_comparison(tiny_comparison(tmp_path, "vit", "cnn"), Watcher(hints=told.append))
    assert told == ["the first line looks like a header"]


def test_other_seeds_take_the_steps_of_a_run_that_an_earlier_version_began(planner: Planner, tmp_path: Path) -> None:
    comparison = timed(tmp_path)
    for seed, steps in ((0, 335), (1, 387)):
        config = resolve(comparison.candidates[0].with_seed(seed))
        state = replace(new_state_of(config), status="running", total_steps=steps)
        write_state(tmp_path / "runs" / f"vit-seed{seed}", state)
    with pytest.raises(Started):
        run_comparison(comparison, Watcher())
    assert json.loads((tmp_path / "steps" / "vit.json").read_text()) == {"total_steps": 335}
    assert not (tmp_path / "steps" / "cnn.json").exists(), "its first run decides"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"jobs": "two"}, "lacks jobs or plans"),
        ({"jobs": -1}, "lacks jobs or plans"),
        ({"plans": {"vit": None}}, r"plans\.vit: expected a group of keys"),
        ({"plans": {"vit": {**PLANS["vit"], "num_threads": 0}}}, "num_threads 0 is too small"),
    ],
)
def test_a_damaged_plan_file_is_named(planner: Planner, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    begin(tmp_path, "vit", "cnn")
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(FittingRoomError, match=rf"plan\.json.*{said}"):
        run_comparison(tiny_comparison(tmp_path, "vit", "cnn"), Watcher())
