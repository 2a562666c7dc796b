"""Kill trainings and comparisons at random moments and compare what they end with: `python lab/kill_campaign.py --kills 200`.

A trial starts a command, kills it with SIGKILL, starts it again, and so on until it ends by itself. Then weights, predictions
and learning curves must equal those of an undisturbed run bit for bit, finished runs must be as they were, and no process or
file may be left behind. Half of the moments are uniform over the whole life of the process, start-up and last write included.
The other half are uniform over the time after the first write. In a comparison a kill hits the command or one of its children.
Nine of ten starts fork from a process that has imported torch, so that kills hit the work and not the imports.

Each trial appends its kills to results/faults/kills.json. The same command continues until there are enough kills.
"""

import argparse
import csv
import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fittingroom.core.records import read_state
from fittingroom.core.rundir import read_json, write_text

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "results" / "faults" / "kills.json"
MARK = "KILL_CAMPAIGN_TRIAL"
"""An environment variable. All processes of a trial inherit it, so they can be found even if their parent is dead."""
MOST_LIVES = 12
"""After so many starts of one trial the command is left alone."""
MOST_SECONDS = 300.0
"""A command that takes longer hangs."""
PATIENCE = 30.0
"""Seconds in which the children of a killed comparison must end."""
TRAINED = ("config.json", "environment.json", "metrics.csv", "model.safetensors", "predictions.npz")
"""The files of a finished run that nothing may write again."""
NUM_PICTURES, NUM_PAIRS = 90, {"train": 200, "dev": 40, "test": 40}

SERVER = """
import atexit, gc, json, os, sys
import PIL.Image, torch.profiler
import fittingroom.api.compare, fittingroom.api.runs, fittingroom.cli.run, fittingroom.training.fit
from fittingroom.__main__ import run

PIL.Image.init()
gc.freeze()
print(0, flush=True)
while line := sys.stdin.buffer.raw.readline():
    order = json.loads(line)
    child = os.fork()
    if child == 0:
        os.environ.update(order["set"])
        os.chdir(order["place"])
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["fittingroom", *order["words"]]
        code = run()
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
        os._exit(code)  # to free each object would copy all memory of the server
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
FRESH_SHARE = 0.1
"""Of the starts in a process of its own. The imports of torch are most of its life, and nothing happens in them."""

Stamp = tuple[int, str]
"""When a file was written, and its SHA-256."""


@dataclass(frozen=True)
class Reference:
    """The undisturbed run, or comparison, of a kind."""

    folder: Path
    seconds: float
    """From the start of the process to its end."""
    start_up: float
    """From the start of the process to its first write."""
    runs: Mapping[str, Any]
    files: frozenset[str]
    commit: str


@dataclass(frozen=True)
class Kill:
    """One SIGKILL. The status is the status of the run; of a comparison, how many runs were finished."""

    victim: str
    moment: float
    step: int
    status: str


def write_data(folder: Path) -> Path:
    """Made-up pictures in three classes, and words to be read backwards."""
    numbers, letters = np.random.default_rng(0), random.Random(0)
    for label in range(3):
        place = folder / "pictures" / f"class{label}"
        place.mkdir(parents=True)
        for number in range(NUM_PICTURES):
            pixels = numbers.integers(0, 120, (16, 16))
            pixels[5 * label : 5 * label + 5] += 100
            Image.fromarray(pixels.astype("uint8")).save(place / f"{number}.png")
    for part, num in NUM_PAIRS.items():
        words: dict[str, str] = {}
        while len(words) < num:
            word = "".join(letters.choices("abcdefghij", k=letters.randint(2, 6)))
            words[word] = " ".join(word[::-1].upper())
        text = "".join(f"{source}\t{target}\n" for source, target in words.items())
        (folder / f"{part}.tsv").write_text(text, encoding="utf-8")
    return folder


def commands(data: Path) -> dict[str, list[str]]:
    """The command of each kind. A run takes about as long as the start of Python and torch."""
    random_parts = ["augment.mixup_alpha=0.2", "augment.erase_rate=0.3", "ema_decay=0.9", "drop_rate=0.1"]
    vit = ["embed_dim=16", "depth=1", "num_heads=2", "patch_size=4"]
    cnn = ["widths=[8,16,16]"]
    hybrid = ["stem_widths=[8,8,16,16]", "stem_strides=[1,2,1,2]", "embed_dim=16", "depth=1", "num_heads=2"]
    transformer = ["embed_dim=16", "depth_encoder=1", "depth_decoder=1", "num_heads=2", "batch_size=16"]
    pictures = ["--data", str(data / "pictures"), *_set("batch_size=16", *random_parts)]
    pairs = [word for part in NUM_PAIRS for word in (f"--{part}", str(data / f"{part}.tsv"))]
    train = ["--epochs", "4", "--checkpoint-seconds"]
    models = ",".join("@".join(each) for each in (["vit", *vit], ["vit", *vit[:1], "depth=2", *vit[2:]]))
    return {
        "vit": ["train", "vit", *pictures, *train, "0", *_set(*vit)],
        "cnn": ["train", "cnn", *pictures, *train, "0.2", *_set(*cnn)],
        "hybrid": ["train", "hybrid", *pictures, *train, "0.1", *_set(*hybrid)],
        "transformer": ["train", "transformer", *pairs, *train, "0", *_set(*transformer)],
        "compare": ["compare", "--models", models, "--seeds", "2", "--jobs", "2", *pictures, *train, "0.1"],
    }


def _set(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


class Fresh:
    """A command in a process of its own, from the start of Python on."""

    def __init__(self, words: Sequence[str], place: Path) -> None:
        with _log(place).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "fittingroom", *_call(words)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=_prepare(place), env=os.environ | _variables(place),
            )  # fmt: skip
        self.pid = self.process.pid

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None if the command still runs after so many seconds."""
        try:
            return self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return None


