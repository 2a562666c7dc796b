"""Trainings in processes of their own, several side by side: their memory is their own, and their end is not ours."""

import multiprocessing
import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Literal

from fittingroom.core.config import to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.training.config import RunConfig, run_config

PATIENCE = 60.0
"""Seconds until a child whose parent was killed has noticed, so that the same command can be given at once."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One training, or with `only_plan` the choice of its speed plan and the time of a step under it."""

    config: RunConfig
    folder: Path
    data_dir: Path | None = None
    checkpoint_seconds: float = 30.0
    plan: Mapping[str, str] = field(default_factory=dict)
    open_test: bool = True
    only_plan: bool = False
    probe: Sequence[dict[str, Any]] = ()
    """The timings behind `plan`, where it was measured before."""
    concurrency: int = 1
    """How many plans are measured at the same time."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened to work `number`: `content` is (step, total, accuracy), the result, or why it failed."""

    kind: Literal["starts", "progress", "finished", "failed"]
    number: int
    content: Any = None


@dataclass(frozen=True, kw_only=True)
class _Running:
    number: int
    core: int | None
    process: Any


def usable_cores() -> list[int]:
    """The cores that this process may use, by number; empty where the system does not tell."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def have_own_core(plans: Mapping[str, Mapping[str, Any]], jobs: int) -> bool:
    """Whether each of `jobs` runs with these plans, one a model, is alone on a core."""
    return 1 < jobs <= len(usable_cores()) and all(plan["num_threads"] == 1 for plan in plans.values())


def side_by_side(works: Sequence[Work], jobs: int) -> Iterator[Event]:
    """Do all works in order, `jobs` at a time; where there are several, one whose plan has one thread gets a core of its own.

    A work that fails, or is killed, is an event; the others go on. When the caller stops listening, all end: what they did
    can be resumed.
    """
    cores: list[int | None] = [None] if jobs == 1 else [*usable_cores()[:jobs]]
    free = cores + [None] * (jobs - len(cores))
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


def _start(number: int, work: Work, core: int | None) -> tuple[Connection, _Running]:
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    pinned = core if work.plan.get("num_threads") == "1" else None
    process = context.Process(target=_work, args=(_plain(work), pinned, theirs), daemon=True)
    process.start()
    theirs.close()
    return ours, _Running(number=number, core=core, process=process)


def _plain(work: Work) -> dict[str, Any]:
    return {**vars(work), "config": to_dict(work.config), "plan": dict(work.plan)}


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
    except (EOFError, OSError):  # at its end, or in the middle of a word
        running.process.join()
        kind, content = (
            "failed",
            (
                f"its process ended with code {running.process.exitcode} (killed? out of memory?): "
                "run the command again to resume it"
            ),
        )
    return Event(kind=kind, number=running.number, content=content)


def _work(plain: dict[str, Any], core: int | None, pipe: Connection) -> None:
    """In the child. When the parent is gone the pipe breaks and this process ends; what it did can be resumed."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    from fittingroom.training.fit import FitOptions, fit, plan_and_time

    def tell(step: int, total: int, accuracy: float | None) -> None:
        pipe.send(("progress", (step, total, accuracy)))

    config = run_config(plain["config"])
    options = FitOptions(
        folder=plain["folder"], data_dir=plain["data_dir"], resume=True, progress=tell,
        checkpoint_seconds=plain["checkpoint_seconds"], plan=plain["plan"], open_test=plain["open_test"], patience=PATIENCE,
        probe=plain["probe"], concurrency=plain["concurrency"],
    )  # fmt: skip
    try:
        pipe.send(("finished", plan_and_time(config, options) if plain["only_plan"] else fit(config, options)))
    except FittingRoomError as error:
        pipe.send(("failed", str(error)))
    except (BrokenPipeError, KeyboardInterrupt):
        pass
