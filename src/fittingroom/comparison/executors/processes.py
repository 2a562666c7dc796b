"""Run each training in its own process on this machine, several at a time."""

import importlib
import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from fittingroom.comparison.executors.base import Event, Work
from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError

PATIENCE = 60.0
"""Seconds that a run waits for the folder. A child process needs some time to notice that its parent was killed, and
the user may start the same command again at once."""

NO_MAIN_GUARD = 78
"""Exit code of a child process that ran the user's script again (see `api.compare.check_main_guard`)."""


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
            for left in running.values():
                left.process.terminate()
            for left in running.values():
                left.process.join()


@dataclass(frozen=True, kw_only=True)
class _Running:
    number: int
    core: int | None
    process: Any


def usable_cores() -> list[int]:
    """The numbers of the cores that this process may use; empty if the system does not report them."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def have_own_core(plans: Mapping[str, Mapping[str, Any]], jobs: int) -> bool:
    """Whether each of `jobs` simultaneous runs has its own core. `plans` maps a candidate to its plan."""
    return 1 < jobs <= len(usable_cores()) and all(plan["num_threads"] == 1 for plan in plans.values())


def _start(number: int, work: Work, core: int | None) -> tuple[Connection, _Running]:
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    pinned = core if work.plan.get("num_threads") == "1" else None
    process = context.Process(target=_work, args=(vars(work), pinned, theirs), daemon=True)
    process.start()
    theirs.close()
    return ours, _Running(number=number, core=core, process=process)


def _context() -> Any:
    """A fork server, which imports torch and Lightning once for all runs. Without one, each run imports them again."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fittingroom.training.fit"])
    return context


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
            'runs are made in processes that import your script again: put the call under `if __name__ == "__main__":`'
        )
    return f"its process ended with code {exit_code} (killed? out of memory?): run the command again to resume it"


def _work(plain: dict[str, Any], core: int | None, pipe: Connection) -> None:
    """Runs in the child process. If the parent dies, the pipe breaks and this process ends; the run can be resumed."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    work = Work(**plain)
    try:
        pipe.send(("finished", _do(work, pipe)))
    except FittingRoomError as error:
        pipe.send(("failed", str(error)))
    except (BrokenPipeError, KeyboardInterrupt):
        pass


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
        loggers=work.loggers, group=work.group,
    )  # fmt: skip
    config = run_config(work.config)
    return plan_and_time(config, options) if work.only_plan else to_dict(fit(config, options))
