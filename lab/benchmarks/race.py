"""Race contenders against each other. Each has its own process; in each round all work once, one at a time.

If the machine slows down for a while, it slows down for all, so ratios within a round stay the same.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from fittingroom.core.errors import FittingRoomError
from lab.benchmarks.contenders import Contender

ROOT = Path(__file__).parents[2]
PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
KEEP_FREED_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""The glibc settings of `training/speed/engine.py` as environment variables, for tuned contenders."""
PATIENCE_SECONDS = 600.0
"""A worker that does not answer within this time has failed."""


class Failed(Exception):
    """A contender cannot continue; the message says why. The others continue."""


class Runner(Protocol):
    """The interface of a contender in a race. Raises Failed."""

    def turn(self, what: str, times: int) -> float:
        """Seconds of one step (`train`) or one batch (`predict`), the mean of `times` in a row."""
        ...


class Worker:
    """A process with one contender. All methods raise Failed if it cannot continue."""

    def __init__(self, contender: Contender, data_dir: Path | None = None, cache: Path | None = None) -> None:
        self.contender, self.data_dir = contender, data_dir
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - stays open as long as the process; `end` closes it
        self.process = subprocess.Popen(
            [python_for(contender), "-m", "lab.benchmarks.measure"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            cwd=ROOT,
            env=environment(contender, cache),
        )

    def send(self, **request: Any) -> None:
        """Send a request without waiting for the answer."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # `hear` says that it is gone, and why
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for the answer to the last request."""
        assert self.process.stdout is not None
        timer = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        if not line:
            code = self.process.wait()
            raise Failed(f"its process ended with code {code}: {self._last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise Failed(reply["error"])
        return reply

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the answer."""
        self.send(**request)
        return self.hear()

    def build(self) -> None:
        """Build the contender."""
        where = str(self.data_dir) if self.data_dir else None
        self.ask(do="build", contender=self.contender.to_dict(), data_dir=where)

    def turn(self, what: str, times: int) -> float:
        """Seconds of one step, the mean of `times`."""
        return self.ask(do=what, times=times)["seconds"]

    def about(self) -> dict[str, Any]:
        """Parameters, memory, version."""
        return self.ask(do="about")

    def end(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):  # the process ended before it had read everything
                stream.close()

    def _last_words(self) -> str:
        self.errors.seek(0)
        return (self.errors.read().strip().splitlines() or ["without a word"])[-1][:200]


class SideBySide:
    """A contender of several workers that run at the same time, each on its own core."""

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.workers = workers

    def build(self) -> None:
        """Build the workers, one after another."""
        for worker in self.workers:
            worker.build()

    def turn(self, what: str, times: int) -> float:
        """Seconds per step: the time of the slowest worker, divided by the number of workers."""
        for worker in self.workers:
            worker.send(do=what, times=times)
        return max([worker.hear()["seconds"] for worker in self.workers]) / len(self.workers)

    def about(self) -> dict[str, Any]:
        """The data of one worker, with the memory of all."""
        found = [worker.about() for worker in self.workers]
        return {**found[0], "peak_memory_bytes": sum(each["peak_memory_bytes"] for each in found)}

    def end(self) -> None:
        """End all processes."""
        for worker in self.workers:
            worker.end()


def environment(contender: Contender, cache: Path | None) -> dict[str, str]:
    """The environment variables of the contender's process."""
    added = KEEP_FREED_MEMORY if contender.tuned else {}
    return {**os.environ, **added, **({"XDG_CACHE_HOME": str(cache)} if cache else {})}


def python_for(contender: Contender) -> str:
    """The Python interpreter for the contender. Raises FittingRoomError if the environment of the peers is missing."""
    if not contender.in_peers_environment:
        return sys.executable
    if not PEERS_PYTHON.exists():
        raise FittingRoomError(f"{PEERS_PYTHON} is missing: run make bench, or scripts/peers.sh alone, to make it")
    return str(PEERS_PYTHON)


def take_turns(
    runners: Mapping[str, Runner], what: str, rounds: int, times: int = 1, warm: int = 2
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Seconds of each contender in each round, and the errors of contenders that failed. The others continue.

    Each contender first does `warm` steps that do not count: they allocate memory, select kernels and compile. Every second round
    has the reverse order, so that no contender always follows the same one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    errors: dict[str, str] = {}

    def attempt(name: str, turn: Callable[[], float]) -> None:
        if name not in errors:
            try:
                seconds[name].append(turn())
            except Failed as error:
                errors[name] = str(error)

    for name, runner in runners.items():
        attempt(name, lambda runner=runner: runner.turn(what, warm))
    for number in range(rounds):
        for name in list(runners)[:: -1 if number % 2 else 1]:
            attempt(name, lambda name=name: runners[name].turn(what, times))
    return {name: found[1:] for name, found in seconds.items() if name not in errors}, errors


def compare(seconds: Mapping[str, Sequence[float]], base: str) -> dict[str, dict[str, float]]:
    """The median seconds of each contender, and the ratio of its time to that of `base`, taken within rounds."""
    rows = {}
    for name, found in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(found, seconds[base], strict=True)]
        rows[name] = {
            "median_seconds": statistics.median(found),
            "ratio": statistics.median(ratios),
            "ratio_low": min(ratios),
            "ratio_high": max(ratios),
        }
    return rows
