"""Train the recipes of the ladder and keep the records: `python lab/ladder.py cnn_5 vit_5 --seeds 3`.

Does several runs at a time, one per core. Weights and checkpoints stay in runs/ladder/RECIPE-seedS, so a stopped run can
continue. The record of a finished run goes to results/ladder/RECIPE-seedS. A run whose record has the same settings is skipped.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from fittingroom.comparison.executors.base import Work
from fittingroom.comparison.executors.processes import Processes
from fittingroom.core.config import from_dict, to_dict
from fittingroom.core.machine import usable_cores
from fittingroom.core.records import RunState, read_state
from fittingroom.core.rundir import make_folder, write_atomic
from fittingroom.recipes import RECIPES
from fittingroom.tasks.config import RunConfig
from fittingroom.training.fit import resolve
from fittingroom.training.folder import holds

ROOT = Path(__file__).parents[1]
RECORDS, WORK = ROOT / "results" / "ladder", ROOT / "runs" / "ladder"
KEPT = ("config.json", "data.json", "environment.json", "metrics.csv", "predictions.npz", "state.json")


def missing(names: list[str], seeds: list[int]) -> dict[str, RunConfig]:
    """Folder name -> config of each run without a record of the same settings, seed by seed."""
    wanted = {
        f"{name}-seed{seed}": resolve(replace(RECIPES.get(name)(), seed=seed)) for seed in seeds for name in names
    }
    return {
        name: config for name, config in wanted.items() if not holds(RECORDS / name, read_state(RECORDS / name), config)
    }


def keep(name: str) -> None:
    """Copy the record of a finished run without its weights. state.json comes last: it marks the record as complete."""
    for file in KEPT:
        content = (WORK / name / file).read_bytes()
        write_atomic(RECORDS / name / file, lambda target, content=content: target.write(content))


def climb(runs: dict[str, RunConfig], jobs: int) -> int:
    """Do all runs. Return the number of failed runs."""
    names, failed = list(runs), 0
    # One thread per run, even if runs come one after another, so that the weights are the same either way.
    works = [
        Work(config=to_dict(config), folder=str(make_folder(WORK / name)), plan={"num_threads": "1"})
        for name, config in runs.items()
    ]
    for event in Processes(jobs=jobs).run(works):
        name = names[event.number]
        if event.kind == "finished":
            keep(name)
            state = from_dict(RunState, event.content)
            scores = ", ".join(f"{part} {found['accuracy']:.2%}" for part, found in state.evals.items())
            print(f"{name}: {scores}, {state.train_seconds:.0f} s", flush=True)
        elif event.kind == "failed":
            failed += 1
            print(f"{name}: failed: {event.content}", flush=True)
        elif event.kind == "starts":
            print(f"{name}: begins", flush=True)
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="+", metavar="RECIPE", help="such as cnn_5")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--jobs", type=int, default=len(usable_cores()) or 1, metavar="N")
    args = parser.parse_args()
    sys.exit(1 if climb(missing(args.recipes, list(range(args.seeds))), args.jobs) else 0)
