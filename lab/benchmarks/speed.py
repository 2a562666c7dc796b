"""Compare the speed of training and inference with other libraries: `make bench`. `--quick` is a smoke run.

Writes results/bench/speed.json, the source of the figure and tables in docs/lab/benchmarks.md.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_json
from fittingroom.data.images import fashion_mnist
from fittingroom.training.environment import processor
from lab.benchmarks import ceiling, race
from lab.benchmarks.contenders import EPOCH_IMAGES, LIBRARIES, SHAPE, Contender, ours, peers, renamed
from lab.benchmarks.race import Failed, SideBySide, Worker, compare, take_turns
from lab.benchmarks.speed_figure import draw
from lab.benchmarks.targets import best_peer, targets

RECORD = race.ROOT / "results" / "bench" / "speed.json"
QUICK_RECORD = race.ROOT / "runs" / "bench" / "speed.json"
OURS = "ours"
SAME_SIZE = 0.03  # largest relative difference of two networks' parameters that still counts as one shape
GROWTH: dict[str, list[dict[str, Any]]] = {
    "batch": [{"batch_size": size} for size in (32, 64, 128, 256, 512)],
    "depth": [{"shape": tuple({**SHAPE, "depth": depth}.items())} for depth in (2, 4, 6, 12)],
    "tokens": [{"shape": tuple({**SHAPE, "patch_size": patch}.items())} for patch in (14, 7, 4, 2)],
}


class Bench:
    """A run of the benchmark: its settings, its clock and the results so far."""

    def __init__(self, quick: bool, data_dir: Path) -> None:
        self.quick, self.data_dir = quick, data_dir
        self.rounds, self.times = (2, 1) if quick else (5, 2)
        self.began = time.perf_counter()
        self.plans: dict[str, dict[str, Any]] = {}

    def say(self, text: str) -> None:
        """Print a line of progress."""
        print(f"bench [{time.perf_counter() - self.began:4.0f} s] {text}", file=sys.stderr, flush=True)

    def plan_of(self, contender: Contender) -> dict[str, Any]:
        """The plan that `fit` chooses here, measured with an empty cache. A smoke run takes the first guess."""
        with tempfile.TemporaryDirectory() as cache, workers([contender], cache=Path(cache)) as (worker,):
            assert isinstance(worker, Worker)
            return worker.ask(do="plan", contender=contender.to_dict(), measured=not self.quick)

    def run(self, contenders: Sequence[Contender], whats: Sequence[str], **settings: Any) -> dict[str, Any]:
        """Run one race and return its rows. The first contender is the base. The row of a failed contender has its error."""
        self.say("; ".join(each.name for each in contenders))
        with workers(contenders, data_dir=self.data_dir) as runners:
            return {
                "base": contenders[0].name,
                "rows": self._rows(dict(zip(contenders, runners, strict=True)), whats, settings),
            }

    def _rows(
        self, runners: dict[Contender, "Worker | SideBySide"], whats: Sequence[str], settings: dict[str, Any]
    ) -> list[dict[str, Any]]:
        rows = {each.name: row_of(each) for each in runners}
        alive = {each.name: runner for each, runner in runners.items()}
        for name, runner in list(alive.items()):
            attempt(rows, alive, name, runner.build)
        base = next(iter(rows))
        for what in whats:
            turns = {"rounds": self.rounds, "times": self.times, **settings}
            seconds, errors = take_turns(alive, what, **turns)
            for name, error in errors.items():
                rows[name]["error"] = error
                del alive[name]
            if base not in alive:
                raise FittingRoomError(f"our own side of the race failed: {rows[base]['error']}")
            for name, found in compare(seconds, base).items():
                rows[name][what] = {"seconds": seconds[name], **found}
            if what == whats[0]:
                for name, runner in list(alive.items()):
                    attempt(rows, alive, name, lambda name=name, runner=runner: rows[name].update(runner.about()))
        for name, row in rows.items():
            if row["error"]:
                self.say(f"{name} failed: {row['error']}")
        check_sizes(list(rows.values()))
        return list(rows.values())


def attempt(rows: dict[str, dict[str, Any]], alive: dict[str, Any], name: str, work: Any) -> None:
    """Do `work`. If it fails, the contender leaves the race and the record has its error."""
    try:
        work()
    except Failed as error:
        rows[name]["error"] = str(error)
        del alive[name]


def row_of(contender: Contender) -> dict[str, Any]:
    """The row of a contender before it runs."""
    return {
        "name": contender.name,
        "library": contender.model if contender.kind == "peer" else contender.kind,
        "setting": contender.setting,
        "batch_size": contender.batch_size,
        "error": None,
    }


def check_sizes(rows: Sequence[dict[str, Any]]) -> None:
    """Check that all networks of a race have the same shape. Otherwise the row of the peer gets an error."""
    base = rows[0]["num_params"]
    for row in rows:
        if row["library"] in LIBRARIES and not row["error"] and abs(row["num_params"] / base - 1) > SAME_SIZE:
            row["error"] = f"it has {row['num_params']:,} parameters, ours {base:,}: not the same shape"


@contextmanager
def workers(
    contenders: Sequence[Contender], data_dir: Path | None = None, cache: Path | None = None
) -> Iterator[list[Worker | SideBySide]]:
    """One process per contender, ended afterwards. A contender named `... side by side` has one process per core."""
    runners: list[Worker | SideBySide] = []
    try:
        for each in contenders:
            if each.core is None:
                runners.append(Worker(each, data_dir, cache))
            else:
                runners.append(SideBySide([Worker(replace(each, core=core)) for core in cores()]))
        yield runners
    finally:
        for runner in runners:
            runner.end()


def cores() -> list[int]:
    """The first two cores that this process may use."""
    return sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_getaffinity") else []


def vit_races(bench: Bench, found: dict[str, Any]) -> None:
    """Race training and inference at batch 128 against each library, then training at batch 256."""
    plan = found["plans"]["vit"]["plan"]
    base = ours(OURS, plan)
    others = [
        ours("ours, Muon for AdamW", plan, optimizer="muon"),
        ours("ours, fp32", {**plan, "precision": "fp32", "compile": False}),
    ]
    if not bench.quick:  # compiling takes a minute
        others.append(ours("ours, the other of eager and compiled", {**plan, "compile": not plan["compile"]}))
    if len(cores()) == 2:
        others.append(ours("ours, two of one thread side by side", {**plan, "num_threads": 1}, core=0))
    found["races"] = {"ours": bench.run([base, *others], ["train"])}
    libraries = list(LIBRARIES)[:1] if bench.quick else list(LIBRARIES)
    for library in libraries:
        entered = [base, *peers(library, 128)]
        found["races"][library] = bench.run(entered, ["train", "predict"])
    bench.say("batch 256")
    found["races"]["batch 256"] = bench.run(larger_batches(base, found["races"], libraries), ["train"], times=1)


def larger_batches(base: Contender, races: dict[str, Any], libraries: Sequence[str]) -> list[Contender]:
    """Ours, the fastest eager setting of each library, and the fastest setting of all. Compiling each would take minutes."""
    found = best_peer({"races": races}, "train")
    best = found["name"] if found else None
    entered = [base]
    for library in libraries:
        settings = peers(library, 128)
        eager = {each.name for each in settings if not each.compile}
        quickest = fastest([row for row in races[library]["rows"] if row["name"] in eager], library, "train")
        entered += [each for each in settings if each.name in (quickest, best)]
    return [replace(each, batch_size=256) for each in entered]


def fastest(rows: Sequence[dict[str, Any]], library: str, what: str) -> str | None:
    """The name of the library's fastest setting; None if all failed."""
    there = [row for row in rows if row["library"] == library and not row["error"]]
    return min(there, key=lambda row: row[what]["ratio"])["name"] if there else None


