"""Choose the speed plan of a run by measuring on this machine, keep the result in a cache, and set up the process."""

import ctypes
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from fittingroom import __version__
from fittingroom.core.cache import cache_folder
from fittingroom.core.config import from_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json, write_json
from fittingroom.tasks.base import Task
from fittingroom.training.environment import processor
from fittingroom.training.speed.budget import total_steps_for
from fittingroom.training.speed.plan import Plan, first_guess, with_fixed
from fittingroom.training.speed.probe import STEADY, Timing, probe, probe_compile

PROBE_FROM_SECONDS = 45.0  # the shortest time budget for which plans are measured
PROBE_FROM_FLOPS = 5e12  # the same for a run given in epochs: half a minute at 150 Gflop/s
COMPILE_FROM_SECONDS = 600.0  # compiling costs half a minute: a shorter run could not save that much

Fixed = Mapping[str, str]
"""Parts of a plan that the user chose: field of Plan -> its value as text."""


def choose_plan(
    task: Task, fixed: Fixed, on_probe: Callable[[], None] = lambda: None, *, concurrency: int = 1
) -> tuple[Plan, list[dict[str, Any]]]:
    """The plan of a run and the table of timings behind it, measured now or taken from this machine's cache.

    Runs of less than about half a minute use the first guess without measuring, because measuring would cost more than it
    saves. `on_probe` is called once, before the first measurement. A result that was measured while the machine stalled is
    not cached, so the next run measures again. `concurrency` is the number of processes that measure at the same time;
    each number has its own cache entries. Raises FittingRoomError for an unknown part of a plan and for one that this machine
    cannot run.
    """
    guess = with_fixed(first_guess(task.config), fixed)
    if guess.compile:
        check_compiler()
    if len(fixed) == len(asdict(guess)) or not is_long(task):
        return guess, []
    place = cache_folder("plans") / f"{_key(task, guess, fixed, concurrency)}.json"
    found = _cached(place)
    if found is None:
        on_probe()
        on_probe = _said_already
        _keep_freed_memory()  # the run will do the same
        plan, table = probe(task, guess, frozenset(fixed))
        found = {"plan": asdict(plan), "table": [timing.to_dict() for timing in table], "compile": None}
        _keep(place, found)
    plan = from_dict(Plan, found["plan"], "plan")
    if "compile" in fixed or plan.device == "mps" or not task.one_shape:
        return plan, found["table"]
    return _with_compile(task, plan, found, place, on_probe)


def _said_already() -> None:
    pass


def step_seconds(plan: Plan, table: list[dict[str, Any]]) -> float | None:
    """Seconds of a training step under `plan`, from the table; None if nothing was timed."""
    rows = [row["step_seconds"] for row in table if row["plan"] == asdict(plan)]
    # A first plan that no candidate beat has no row of its own, but the first row was measured against it.
    return min(rows) if rows else (table[0]["step_seconds"] * table[0]["speedup"] if table else None)


def _with_compile(
    task: Task, plan: Plan, found: dict[str, Any], place: Path, on_probe: Callable[[], None]
) -> tuple[Plan, list[dict[str, Any]]]:
    """The plan with `compile` set if compiling saves more time than it costs, and the table with that measurement."""
    eager_seconds = step_seconds(plan, found["table"])
    if eager_seconds is None or _seconds_of_training(task, eager_seconds) < COMPILE_FROM_SECONDS:
        return plan, found["table"]
    row = found["compile"]
    if row is None or ("error" in row and _compiler()):  # it failed before, and there is a compiler now
        on_probe()
        row = _try_compile(task, plan)
        if "error" not in row or not _compiler():
            _keep(place, {**found, "compile": row})
    saved = _num_steps(task, eager_seconds) * row["step_seconds"] * (row["speedup"] - 1)
    pays = row["agrees"] and saved > row["first_step_seconds"]
    if pays and not _compiler():  # a compiler was there when this was measured
        _say_eager("no C++ compiler found")
        pays = False
    return (replace(plan, compile=True) if pays else plan), [*found["table"], row]


def _compiler() -> str | None:
    """The C++ compiler that torch would use: $CXX, or the usual one of Linux, macOS or Windows; None if there is none."""
    return os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++") or shutil.which("cl")


def _say_eager(error: str) -> None:
    print(f"notice: torch.compile does not work here ({error}): training continues without it", file=sys.stderr)


