"""Real trainings in processes of their own: one fails, one is killed with SIGKILL, the caller walks away."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from fittingroom.comparison.executors.base import Event, Work
from fittingroom.comparison.executors.processes import Processes
from fittingroom.core.config import to_dict
from fittingroom.core.machine import usable_cores
from fittingroom.core.records import read_state
from fittingroom.tasks.classification.config import ClassificationConfig
from tests.command import environment, start

LINUX = sys.platform.startswith("linux")
TINY = {"embed_dim": 8, "depth": 1, "num_heads": 2, "patch_size": 14}


@pytest.fixture(autouse=True)
def no_child_outlives_its_test() -> Iterator[None]:
    """Whatever happens, all processes have ended when the generator has."""
    yield
    assert multiprocessing.active_children() == []


def work(
    folder: Path, seed: int = 0, *, epochs: float = 1.0, num_train: int = 64, num_threads: str = "1", **values: Any
) -> Work:
    """A training of two steps an epoch."""
    config = ClassificationConfig(
        model="vit", model_config=TINY, seed=seed, epochs=epochs, num_train=num_train, batch_size=32
    )
    plan = {"num_threads": num_threads, "precision": "fp32"}
    return Work(config=to_dict(config), folder=str(folder / f"seed{seed}"), plan=plan, **values)


def process_of(event: Event, known: dict[int, int]) -> int:
    """The process id of the work that starts: the child that was not there before."""
    (new,) = {child.pid for child in multiprocessing.active_children()} - set(known.values())
    assert new is not None
    return new


def ends(events: list[Event]) -> dict[int, str]:
    """How each work ended."""
    return {event.number: event.kind for event in events if event.kind in ("finished", "failed")}


@pytest.mark.slow
def test_works_are_done_in_order_and_tell_how_far_they_are(tmp_path: Path) -> None:
    events = list(Processes(jobs=1).run([work(tmp_path, seed) for seed in range(3)]))
    assert [event.number for event in events if event.kind == "starts"] == [0, 1, 2]
    assert [event.content[:2] for event in events if event.kind == "progress" and event.number == 1] == [(1, 2), (2, 2)]
    assert ends(events) == dict.fromkeys(range(3), "finished")
    assert [event.content["seed"] for event in events if event.kind == "finished"] == [0, 1, 2]


def test_a_work_that_fails_and_one_that_breaks_are_events_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "seed1").mkdir()
    (tmp_path / "seed1" / "config.json").mkdir()  # nothing that the run foresees: a folder where its file should be
    works = [work(tmp_path, 0, num_train=70_000), work(tmp_path, 1), work(tmp_path, 2)]
    events = list(Processes(jobs=2).run(works))
    assert ends(events) == {0: "failed", 1: "failed", 2: "finished"}
    reasons = {event.number: event.content for event in events if event.kind == "failed"}
    assert "num_train 70000 is more than there are" in reasons[0]
    assert "config.json" in reasons[1] and "\n" not in reasons[1]


def test_a_killed_work_is_an_event_the_others_go_on_and_it_can_be_resumed(tmp_path: Path) -> None:
    works = [work(tmp_path, 0, epochs=2000.0), work(tmp_path, 1), work(tmp_path, 2)]
    processes: dict[int, int] = {}
    events: list[Event] = []
    for event in Processes(jobs=2).run(works):
        events.append(event)
        if event.kind == "starts":
            processes[event.number] = process_of(event, processes)
        if event.kind == "progress" and event.number == 0 and event.content[0] == 3:
            os.kill(processes[0], signal.SIGKILL)
    assert ends(events) == {0: "failed", 1: "finished", 2: "finished"}
    (reason,) = [event.content for event in events if event.kind == "failed"]
    assert reason.startswith("its process ended with code -9") and "run the command again to resume it" in reason
    assert read_state(tmp_path / "seed0").status == "running"


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="needs a fork server")
def test_a_fork_server_that_is_killed_while_it_starts_is_replaced(tmp_path: Path) -> None:
    server: Any = forkserver._forkserver
    killed: list[int] = []
    if server._forkserver_pid is not None:  # of an earlier test
        killed.append(server._forkserver_pid)
        os.kill(killed[0], signal.SIGKILL)

    def kill() -> None:
        while (pid := server._forkserver_pid) is None or pid in killed:
            time.sleep(0.01)
        time.sleep(0.3)  # it imports torch now, which takes longer
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    killer = threading.Thread(target=kill)
    killer.start()
    events = list(Processes(jobs=1).run([work(tmp_path)]))
    killer.join()
    assert ends(events) == {0: "finished"}
    assert server._forkserver_pid not in killed


def test_when_the_caller_stops_listening_no_child_is_left(tmp_path: Path) -> None:
    listening = Processes(jobs=2).run([work(tmp_path, seed, epochs=2000.0) for seed in range(3)])
    for event in listening:
        if event.kind == "progress":
            break
    pids = [child.pid for child in multiprocessing.active_children()]
    assert len(pids) == 2
    began = time.monotonic()
    listening.close()  # type: ignore[attr-defined]
    assert time.monotonic() - began < 20
    assert not any(is_alive(pid) for pid in pids)
    assert read_state(tmp_path / "seed2").status == "absent"


def is_alive(pid: int | None) -> bool:
    """Whether there is such a process, and not only its name in the table until its parent asks for it."""
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "State:\tZ" in status.read_text())


PARENT = """
import multiprocessing, sys
from pathlib import Path
from fittingroom.comparison.executors.processes import Processes
from tests.faults.test_side_by_side import work