class Nursery:
    """A process that has imported torch and forks for each command, which therefore starts at once."""

    def __init__(self, work: Path) -> None:
        began = time.monotonic()
        self.server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", SERVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | _variables(work / "nursery"), bufsize=0,
        )  # fmt: skip
        self.answer()
        self.seconds = time.monotonic() - began
        """How long imports take."""

    def answer(self) -> int:
        """The next number that the server says."""
        assert self.server.stdout is not None
        return int(self.server.stdout.readline())

    def close(self) -> None:
        """End the server."""
        self.server.kill()
        self.server.communicate()


class Forked:
    """A command in a process that the nursery forks."""

    def __init__(self, words: Sequence[str], place: Path, nursery: Nursery) -> None:
        self.nursery, self.code = nursery, None
        order = {
            "words": _call(words),
            "place": str(_prepare(place)),
            "log": str(_log(place)),
            "set": _variables(place),
        }
        assert nursery.server.stdin is not None
        nursery.server.stdin.write(json.dumps(order).encode() + b"\n")
        self.pid = nursery.answer()

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None if the command still runs after so many seconds."""
        output = self.nursery.server.stdout
        assert output is not None
        if self.code is None and select.select([output], [], [], max(0.0, seconds))[0]:
            self.code = self.nursery.answer()
        return self.code


def _call(words: Sequence[str]) -> list[str]:
    return [*words, "--out", "out", "--quiet"]


def _prepare(place: Path) -> Path:
    for name in ("cache", "tmp"):
        (place / name).mkdir(parents=True, exist_ok=True)
    return place


def _log(place: Path) -> Path:
    return place.with_name(f"{place.name}.log")


def _variables(place: Path) -> dict[str, str]:
    """One thread, and cache and temporary files in `place`."""
    own = {"XDG_CACHE_HOME": str(place / "cache"), "TMPDIR": str(place / "tmp"), MARK: str(place)}
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    return {**own, "OMP_NUM_THREADS": "1", "MPLCONFIGDIR": str(place.parent / "matplotlib"), "PYTHONPATH": path}


def processes(place: Path) -> list[int]:
    """All living processes of the trial in `place`."""
    mark, found = f"{MARK}={place}".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # it has just ended, or belongs to somebody else
            continue
    return sorted(found)


def run_folders(out: Path) -> list[Path]:
    """The folders of the runs in `out`, which is a run or a comparison."""
    return sorted((out / "runs").glob("*")) if (out / "runs").is_dir() else [out]


def step_reached(folder: Path) -> int:
    """The last step of a run that a file tells of."""
    checkpoints = [int(path.name[5:12]) for path in (folder / "checkpoints").glob("step=*.ckpt.sha256")]
    return max([read_state(folder).steps or 0, *checkpoints])


def finished_files(out: Path) -> dict[str, dict[str, Stamp]]:
    """Run -> its files, for each finished run."""
    done = [folder for folder in run_folders(out) if read_state(folder).status == "finished"]
    return {folder.name: {name: _stamp(folder / name) for name in TRAINED} for folder in done}


def _stamp(path: Path) -> Stamp:
    if not path.exists():
        return 0, "missing"
    return path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest()


def results(out: Path) -> dict[str, dict[str, Any]]:
    """What must not depend on kills: weights, predictions, learning curve without the clock, and scores of each run."""
    found = {}
    for folder in run_folders(out):
        with np.load(folder / "predictions.npz") as arrays:
            predictions = {name: hashlib.sha256(arrays[name].tobytes()).hexdigest() for name in arrays.files}
        with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
            rows = [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]
        found[folder.name] = {
            "weights": _stamp(folder / "model.safetensors")[1],
            "predictions": predictions,
            "rows": rows,
            "scores": read_state(folder).evals,
        }
    return found


def files_in(place: Path) -> frozenset[str]:
    """All files and folders that a trial left, in its run folder, its cache and among temporary files."""
    names = (str(path.relative_to(place)) for path in place.rglob("*"))
    return frozenset(name for name in names if not name.startswith("tmp/torchinductor_"))  # the cache of torch


def undisturbed(kind: str, words: Sequence[str], work: Path, nursery: Nursery) -> Reference:
    """Run the command to its end and measure its life."""
    place = work / f"{kind}-undisturbed"
    began, first_write = time.monotonic(), 0.0
    process = Forked(words, place, nursery)
    while (code := process.wait(0.01)) is None:
        if not first_write and (place / "out").exists():
            first_write = time.monotonic() - began
    seconds = time.monotonic() - began
    assert code == 0, f"{kind} ended with {code}: see {_log(place)}"
    folders = run_folders(place / "out")
    commit = read_json(folders[0] / "environment.json")["commit"]
    return Reference(place, seconds, first_write, results(place / "out"), files_in(place), commit)


def live(
    words: Sequence[str], place: Path, reference: Reference, draw: random.Random, nursery: Nursery
) -> tuple[list[Kill], int | None]:
    """Start the command and kill it, or its children, at random moments. Return the kills and its exit code."""
    several = words[0] == "compare"
    fresh, whole = draw.random() < FRESH_SHARE, draw.random() < 0.5
    span = reference.seconds - (0 if whole else reference.start_up) + (nursery.seconds if fresh else 0)
    moments = sorted(draw.uniform(0, span) for _ in range(draw.randint(1, 3) if several else 1))
    began, kills = time.monotonic(), []
    process = Fresh(words, place) if fresh else Forked(words, place, nursery)
    while not whole and process.wait(0.005) is None and not (place / "out").exists():
        pass
    since = began if whole else time.monotonic()
    for moment in moments:
        if process.wait(since + moment - time.monotonic()) is not None:
            break
        children = [each for each in processes(place) if each != process.pid] if several else []
        child = bool(children) and draw.random() < 0.6
        victim = draw.choice(children) if child else process.pid
        at = time.monotonic() - began
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:  # it ended a moment ago
            continue
        kills.append(Kill("child" if child else "command", round(at, 3), *how_far(place / "out", several)))
        if not child:
            break
    code = process.wait(MOST_SECONDS)
    if code is None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
    return kills, code


def how_far(out: Path, several: bool) -> tuple[int, str]:
    """The steps that all runs reached, and the status."""
    folders = run_folders(out)
    states = [read_state(folder).status for folder in folders]
    done = states.count("finished")
    return sum(step_reached(folder) for folder in folders), f"{done} finished" if several else states[0]


def orphans(place: Path) -> int:
    """How many processes of the trial still live after some patience. They are killed."""
    deadline = time.monotonic() + PATIENCE
    while (left := processes(place)) and time.monotonic() < deadline:
        time.sleep(0.1)
    for each in left:
        os.kill(each, signal.SIGKILL)
    return len(left)


def trial(
    kind: str, words: Sequence[str], reference: Reference, place: Path, seed: str, nursery: Nursery
) -> list[dict[str, Any]]:
    """Kill and start again until the command ends by itself. Return one row per kill with the outcome of the trial."""
    draw, kills, lost, errors = random.Random(seed), [], set(), []
    resume = ["--resume"] if words[0] == "train" else []
    for number in range(MOST_LIVES + 1):
        before = finished_files(place / "out")
        call = [*words, *(resume if number else [])]
        if number < MOST_LIVES:
            found, code = live(call, place, reference, draw, nursery)
        else:
            found, code = [], Fresh(call, place).wait(MOST_SECONDS)
        kills += found
        if (
            draw.random() < 0.5
        ):  # otherwise the command comes again at once, while children of the last one may still live
            orphans(place)
        after = finished_files(place / "out")
        lost |= {run for run, files in before.items() if after.get(run) != files}
        if code == 0:
            break
        if code is None or not found:
            errors.append("hangs" if code is None else f"exit code {code}")
            break
    left = orphans(place)
    if "Traceback" in _log(place).read_text(errors="replace"):
        errors.append("a traceback")
    outcome = {**judge(reference, place, errors), "lost": sorted(lost), "orphans": left, "errors": errors}
    return [
        {"kind": kind, **asdict(kill), "kills": number, **outcome, "commit": reference.commit}
        for number, kill in enumerate(kills, start=1)
    ]


def judge(reference: Reference, place: Path, errors: list[str]) -> dict[str, Any]:
    """Compare what the trial ended with to the undisturbed run."""
    parts = ("weights", "predictions", "rows", "scores")
    try:
        found = results(place / "out")
    except (OSError, ValueError) as error:
        errors.append(str(error))
        return {**dict.fromkeys(parts, False), "leftovers": [], "missing": []}
    agree = {
        part: found.keys() == reference.runs.keys()
        and all(found[run][part] == reference.runs[run][part] for run in found)
        for part in parts
    }
    files = files_in(place)
    return {**agree, "leftovers": sorted(files - reference.files), "missing": sorted(reference.files - files)}


def is_clean(row: Mapping[str, Any]) -> bool:
    """Whether the kill had no consequence."""
    agree = all(row[part] for part in ("weights", "predictions", "rows", "scores"))
    return agree and not any(row[part] for part in ("lost", "orphans", "errors", "leftovers", "missing"))


def read_kills(record: Path) -> list[dict[str, Any]]:
    """The rows of a record; none if there is no record yet."""
    return read_json(record)["kills"] if record.exists() else []


def write_kills(record: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the record with one line per kill. Notes that somebody added to it stay."""
    notes = read_json(record).get("notes", []) if record.exists() else []
    head = json.dumps({"what": (__doc__ or "").strip(), "notes": notes}, indent=1)[:-2]
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    write_text(record, f'{head},\n "kills": [\n{lines}\n ]\n}}\n')


