"""How a grid is run, on machines whose processes answer from a table."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.comparison import planning
from fittingroom.comparison.candidate import candidate
from fittingroom.comparison.executors.base import Event, Work
from fittingroom.comparison.planning import MEMORY_A_RUN, most_jobs, plan_grid
from fittingroom.core.errors import FittingRoomError
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.seq2seq.config import Seq2seqConfig

CANDIDATES = [candidate(ClassificationConfig(model=model, epochs=1.0)) for model in ("vit", "cnn")]
NUM_RUNS = 4
"""Two seeds of each candidate."""
TWO_THREADS = 2


class Machine:
    """Answers for `Processes`: the plan is the parts asked for; seconds a step by threads and processes."""

    def __init__(self, seconds: Callable[[int, int], float | None]) -> None:
        self.seconds = seconds
        self.asked: list[tuple[str, int, dict[str, str]]] = []

    def processes(self, *, jobs: int) -> "Machine":
        """`jobs` of them."""
        self.jobs = jobs
        return self

    def run(self, works: Sequence[Work]) -> Iterator[Event]:
        """Events of all works, as `Processes.run`."""
        jobs = self.jobs
        assert all(work.only_plan for work in works)
        work = works[0]
        assert len(works) == jobs and all(other == work for other in works)
        self.asked.append((work.config["model"], jobs, dict(work.plan)))
        plan = {"device": "cpu", "compile": False, "num_threads": TWO_THREADS, **work.plan}
        plan["num_threads"] = int(plan["num_threads"])
        assert work.concurrency == jobs, "what one process alone measured is not the plan of several side by side"
        seconds = self.seconds(plan["num_threads"], jobs)
        for number in range(jobs):
            yield Event(kind="starts", number=number)
        for number in range(jobs):
            slower = None if seconds is None else seconds * (1 + number / 100)
            yield Event(
                kind="finished",
                number=number,
                content=({**plan, "from": number}, slower, [{"part": "precision", "from": number}]),
            )


def ask(
    machine: Machine, *, jobs: int | None = None, fixed: dict[str, str] | None = None, cores: int = 2, memory: int = 99
) -> tuple[int, dict[str, Any]]:
    """plan_grid's answer on that machine, with so many cores and memory for so many runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "Processes", machine.processes)
        patch.setattr(planning, "usable_cores", lambda: list(range(cores)))
        patch.setattr(planning, "num_cores", lambda: cores)
        patch.setattr(planning, "memory_bytes", lambda: memory * MEMORY_A_RUN)
        found, plans, tables = plan_grid(CANDIDATES, NUM_RUNS, jobs=jobs, fixed=fixed or {}, data_dir=None)
    assert {model: table[0]["from"] for model, table in tables.items()} == {
        model: plan["from"] for model, plan in plans.items()
    }
    return found, plans


def test_side_by_side_where_two_processes_make_more_steps_than_one_with_both_cores() -> None:
    machine = Machine(lambda threads, jobs: 0.5 if threads == 1 else 0.3)  # 4 steps a second against 3.3
    jobs, plans = ask(machine)
    assert jobs == 2
    assert {name: plan["num_threads"] for name, plan in plans.items()} == {"vit": 1, "cnn": 1}
    assert list(plans) == ["vit", "cnn"]
    assert [asked[:2] for asked in machine.asked] == [("vit", 2), ("cnn", 2), ("vit", 1)]


def test_in_series_where_one_process_with_both_cores_makes_more_steps() -> None:
    machine = Machine(lambda threads, jobs: 0.5 if threads == 1 else 0.2)  # 4 steps a second against 5
    jobs, plans = ask(machine)
    assert jobs == 1
    assert {name: plan["num_threads"] for name, plan in plans.items()} == {"vit": TWO_THREADS, "cnn": TWO_THREADS}


def test_both_ways_are_timed_with_the_same_plan_but_for_the_threads() -> None:
    machine = Machine(lambda threads, jobs: 0.5)
    ask(machine, fixed={"precision": "fp32"})
    beside, alone = machine.asked[0][2], machine.asked[-1][2]
    assert beside == {"precision": "fp32", "num_threads": "1"}
    assert alone["precision"] == "fp32" and alone["compile"] == "False"
    assert "num_threads" not in alone and "device" not in alone


def test_the_slowest_of_the_processes_answers_for_all() -> None:
    """Two processes of 0.500 and 0.505 s make 3.96 steps a second, not 4."""
    assert ask(Machine(lambda threads, jobs: 0.5 if threads == 1 else 0.251))[0] == 1
    _, plans = ask(Machine(lambda threads, jobs: 0.5))
    assert plans["vit"]["from"] == 1


def test_runs_too_short_to_be_timed_go_side_by_side() -> None:
    machine = Machine(lambda threads, jobs: None)
    assert ask(machine)[0] == 2
    assert [asked[:2] for asked in machine.asked] == [("vit", 2), ("cnn", 2)]


@pytest.mark.parametrize("seconds", [(0.5, 0.1), (0.5, 0.9)])
def test_a_number_given_by_hand_is_kept_and_not_asked_about(seconds: tuple[float, float]) -> None:
    for given_jobs in (1, 2, 3):
        machine = Machine(lambda threads, jobs: seconds[threads == TWO_THREADS])
        jobs, plans = ask(machine, jobs=given_jobs)
        assert jobs == given_jobs
        assert [asked[:2] for asked in machine.asked] == [("vit", given_jobs), ("cnn", given_jobs)]
        assert plans["vit"]["num_threads"] == (TWO_THREADS if given_jobs == 1 else 1)