def cnn_race(bench: Bench, found: dict[str, Any]) -> None:
    """Race our CNN as `fit` trains it against the same network with the textbook step."""
    plain = Contender(name="plain torch, fp32, NCHW", kind="plain", model="cnn", shape=())
    tuned = renamed(replace(plain, precision="bf16"), "plain torch, bf16, NCHW")
    base = ours(OURS, found["plans"]["cnn"]["plan"], model="cnn", shape=())
    found["races"]["cnn"] = bench.run([base, plain, tuned], ["train", "predict"])


def epoch_race(bench: Bench, found: dict[str, Any]) -> None:
    """Race an epoch of `fit` against the usual script on equally many images. Process start and imports do not count."""
    images = 256 if bench.quick else EPOCH_IMAGES
    plan = tuple({**found["plans"]["vit"]["plan"], "compile": False}.items())
    sides = [
        Contender(name=OURS, kind="fit", plan=plan, images=images, optimizer="muon"),
        Contender(name="usual script", kind="usual script", images=images),
    ]
    found["races"]["epoch"] = {**bench.run(sides, ["train"], times=1, warm=1), "images": images}


def growth(bench: Bench, found: dict[str, Any]) -> None:
    """Measure seconds and memory of our eager step as batch, depth and tokens grow."""
    plan = {**found["plans"]["vit"]["plan"], "compile": False}
    found["growth"] = {}
    for what, settings in GROWTH.items():
        entered = [ours("", plan, **each) for each in (settings[:2] if bench.quick else settings)]
        entered = [renamed(each, f"{what} {size_of(what, each)}") for each in entered]
        rows = bench.run(entered, ["train"], times=1)["rows"]
        found["growth"][what] = [{**row, "size": size_of(what, each)} for row, each in zip(rows, entered, strict=True)]


