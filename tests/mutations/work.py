"""Damage files again and again and read them: `python -m tests.mutations.work --record results/faults/mutations.json`.

Each group of files is read by a process of its own, which is told a range of numbers. A number, the seed and the group decide
which file is damaged and how. Every call must end with an answer or with one FittingRoomError.
"""

import argparse
import contextlib
import faulthandler
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.mutations.guard import MOST_BYTES, MOST_SECONDS, Writes, fault_of, peak_bytes
from tests.mutations.operators import Operator, damage_bytes, damage_json, damage_lines, damage_picture

SEED = 20
COUNTS = {"pictures": 4000, "pairs": 1500, "tables": 1000, "runs": 2000, "comparisons": 1500}
"""10,000 in all."""
ROOT = Path(__file__).parents[2]
MOST_ADDRESSES = 16 * 2**30
"""So that a mistake cannot take the machine with it. Libraries reserve much more than they use."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Files of one kind: how to make good ones, and what reads them."""

    build: Callable[[Path], list[str]]
    """Write good files; return the names of those to damage."""
    prepare: Callable[[Path], Callable[[str, random.Random], None]]
    """From the folder to the function that reads a file in it, with draws for the choice of readers."""


def _pictures(root: Path) -> Callable[[str, random.Random], None]:
    from tests.mutations import pictures

    run = pictures.run_of(root)
    return lambda name, draw: pictures.read(root, name, run)


def _folders(reader: str, root: Path) -> Callable[[str, random.Random], None]:
    from tests.mutations import folders

    folders.stop_before_training()
    return partial(getattr(folders, reader), root)


def group_of(name: str) -> Group:
    """The group; imports are heavy, so only its own are made."""
    if name == "pictures":
        from tests.mutations import pictures

        return Group(build=pictures.build, prepare=_pictures)
    if name in ("pairs", "tables"):
        from tests.mutations import tables

        build, read = {
            "pairs": (tables.build_pairs, tables.read_pairs), "tables": (tables.build_tables, tables.read_table)
        }[name]  # fmt: skip
        return Group(build=build, prepare=lambda root: partial(read, root))
    from tests.mutations import folders

    make, reader = {
        "runs": (folders.build_runs, "read_run"), "comparisons": (folders.build_comparisons, "read_comparison_folder")
    }[name]  # fmt: skip
    return Group(build=make, prepare=partial(_folders, reader))


def operator_of(group: str, name: str) -> Operator:
    """How a file of this name is damaged."""
    if group == "pictures":
        return damage_picture
    if name.endswith(".json"):
        return damage_json
    return damage_lines if name.endswith((".csv", ".tsv", ".jsonl")) else damage_bytes