def campaign(
    kinds: Sequence[str], num_kills: int, seed: int, record: Path, *, seconds: float = float("inf")
) -> list[dict[str, Any]]:
    """Trials of each kind in turn until the record has `num_kills` rows or time is up. Return its rows."""
    rows, began = read_kills(record), time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="kills-"))
    all_words, references, nursery = commands(write_data(work / "data")), {}, Nursery(work)
    number = 1 + max((row["trial"] for row in rows), default=-1)
    try:
        while len(rows) < num_kills and time.monotonic() - began < seconds:
            kind = kinds[number % len(kinds)]
            if kind not in references:
                references[kind] = undisturbed(kind, all_words[kind], work, nursery)
            place = work / f"trial{number}"
            found = trial(kind, all_words[kind], references[kind], place, f"{seed} {number}", nursery)
            rows += [{"trial": number, **row} for row in found]
            write_kills(record, rows)
            clean = all(is_clean(row) for row in found)
            print(
                f"trial {number}: {kind}: {len(found)} kills, {'clean' if clean else place}; {len(rows)} in all",
                flush=True,
            )
            if clean:
                shutil.rmtree(place)
            if not found:  # the machine is faster than when the life was measured: measure again
                shutil.rmtree(references.pop(kind).folder)
            number += 1
    finally:
        nursery.close()
    if all(is_clean(row) for row in rows):
        shutil.rmtree(work)
    return rows


def main() -> int:
    """Run the campaign from the command line. The exit code is 1 if a kill had a consequence."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kinds", default="vit,cnn,hybrid,transformer,compare")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", type=Path, default=RECORD)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no trial after this time")
    options = parser.parse_args()
    rows = campaign(options.kinds.split(","), options.kills, options.seed, options.record, seconds=options.seconds)
    unclean = [row for row in rows if not is_clean(row)]
    print(f"{len(rows)} kills, {len(unclean)} of them with a consequence")
    return 1 if unclean else 0


if __name__ == "__main__":
    sys.exit(main())
