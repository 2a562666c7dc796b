"""Trainings in processes of their own on this machine, several side by side."""

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
"""Seconds until a child whose parent was killed has noticed, so that the same command can be given again at once."""

NO_MAIN_GUARD = 78
"""Exit code of a child that found itself running the user's script again (`api.compare.check_main_guard`)."""


@dataclass(frozen=True, kw_only=True)
class Processes:
    """An `Executor`: `jobs` processes at a time; where there are several, a run with one thread gets a core of its own."""

    jobs: int

    def run(self, works: Sequence[Work]) -> Iterator[Event]:
        """As `Executor.run`. A process that is killed is a failed work."""
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
    """The cores that this process may use, by number; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def have_own_core(plans: Mapping[str, Mapping[str, Any]], jobs: int) -> bool:
    """Whether each of `jobs` runs with these plans, one per candidate, is alone on a core."""
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
    """A fork server imports torch and Lightning once for all runs; where there is none, each run starts from nothing."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fittingroom.training.fit"])
    return context


def _hear(connection: Connection, running: _Running) -> Event:
    try:
        kind, content = connection.recv()
    except (EOFError, OSError):  # at its end, or in the middle of a message
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
    """In the child. When the parent is gone the pipe breaks and this process ends; the run can be resumed."""
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
    )  # fmt: skip
    config = run_config(work.config)
    return plan_and_time(config, options) if work.only_plan else to_dict(fit(config, options))