class Folder:
    """The good files, and the folder in which they are damaged and read."""

    def __init__(self, good: Path, root: Path) -> None:
        self.good, self.root = good, root
        shutil.copytree(good, root)
        self.seen = self._state()

    def _state(self) -> dict[str, tuple[int, int, int]]:
        found = {}
        for place, _, names in os.walk(self.root):
            for name in names:
                stat = os.lstat(path := os.path.join(place, name))
                found[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        return found

    def restore(self) -> list[str]:
        """Put everything back as it was; return what had changed."""
        now = self._state()
        changed = [path for path in {*now, *self.seen} if now.get(path) != self.seen.get(path)]
        for path in changed:
            if path in self.seen:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                shutil.copy2(self.good / os.path.relpath(path, self.root), path)
                stat = os.lstat(path)
                self.seen[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
            else:
                os.unlink(path)
        return [os.path.relpath(path, self.root) for path in changed]


class Trial:
    """Good files of a group, damaged one at a time and read."""

    def __init__(self, name: str, good: Path, root: Path, seed: int) -> None:
        self.name, self.seed, self.folder = name, seed, Folder(good, root)
        self.files = json.loads((good.parent / f"{name}.json").read_text())
        self.contents = {each: (good / each).read_bytes() for each in self.files}
        self.read = group_of(name).prepare(root)
        self.answers = 0
        """Calls that ended with an answer. The others ended with an error."""

    def _others(self, file: str) -> list[bytes]:
        """Contents to splice with: of files of the same name, otherwise of the same form."""
        alike = [self.contents[each] for each in self.files if Path(each).name == Path(file).name]
        if len(alike) > 1:
            return alike
        return [self.contents[each] for each in self.files if each.endswith(".json") == file.endswith(".json")]

    def fault(self, number: int) -> dict[str, Any]:
        """What goes wrong with this number; 'fault' is empty if nothing does."""
        draw = random.Random(f"{self.seed}/{self.name}/{number}")
        file = draw.choice(self.files)
        damaged = operator_of(self.name, file)(draw, self.contents[file], self._others(file))
        (self.folder.root / file).write_bytes(damaged)
        silent = io.StringIO()
        with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
            fault, details = fault_of(lambda: self.read(file, draw), _names(file))
        self.folder.restore()
        self.answers += details == "read" and not fault
        return {"number": number, "file": file, "fault": fault, "details": details}


def work(name: str, good: Path, numbers: range, seed: int) -> None:
    """Damage and read; print one line of JSON for each number that goes wrong, and one at the end."""
    out, cache = os.fdopen(os.dup(1), "w", buffering=1), Path(os.environ["XDG_CACHE_HOME"])
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    warnings.simplefilter("ignore")
    faulthandler.enable()
    trial = Trial(name, good, cache.parent / f"{name}-{os.getpid()}", seed)
    writes = Writes([trial.folder.root, cache])
    for number in numbers:
        print(json.dumps({"begins": number}), file=out)
        faulthandler.dump_traceback_later(2 * MOST_SECONDS, exit=True)
        before = len(writes.outside)
        found = trial.fault(number)
        faulthandler.cancel_dump_traceback_later()
        if len(writes.outside) > before:
            found |= {"fault": "writes outside its folders", "details": " ".join(writes.outside[before:])}
        if peak_bytes() > MOST_BYTES:
            found |= {"fault": "more than 2 GB of memory", "details": f"{peak_bytes():,}"}
        if found["fault"]:
            print(json.dumps(found), file=out)
        if number % 200 == 199:
            shutil.rmtree(cache, ignore_errors=True)
            _close_figures()
        if peak_bytes() > MOST_BYTES:
            numbers = range(number, number + 1)
            break
    shutil.rmtree(trial.folder.root)
    print(json.dumps({"peak": peak_bytes(), "last": numbers[-1], "answers": trial.answers}), file=out)


def _names(file: str) -> tuple[str, ...]:
    """What a message may name: the file, or a folder that holds it."""
    *folders, name = Path(file).parts
    return name, *(f"{os.sep}{each}" for each in folders if each not in ("runs", "old"))


def _close_figures() -> None:
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def run_group(name: str, count: int, place: Path, seed: int = SEED) -> dict[str, Any]:
    """Do this number of mutations in processes of their own; return counts, faults, seconds and the most memory."""
    began, faults, peak, answers, first = time.monotonic(), [], 0, 0, 0
    good = place / "good" / name
    environment = {**os.environ, "XDG_CACHE_HOME": str(place / "cache"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}
    call = [sys.executable, "-W", "ignore", "-m", "tests.mutations.work", "--in", str(good), "--seed", str(seed)]
    subprocess.run([*call, "--build", name], check=True, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    while first < count:
        words = [*call, "--work", name, "--first", str(first), "--count", str(count)]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=ROOT)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        faults += [line for line in lines if "fault" in line]
        begun = [line["begins"] for line in lines if "begins" in line]
        end = next((line for line in lines if "peak" in line), None)
        if end is None:
            if not begun:
                raise RuntimeError(done.stderr)
            kind = "hangs" if "Timeout" in done.stderr else f"crashes ({done.returncode})"
            faults.append({"number": begun[-1], "file": "", "fault": kind, "details": done.stderr[-3000:]})
        peak, answers = max(peak, end["peak"] if end else 0), answers + (end["answers"] if end else 0)
        first = (end["last"] if end else begun[-1]) + 1
    seconds = round(time.monotonic() - began, 1)
    return {"mutations": count, "answers": answers, "faults": faults, "seconds": seconds, "peak_bytes": peak}


def build(name: str, good: Path) -> None:
    """Write the good files of a group, and their names next to them."""
    good.mkdir(parents=True)
    files = group_of(name).build(good)
    (good.parent / f"{name}.json").write_text(json.dumps(files))


def record(counts: dict[str, int], path: Path, seed: int) -> int:
    """Run all groups and write what came of it; return the number of faults."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    with tempfile.TemporaryDirectory() as place:
        found = {name: run_group(name, count, Path(place), seed) for name, count in counts.items()}
    for name, each in found.items():
        for fault in each["faults"]:
            print(f"{name} {fault['number']} {fault['file']}: {fault['fault']}\n{fault['details']}\n")
        print(name, each["mutations"], len(each["faults"]), each["seconds"], f"{each['peak_bytes'] / 2**20:.0f} MiB")
    num_faults = sum(len(each["faults"]) for each in found.values())
    values = {
        "command": f"python -m tests.mutations.work --seed {seed} --record results/faults/mutations.json",
        "seed": seed,
        "commit": commit,
        "mutations": sum(each["mutations"] for each in found.values()),
        "faults": num_faults,
        "seconds": round(sum(each["seconds"] for each in found.values()), 1),
        "peak_bytes": max(each["peak_bytes"] for each in found.values()),
        "limits": {"seconds_each": MOST_SECONDS, "bytes": MOST_BYTES},
        "groups": {name: {**each, "faults": len(each["faults"]), "commit": commit} for name, each in found.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=2) + "\n")
    return num_faults


def main(words: Sequence[str] | None = None) -> int:
    """The parent's command (`--record`), and those of the processes that it starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, help="run all groups and write this file")
    parser.add_argument("--groups", default=",".join(COUNTS), help="only these groups")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=0, help="of each group; 0: as many as in the record")
    parser.add_argument("--in", dest="good", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--build", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.build:
        build(args.build, args.good)
    elif args.work:
        work(args.work, args.good, range(args.first, args.count), args.seed)
    elif args.record:
        counts = {name: args.count or COUNTS[name] for name in args.groups.split(",")}
        return min(record(counts, args.record, args.seed), 1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
