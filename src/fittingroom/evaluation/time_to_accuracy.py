"""Time to accuracy: seconds until a run first reaches a validation accuracy, as medians over seeds. Does not need torch.

The time comes from the run's metrics.csv. The clock starts with the command, so it includes loading, measuring the plan,
compiling and validation. Runs validate after each epoch, so a time is accurate to one epoch. Runs shorter than two epochs
validate after each quarter of the run, on the first 1,000 validation images.
"""

import csv
import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_state
from fittingroom.core.rundir import read_json

THRESHOLDS = (0.90, 0.92, 0.93, 0.94)


def finished_runs(folder: Path) -> list[Path]:
    """All finished image runs in `folder` and its subfolders, sorted by name. Raises FittingRoomError if there are none."""
    if not folder.is_dir():
        raise FittingRoomError(f"no folder at {folder}: give one that holds finished runs, such as results/ladder")
    states = {path.parent: read_state(path.parent) for path in sorted(folder.rglob("state.json"))}
    runs = [
        run for run, state in states.items() if state.status == "finished" and "accuracy" in state.evals.get("val", {})
    ]
    if not runs:
        raise FittingRoomError(f"{folder} holds no finished run of images: train some, or name another folder")
    return runs


def seconds_to(run: Path, threshold: float) -> float:
    """Seconds until the validation accuracy (a fraction) first reached `threshold`; infinity if it never did."""
    place = run / "metrics.csv"
    try:
        for row in csv.DictReader(place.read_text(encoding="utf-8").splitlines()):
            if row["val_accuracy"] and float(row["val_accuracy"]) >= threshold:
                return float(row["seconds"])
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise FittingRoomError(f"{place} is not a learning curve ({error}): train the run again") from error
    return math.inf


def milestones(runs: Iterable[Path]) -> list[dict[str, Any]]:
    """One row per group of runs that differ only in the seed: the number of seeds, and the median seconds to each threshold.

    A seed that never reaches a threshold counts as infinitely slow; leaving it out would make the median look better. The
    median is None if at least half of the seeds never reach the threshold. If several groups have the same model and length,
    their rows show the folder of the first run.
    """
    groups: dict[tuple[str, float, str], dict[int, Path]] = {}
    for run in runs:
        state, config = read_state(run), read_json(run / "config.json")
        if not state.model or state.epochs is None or not isinstance(config.get("seed"), int):
            raise FittingRoomError(f"{run} lacks a model, its epochs or a seed: delete it and train it again")
        settings = json.dumps({**config, "seed": None}, sort_keys=True)
        groups.setdefault((state.model, state.epochs, settings), {}).setdefault(config["seed"], run)
    lengths = Counter((model, epochs) for model, epochs, _ in groups)
    rows = []
    for (model, epochs, _), seeds in sorted(groups.items(), key=lambda group: (*group[0][:2], min(group[1].values()))):
        members = list(seeds.values())
        times = {threshold: [seconds_to(run, threshold) for run in members] for threshold in THRESHOLDS}
        medians = {threshold: statistics.median(found) for threshold, found in times.items()}
        rows.append(
            {
                "model": model if lengths[model, epochs] == 1 else f"{model} ({members[0].name})",
                "epochs": epochs,
                "num_seeds": len(members),
                "seconds": {f"{t:g}": s if math.isfinite(s) else None for t, s in medians.items()},
                "num_reached": {f"{t:g}": sum(map(math.isfinite, found)) for t, found in times.items()},
            }
        )
    return rows


def milestone_lines(rows: list[dict[str, Any]]) -> list[list[str]]:
    """The header and rows of the table, as text: median seconds, and the number of successful seeds unless all succeeded."""
    head = ["model", "epochs", "seeds", *(f"{100 * threshold:.0f} %" for threshold in THRESHOLDS)]
    return [head, *([row["model"], f"{row['epochs']:g}", str(row["num_seeds"]), *_cells(row)] for row in rows)]


def _cells(row: dict[str, Any]) -> list[str]:
    cells = []
    for key, seconds in row["seconds"].items():
        reached, of = row["num_reached"][key], row["num_seeds"]
        if seconds is None:
            cells.append(f"by {reached} of {of} only" if reached else "not reached")
        else:
            cells.append(f"{seconds:.0f} s" if reached == of else f"{seconds:.0f} s ({reached} of {of})")
    return cells
