"""Run the experiments of docs/lecture/claims.md that have no record yet: `make claims` (about an hour and a half on two cores).

Each experiment is one `fittingroom compare` command on Fashion-MNIST. You can stop the program at any time; the same command goes
on where it stopped. The runs go to runs/claims/. When an experiment is complete, its answers go to results/claims/NAME.npz, one
array of predicted classes for each run, and its facts to results/claims/NAME.json.

The networks are small, because small networks learn most in runs of this length (docs/speed.md). The smaller the training set,
the more often a run sees each image (recipes/length.py).
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.core.records import read_comparison, read_state
from fittingroom.core.rundir import read_json, write_json
from fittingroom.recipes.choose import DEFAULT_EPOCHS
from fittingroom.recipes.length import NUM_IMAGES, epochs_for

ROOT = Path(__file__).parents[1]
WORK, RECORDS = ROOT / "runs" / "claims", ROOT / "results" / "claims"
SEEDS = 3
TRAIN_SIZES = (550, 1650, 5500, 16500, 55000)
"""1, 3, 10, 30 and 100 % of the training images."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One comparison, and what is the same in all of its runs."""

    models: tuple[str, ...]
    size: str
    epochs: float
    num_train: int = NUM_IMAGES

    @property
    def arguments(self) -> list[str]:
        """The arguments of `fittingroom`."""
        fewer = [] if self.num_train == NUM_IMAGES else ["--set", f"num_train={self.num_train}"]
        return [
            *("compare", "--models", ",".join(self.models), "--size", self.size),
            *("--seeds", str(SEEDS), "--epochs", f"{self.epochs:g}", *fewer),
        ]


EXPERIMENTS = {
    **{
        f"data-{number}": Experiment(
            models=("cnn", "vit"),
            size="tiny",
            epochs=epochs_for(DEFAULT_EPOCHS, number, NUM_IMAGES),
            num_train=number,
        )
        for number in TRAIN_SIZES
    },
    "heads": Experiment(
        models=("vit", "vit@num_heads=1", "vit@num_heads=2", "vit@num_heads=4"), size="small", epochs=3
    ),
    "positions": Experiment(
        models=("vit", "vit@positions=none", "vit@positions=sincos1d", "vit@positions=learned"), size="medium", epochs=1
    ),
}
"""`small` has patches of 7x7 pixels, so few tokens that its heads matter more than its positions. `medium` has 49 tokens."""


def run(name: str) -> None:
    """Run one experiment, or what is missing of it, and write its record."""
    arguments = EXPERIMENTS[name].arguments
    command = [sys.executable, "-m", "fittingroom", *arguments, "--out", str(WORK / name), "--jobs", "2", "--quiet"]
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(code)  # the command has said why
    record(name, WORK / name)


def record(name: str, folder: Path) -> None:
    """Write the predicted classes and the facts of a finished comparison."""
    comparison = read_comparison(folder)
    answers, facts = {}, []
    for row in comparison.finished():
        with np.load(folder / row.folder / "predictions.npz") as archive:
            answers[row.run] = archive["test_probs"].argmax(axis=1).astype(np.uint8)
            answers["labels"] = archive["test_labels"].astype(np.uint8)
        facts.append(_facts(row.run, row.candidate, row.seed, folder / row.folder))
    RECORDS.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(RECORDS / f"{name}.npz", **answers)
    command = " ".join(["fittingroom", *EXPERIMENTS[name].arguments])
    write_json(RECORDS / f"{name}.json", {"command": command, "runs": facts})


def _facts(run_name: str, candidate: str, seed: int, folder: Path) -> dict[str, Any]:
    state, environment = read_state(folder), read_json(folder / "environment.json")
    return {
        "run": run_name,
        "candidate": candidate,
        "seed": seed,
        "epochs": state.epochs,
        "steps": state.steps,
        "num_macs": state.num_macs,
        "train_seconds": state.train_seconds,
        "val_accuracy": state.evals["val"]["accuracy"],
        "test_accuracy": state.evals["test"]["accuracy"],
        "commit": environment["commit"],
        "processor": environment["processor"],
        "precision": environment["plan"]["precision"],
    }


def main() -> None:
    """Run the experiments that have no record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(EXPERIMENTS)}")
    names = parser.parse_args().names
    if unknown := set(names) - set(EXPERIMENTS):
        parser.error(f"no experiment {', '.join(sorted(unknown))}: choose from {', '.join(EXPERIMENTS)}")
    for name in names or EXPERIMENTS:
        if not (RECORDS / f"{name}.json").exists():
            run(name)


if __name__ == "__main__":
    main()