def _try_compile(task: Task, plan: Plan) -> dict[str, Any]:
    try:
        return probe_compile(task, plan).to_dict()
    except Exception as error:  # torch.compile passes on any error of the compilers: each means it does not work here
        first = _first_line(error)
        _say_eager(first)
        compiled = replace(plan, compile=True)
        none = Timing(
            part="compile",
            plan=compiled,
            step_seconds=0.0,
            speedup=0.0,
            spread=1.0,
            agrees=False,
            first_step_seconds=0.0,
        )
        return {**none.to_dict(), "error": first}


def check_compiler() -> None:
    """Raise FittingRoomError unless torch.compile works on this machine."""
    try:
        torch.compile(lambda x: x + 1)(torch.zeros(2))
    except Exception as error:  # as in _try_compile
        raise FittingRoomError(
            f"torch.compile does not work here ({_first_line(error)}): install a C++ compiler, or omit compile=true"
        ) from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:120]


def _seconds_of_training(task: Task, step_seconds: float) -> float:
    """Training time of the run: its time budget, or its steps times `step_seconds`."""
    return task.config.budget_seconds or _num_steps(task, step_seconds) * step_seconds


def _num_steps(task: Task, seconds: float) -> int:
    config = task.config
    if config.epochs is not None:
        return total_steps_for(config.epochs, task.batches.steps_per_epoch)
    assert config.budget_seconds is not None
    return int(config.budget_seconds / seconds)


def is_long(task: Task) -> bool:
    """Whether the run is long enough to measure plans for it: about half a minute or more."""
    config = task.config
    if config.epochs is None:
        assert config.budget_seconds is not None
        return config.budget_seconds >= PROBE_FROM_SECONDS
    steps = total_steps_for(config.epochs, task.batches.steps_per_epoch)
    # 2 flops per multiply-add, times 3: the backward pass costs twice the forward pass.
    return 6 * task.train_macs() * steps * config.batch_size >= PROBE_FROM_FLOPS


def _key(task: Task, guess: Plan, fixed: Fixed, concurrency: int) -> str:
    """The cache key: a hash of the machine, the versions, and the settings that change the time of a step."""
    config = task.config
    parts = {
        "machine": [
            processor(),
            __version__,
            torch.__version__,
            torch.backends.cpu.get_cpu_capability(),
            _bf16_instructions(),
        ],
        "card": torch.cuda.get_device_name() if guess.device == "cuda" else None,
        "guess": asdict(guess),
        "fixed": sorted(fixed),
        "concurrency": concurrency,
        "model": [config.model, config.model_config],
        "step": [config.batch_size, config.optim.name, config.ema_decay > 0, task.step_shape],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _bf16_instructions() -> list[str]:
    """The bf16 instruction sets of this processor. Cloud providers use one name for processors with and without them."""
    return sorted(name for name, has in torch.cpu.get_capabilities().items() if "bf16" in name and has)


def _cached(place: Path) -> dict[str, Any] | None:
    """The cached measurement; None if there is none or it cannot be read."""
    try:
        found = read_json(place)
        from_dict(Plan, found["plan"])
        return {key: found[key] for key in ("plan", "table", "compile")}
    except (FittingRoomError, KeyError, TypeError):
        return None


def _keep(place: Path, found: dict[str, Any]) -> None:
    """Write the cache. If the disk is full or read-only, print a notice: the next run measures again.

    Timings from a machine that stalled are not written, because the noise would stay in the cache.
    """
    rows = [*found["table"], *([found["compile"]] if found["compile"] else [])]
    if any(row["spread"] > STEADY for row in rows):
        return
    try:
        write_json(place, found)
    except FittingRoomError:
        print(f"notice: cannot write {place}: the speed plan will be measured again next time", file=sys.stderr)


def set_up_process(plan: Plan) -> None:
    """Set the number of threads and tune memory allocation. Call it before training."""
    torch.set_num_threads(plan.num_threads)
    # Deterministic mode fills new tensors with NaN to catch reads of uninitialised memory. That pass costs time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    _keep_freed_memory()


def _keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks. Otherwise each step requests them again and pays for new page faults."""
    trim_threshold, top_pad, mmap_max = -1, -2, -4  # malloc.h
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(top_pad, 64 << 20)