def test_never_more_processes_than_runs_whatever_was_asked_for() -> None:
    machine = Machine(lambda threads, jobs: 0.5)
    assert ask(machine, jobs=1000)[0] == NUM_RUNS
    assert max(jobs for _, jobs, _ in machine.asked) == NUM_RUNS


@pytest.mark.parametrize(("cores", "memory"), [(1, 99), (0, 99), (2, 1), (2, 0)])
def test_in_series_where_cores_or_memory_are_for_one(cores: int, memory: int) -> None:
    machine = Machine(lambda threads, jobs: 0.5)
    assert ask(machine, cores=cores, memory=memory)[0] == 1
    assert {jobs for _, jobs, _ in machine.asked} == {1}


@given(runs=st.integers(1, 30), cores=st.integers(0, 64), quota=st.integers(1, 64), memory=st.integers(0, 64))
def test_most_jobs_is_the_scarcest_of_runs_cores_quota_and_memory_but_one_at_least(
    runs: int, cores: int, quota: int, memory: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planning, "usable_cores", lambda: list(range(cores)))
        patch.setattr(planning, "num_cores", lambda: quota)
        patch.setattr(planning, "memory_bytes", lambda: memory * MEMORY_A_RUN + MEMORY_A_RUN // 2)
        assert most_jobs(runs) == max(1, min(runs, cores, quota, memory))


def test_a_system_that_does_not_tell_its_memory_is_trusted_with_two_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "memory_bytes", lambda: None)
    monkeypatch.setattr(planning, "usable_cores", lambda: list(range(8)))
    monkeypatch.setattr(planning, "num_cores", lambda: 8)
    assert most_jobs(8) == 2


@pytest.mark.parametrize("fixed", [{}, {"device": "cuda"}])
def test_a_graphics_card_takes_one_run_at_a_time_with_nothing_forced_on_it(
    fixed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    machine = Machine(lambda threads, jobs: 0.1)
    assert ask(machine, fixed=fixed)[0] == 1
    assert machine.asked == [("vit", 1, fixed), ("cnn", 1, fixed)]
    assert ask(machine, fixed=fixed, jobs=2)[0] == 2, "unless asked for"


def test_a_number_of_threads_given_by_hand_means_series() -> None:
    machine = Machine(lambda threads, jobs: 0.5)
    jobs, plans = ask(machine, fixed={"num_threads": "1"})
    assert jobs == 1
    assert plans["cnn"]["num_threads"] == 1


def test_a_process_that_fails_says_why() -> None:
    class Failing(Machine):
        """Finds no images."""

        def run(self, works: Sequence[Work]) -> Iterator[Event]:
            yield Event(kind="failed", number=0, content="no images in nowhere")

    with pytest.raises(FittingRoomError, match="no images in nowhere"):
        ask(Failing(lambda threads, jobs: 0.5))


def test_a_plan_that_cannot_be_is_refused_before_any_process_starts() -> None:
    machine = Machine(lambda threads, jobs: 0.5)
    with pytest.raises(FittingRoomError, match="'fp17' is not one of"):
        ask(machine, fixed={"precision": "fp17"})
    assert machine.asked == []


def test_the_works_carry_the_folder_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []

    class Listening(Machine):
        """Keeps the folders of the works."""

        def run(self, works: Sequence[Work]) -> Iterator[Event]:
            folders.extend(work.data_dir for work in works)
            return super().run(works)

    monkeypatch.setattr(planning, "Processes", Listening(lambda threads, jobs: None).processes)
    plan_grid(CANDIDATES, NUM_RUNS, jobs=1, fixed={}, data_dir=Path("images"))
    assert set(folders) == {"images"}


def test_a_graphics_card_has_one_run_at_a_time() -> None:
    assert most_jobs(9, "cuda") == 1


def test_large_files_of_data_leave_room_for_fewer_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "usable_cores", lambda: list(range(8)))
    monkeypatch.setattr(planning, "memory_bytes", lambda: 4 * MEMORY_A_RUN)
    monkeypatch.setattr(planning, "num_cores", lambda: 4)
    assert [most_jobs(8, data_bytes=size) for size in (0, 70 * 10**6, 10**9)] == [4, 3, 1]


def test_the_planner_counts_the_users_files(tmp_path: Path) -> None:
    """Two million pairs are a file of 69 MB, which adds 0.8 GB to each run."""
    (tmp_path / "pairs.tsv").touch()
    os.truncate(tmp_path / "pairs.tsv", 69 * 10**6)
    config = Seq2seqConfig(model="recurrent", epochs=1.0, data=str(tmp_path / "pairs.tsv"))
    found = []
    for memory in (2 * MEMORY_A_RUN, 2 * MEMORY_A_RUN + 2 * 10**9):
        machine = Machine(lambda threads, jobs: 0.5)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "Processes", machine.processes)
            patch.setattr(planning, "usable_cores", lambda: [0, 1])
            patch.setattr(planning, "num_cores", lambda: 2)
            patch.setattr(planning, "memory_bytes", lambda memory=memory: memory)
            found.append(plan_grid([candidate(config)], NUM_RUNS, jobs=None, fixed={}, data_dir=None)[0])
    assert found == [1, 2]
