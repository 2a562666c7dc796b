"""Run each training in its own process on this machine, several at a time."""

import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType
from typing import Any

from fittingroom.comparison.executors.base import Event, Work
from fittingroom.comparison.executors.preload import SOCKET_FOLDER
from fittingroom.comparison.executors.socket_folder import hold
from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.machine import OPENMP_BINDING, num_cores, usable_cores
from fittingroom.core.registry import script_registers

PATIENCE = 60.0
"""Seconds that a run waits for the folder. A child process needs some time to notice that its parent was killed, and
the user may start the same command again at once."""

TIME_TO_STOP = 5.0
"""Seconds that a run gets to stop before it is killed. Its files survive both."""

START_ATTEMPTS = 5

NO_MAIN_GUARD = 78
"""Exit code of a child process that ran the user's script again (see `check_main_guard`)."""


@dataclass(frozen=True, kw_only=True)
class Processes:
    """An `Executor` with `jobs` processes at a time. If `jobs` is above 1, each run with one thread is pinned to a core."""

    jobs: int

    def run(self, works: Sequence[Work]) -> Iterator[Event]:
        """See `Executor.run`. A process that is killed counts as a failed work."""
        cores: list[int | None] = [None] if self.jobs == 1 else [*usable_cores()[: self.jobs]]
        free = cores + [None] * (self.jobs - len(cores))
        waiting = deque(enumerate(works))
        running: dict[Connection, _Running] = {}
        try:
            while waiting or running:
                while waiting and free:
                    number, work = waiting.popleft()
                    connection, started = _start(number, work, free.pop(0))
                    running[connection] = started
                    yield Event(kind="starts", number=number)
                for connection in wait(list(running)):
                    assert isinstance(connection, Connection)
                    event = _hear(connection, running[connection])
                    if event.kind in ("finished", "failed"):
                        ended = running.pop(connection)
                        ended.process.join()
                        free.append(ended.core)
                    yield event
        finally:
            with _deaf():
                _stop([left.process for left in running.values()])


@dataclass(frozen=True, kw_only=True)
class _Running:
    number: int
    core: int | None
    process: Any


def check_main_guard() -> None:
    """Exit if this process is a child that runs the user's script again. The parent then reports the missing guard."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(NO_MAIN_GUARD)


def have_own_core(plans: Mapping[str, Mapping[str, Any]], jobs: int) -> bool:
    """Whether each of `jobs` simultaneous runs has its own core. `plans` maps a candidate to its plan."""
    return 1 < jobs <= min(len(usable_cores()), num_cores()) and all(
        plan["num_threads"] == 1 for plan in plans.values()
    )


def _start(number: int, work: Work, core: int | None) -> tuple[Connection, _Running]:
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    cores = usable_cores() if core is None or work.plan.get("num_threads") != "1" else [core]
    process = _started(context, (vars(work), cores, theirs))
    theirs.close()
    return ours, _Running(number=number, core=core, process=process)


def _started(context: Any, args: tuple[Any, ...]) -> Any:
    """A child process. If the fork server was killed, the next attempt starts another one."""
    spawned = context.get_start_method() == "spawn"
    for _ in range(START_ATTEMPTS):
        process = context.Process(target=_work, args=args, daemon=True)
        try:
            with _without_script(), _deaf() if spawned else nullcontext(), _unbound():
                process.start()
            return process
        except (EOFError, ConnectionError):
            time.sleep(0.1)  # until the system has noticed that the server is dead
            context = _context()
    raise FittingRoomError(
        "cannot start a process, because the system kills it: free some memory and run the command again"
    )


def _stop(processes: Sequence[Any]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(TIME_TO_STOP)
        process.kill()
        process.join()


@contextmanager
def _deaf() -> Iterator[None]:
    """Ctrl-C waits until this block ends. Programs that start in it never hear it: this process stops them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # if it started in the block, it would end the wait
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextmanager
def _without_script() -> Iterator[None]:
    """Processes that start in this block do not import the user's script again, which would call us once more.

    If the script registers something, they need it.
    """
    script = sys.modules["__main__"]
    if not script_registers():
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


@contextmanager
def _unbound() -> Iterator[None]:
    """Programs that start in this block are not bound to cores by OpenMP, which would put all runs on one core."""
    binding = {name: os.environ.pop(name) for name in OPENMP_BINDING if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(binding)


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """Programs that start in this block find `value` in their environment."""
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]


def _context() -> Any:
    """A fork server, which imports torch and Lightning once for all runs. Without one, each run imports them again."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, util

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fittingroom.comparison.executors.preload", "fittingroom.training.fit"])
    try:
        folder = util.get_temp_dir()
        hold(folder)
        with _deaf(), _unbound(), _variable(SOCKET_FOLDER, folder):
            forkserver.ensure_running()
    except (
        OSError
    ):  # its socket is among the temporary files: their path may be too long for one, or their disk without them
        return multiprocessing.get_context("spawn")
    return context


def warm_up() -> None:
    """Start the fork server now. It imports torch and Lightning while this process does something else."""
    _context()


def _hear(connection: Connection, running: _Running) -> Event:
    try:
        kind, content = connection.recv()
    except (EOFError, OSError):  # the process ended, perhaps in the middle of a message
        running.process.join()
        kind, content = "failed", _why_ended(running.process.exitcode)
    return Event(kind=kind, number=running.number, content=content)


def _why_ended(exit_code: int | None) -> str:
    if exit_code == NO_MAIN_GUARD:
        return (
            "your script registers something, so each run imports the script again: put the other code under "
            '`if __name__ == "__main__":`, or register in a module'
        )
    return f"its process ended with code {exit_code} (killed? out of memory?): run the command again to resume it"


def _work(plain: dict[str, Any], cores: list[int], pipe: Connection) -> None:
    """Runs in the child process. If the parent dies, this process ends; the run can be resumed."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if cores:
        with suppress(OSError):  # some containers forbid it
            os.sched_setaffinity(0, cores)
    work = Work(**plain)
    try:
        pipe.send(("finished", _do(work, pipe)))
    except FittingRoomError as error:
        pipe.send(("failed", str(error)))
    except (BrokenPipeError, KeyboardInterrupt):
        pass


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _do(work: Work, pipe: Connection) -> Any:
    from fittingroom.tasks.load import run_config
    from fittingroom.training.fit import FitOptions, fit, plan_and_time

    def tell(step: int, total: int, score: float | None) -> None:
        pipe.send(("progress", (step, total, score)))

    for module in work.modules:
        importlib.import_module(module)
    options = FitOptions(
        folder=Path(work.folder), run=work.run, data_dir=None if work.data_dir is None else Path(work.data_dir), resume=True,
        progress=tell, checkpoint_seconds=work.checkpoint_seconds, plan=work.plan, open_test=work.open_test,
        patience=PATIENCE, probe=work.probe, concurrency=work.concurrency,
        steps_file=None if work.steps_file is None else Path(work.steps_file),
        loggers=work.loggers, group=work.group,
    )  # fmt: skip
    config = run_config(work.config)
    return plan_and_time(config, options) if work.only_plan else to_dict(fit(config, options))
