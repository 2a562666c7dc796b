"""Measure what each size of a family learns from a given compute: `python lab/frontier.py`.

Compute is counted in multiply-adds of training, so the points hold on any machine. Each point is one sealed run: the test split
is not read, accuracy is that of the whole validation split. One run at a time, on one thread, in bf16. You can stop the program
at any time; the same command does the missing points. Records go to results/frontier/points.json; `--figure` draws
docs/frontier.svg from them and from the runs of the ladder.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from frontier_tables import POINTS, draw, records

from fittingroom.core.rundir import write_json
from fittingroom.recipes import recipe
from fittingroom.recipes.budget import Images, epochs_of
from fittingroom.recipes.sizes import SIZED
from fittingroom.training.environment import describe_environment
from fittingroom.training.fit import FitOptions, fit
from fittingroom.training.speed.plan import Plan

ROOT = Path(__file__).parents[1]
WORK = ROOT / "runs" / "frontier"
GRID: list[tuple[float, tuple[str, ...], int]] = [
    (3e12, ("tiny", "small", "medium"), 1),
    (12e12, ("small", "medium"), 1),
    (3e12, ("tiny", "small"), 3),
    (12e12, ("tiny", "base"), 1),
    (40e12, ("small", "medium"), 1),
]
"""(multiply-adds of training, sizes, seeds), in the order of the runs: about 1, 4 and 12 minutes of one core each."""


def wanted() -> list[tuple[str, str, float, int]]:
    """(family, size, compute, seed) of each point, in order, without repetition."""
    points = [
        (family, size, compute, seed)
        for compute, sizes, seeds in GRID
        for seed in range(seeds)
        for size in sizes
        for family in SIZED
    ]
    return list(dict.fromkeys(points))


def measure(family: str, size: str, compute: float, seed: int) -> dict[str, Any]:
    """Train one point and return its record."""
    config = recipe(family, seed=seed, epochs=epochs_of(family, size, compute, Images()), size=size)
    plan = Plan(
        device="cpu",
        precision="bf16",
        channels_last=family != "vit",
        attention="explicit",
        compile=False,
        num_threads=1,
    )
    folder = WORK / f"{family}-{size}-{compute:.0e}-seed{seed}"
    fixed = {name: str(value).lower() for name, value in vars(plan).items()}
    state = fit(config, FitOptions(folder=folder, open_test=False, resume=True, plan=fixed))
    environment = describe_environment(plan, [])
    shutil.rmtree(folder)
    return {
        "family": family,
        "size": size,
        "compute": compute,
        "seed": seed,
        "epochs": round(config.epochs or 0.0, 3),
        "num_macs": state.num_macs,
        "val_accuracy": state.evals["val"]["accuracy"],
        "images_per_second": state.items_per_second,
        "train_seconds": state.train_seconds,
        "commit": environment["commit"],
        "processor": environment["processor"],
    }


def measure_all() -> None:
    """Measure every point that has no record."""
    points = records()
    done = {(each["family"], each["size"], each["compute"], each["seed"]) for each in points}
    for point in wanted():
        if point not in done:
            points.append(measure(*point))
            write_json(POINTS, {"points": points})
            print(json.dumps(points[-1]), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", action="store_true", help="only draw the figure from the records")
    if not parser.parse_args().figure:
        measure_all()
    draw()