told = set()
if __name__ == "__main__":
    for event in Processes(jobs=2).run([work(Path(sys.argv[1]), seed, epochs=2000.0) for seed in range(2)]):
        if event.kind == "progress" and event.number not in told:
            told.add(event.number)
            if len(told) == 2:
                print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


@pytest.fixture
def temporary_files(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the temporary files of processes. Its path is short, because it has to hold a socket."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@pytest.mark.slow
def test_when_the_parent_is_killed_its_children_end_by_themselves(tmp_path: Path, temporary_files: Path) -> None:
    parent = start(str(tmp_path), program=PARENT)
    assert parent.stdout is not None
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2 and all(is_alive(pid) for pid in pids)
    assert not LINUX or list(temporary_files.glob("pymp-*"))
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 60
    while any(is_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "a training goes on with nobody to listen"
        time.sleep(0.1)
    while list(temporary_files.glob("pymp-*")):
        assert time.monotonic() < deadline, "the socket of the fork server is left behind"
        time.sleep(0.1)


ONLY_SERVER = """
import os, signal, sys
from multiprocessing import forkserver
from fittingroom.comparison.executors.processes import warm_up

warm_up()
print(*os.listdir(os.environ["TMPDIR"]), flush=True)
sys.stdin.readline()
os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="needs a fork server")
def test_what_a_killed_command_and_its_killed_fork_server_leave_is_deleted_by_the_next(temporary_files: Path) -> None:
    first, second = (only_server() for _ in range(2))
    assert len(list(temporary_files.glob("pymp-*"))) == 2, "the folder of a living process stays"
    for server in (first, second):
        server.communicate("\n")
    left = set(temporary_files.glob("pymp-*"))
    assert len(left) == 2
    next_one = only_server()
    assert not left & set(temporary_files.glob("pymp-*"))
    next_one.communicate("\n")


def only_server() -> "subprocess.Popen[str]":
    """A process that has started a fork server. After a line of input, it kills the server and itself."""
    process = subprocess.Popen(
        [sys.executable, "-c", ONLY_SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True
    )
    assert process.stdout is not None and process.stdout.readline()
    return process


@pytest.mark.slow
@pytest.mark.skipif(not LINUX or len(usable_cores()) < 2, reason="needs two cores that can be chosen")
def test_side_by_side_each_run_has_a_core_of_its_own_and_alone_it_has_all(tmp_path: Path) -> None:
    everywhere = set(usable_cores())
    first, second = usable_cores()[:2]
    side_by_side_cores = cores_of([work(tmp_path / "beside", seed) for seed in range(3)], jobs=2)
    assert side_by_side_cores[:2] == [{first}, {second}] and side_by_side_cores[2] in ({first}, {second})
    assert cores_of([work(tmp_path / "alone")], jobs=1) == [everywhere]
    assert cores_of([work(tmp_path / "two threads", num_threads="2")], jobs=2) == [everywhere]


def cores_of(works: list[Work], jobs: int) -> list[set[int]]:
    """The cores that each run may use, seen from outside at its first step; nobody waits for their ends."""
    processes: dict[int, int] = {}
    cores: dict[int, set[int]] = {}
    for event in Processes(jobs=jobs).run(works):
        if event.kind == "starts":
            processes[event.number] = process_of(event, processes)
        elif event.kind == "progress":
            cores.setdefault(event.number, os.sched_getaffinity(processes[event.number]))
        if len(cores) == len(works):
            break
    return [cores[number] for number in range(len(works))]


def test_a_work_that_only_asks_for_the_plan_writes_nothing(tmp_path: Path) -> None:
    events = Processes(jobs=1).run([work(tmp_path, only_plan=True)])
    (answer,) = [event.content for event in events if event.kind != "starts"]
    plan, seconds, table = answer
    assert (plan["num_threads"], plan["precision"], seconds, table) == (1, "fp32", None, [])
    assert not list(tmp_path.iterdir())