def size_of(what: str, contender: Contender) -> int:
    """The quantity that grows."""
    shape = dict(contender.shape)
    return {"batch": contender.batch_size, "depth": shape["depth"], "tokens": (28 // shape["patch_size"]) ** 2}[what]


def profiles(bench: Bench, found: dict[str, Any]) -> None:
    """Profile our eager step. A compiled step shows the profiler too few names."""
    bench.say("profile")
    found["profile"] = {}
    for model, shape, what in (("vit", SHAPE, "train"), ("cnn", {}, "train"), ("vit", SHAPE, "predict")):
        plan = {**found["plans"][model]["plan"], "compile": False}
        contender = ours(OURS, plan, model=model, shape=tuple(shape.items()))
        with workers([contender]) as (worker,):
            assert isinstance(worker, Worker)
            worker.build()
            measured = {**worker.about(), **worker.ask(do="profile", what=what)}
        found["profile"][model if what == "train" else f"{model}, inference"] = measured


def machine() -> dict[str, Any]:
    """The machine and the versions, on which the numbers depend."""
    return {
        "processor": processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "load_before": round(os.getloadavg()[0], 2),
    }


def measure(quick: bool) -> dict[str, Any]:
    """Run everything. It takes at least a quarter of an hour on two cores."""
    bench = Bench(quick, fashion_mnist.find())
    race.python_for(Contender(name="", kind="peer"))  # report missing peers now, not after five minutes
    found: dict[str, Any] = {
        "quick": quick,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "shape": SHAPE,
    }
    bench.say("ceiling")
    found["ceiling"] = ceiling.measure()
    bench.say("the plans that fit chooses")
    works = {"vit": ours(OURS, {}), "cnn": ours(OURS, {}, model="cnn", shape=())}
    found["plans"] = {model: bench.plan_of(work) for model, work in works.items()}
    vit_races(bench, found)
    for part in (cnn_race, epoch_race, growth, profiles):
        part(bench, found)
    found["targets"] = targets(found)
    found["seconds"] = round(time.perf_counter() - bench.began)
    return found


def main(words: Sequence[str]) -> int:
    """Run the benchmark. Errors that the user can fix give one line and exit code 2."""
    if set(words) - {"--quick"}:
        print("usage: python -m lab.benchmarks.speed [--quick]", file=sys.stderr)
        return 2
    quick = "--quick" in words
    record = QUICK_RECORD if quick else RECORD
    try:
        # A separate cache: each run compiles again, and a worker that is stopped while compiling leaves no damaged files.
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as cache,
            mock.patch.dict(os.environ, TORCHINDUCTOR_CACHE_DIR=cache),
        ):
            found = measure(quick)
        write_json(record, found)
        draw(found, record.with_suffix(".png"))
    except FittingRoomError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"bench: wrote {record.relative_to(race.ROOT)} and the figure next to it; make tables updates docs/ from it")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
