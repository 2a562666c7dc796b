"""Simulate cross-validation: how often intervals cover the truth, and how often equal models are told apart.

    python lab/fold_simulation.py --number 4000

The seed variance is pooled over the models, as a comparison does it. One model alone has nothing to pool.

A run is one network: it has an effect of its own (seed and training images), and is right or wrong on the images of its fold.
Images differ in difficulty, and two models find mostly the same images hard. A seed is one round: all images, tested once by the
networks of its folds. Grouped data have images that come in groups of one difficulty, such as the frames of one recording.
Writes results/statistics/folds.json.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.rundir import write_json
from fittingroom.evaluation.statistics import accuracy_interval, paired_difference, pooled_seed_spread, ratio_values

RECORD = Path(__file__).parents[1] / "results" / "statistics" / "folds.json"


def outcomes(
    draw: np.random.Generator, num_models: int, rounds: int, folds: int, num_images: int, run_sd: float, group: int = 1
) -> NDArray[np.bool_]:
    """Right or wrong, [models, rounds, images]. `run_sd` is on the probit scale; images of a group share their difficulty."""
    shared = draw.standard_normal(num_images // group).repeat(group)
    own = draw.standard_normal((num_models, num_images // group)).repeat(group, axis=1)
    difficulty = 1.0 + 0.9 * shared + 0.4 * own
    fold = np.stack([draw.permutation(num_images // group).repeat(group) % folds for _ in range(rounds)])
    runs = run_sd * draw.standard_normal((num_models, rounds, folds))
    effects = np.take_along_axis(runs, np.broadcast_to(fold, (num_models, rounds, num_images)), axis=2)
    noise = 0.4 * draw.standard_normal((num_models, rounds, num_images))
    return difficulty[:, None, :] + effects + noise > 0


def by_group(correct: NDArray[np.bool_], group: int) -> NDArray[Any]:
    """The values that the statistics see: of images, or of groups of `group` images."""
    if group == 1:
        return correct
    sums = correct.reshape(len(correct), -1, group).sum(axis=2)
    return ratio_values(sums, np.full_like(sums, group))


def true_accuracy(run_sd: float) -> float:
    """The expected accuracy of a model: the same for all models."""
    from scipy.stats import norm

    return float(norm.cdf(1.0 / np.sqrt(0.9**2 + 0.4**2 + run_sd**2 + 0.4**2)))


def simulate(
    number: int, *, models: int, rounds: int, folds: int, num_images: int, run_sd: float, group: int = 1
) -> dict[str, Any]:
    """Coverage of the interval of one model, and false claims between two of the equal models, in percent."""
    draw, truth = np.random.default_rng(0), true_accuracy(run_sd)
    covered = claims = 0
    for _ in range(number):
        found = [by_group(each, group) for each in outcomes(draw, models, rounds, folds, num_images, run_sd, group)]
        spread = pooled_seed_spread(found)
        interval = accuracy_interval(found[0], spread=spread)
        covered += interval.low <= truth <= interval.high
        claims += models > 1 and paired_difference(found[0], found[1], spread=spread).p < 0.05
    return {
        "models": models, "rounds": rounds, "folds": folds, "num_images": num_images, "run_sd": run_sd, "group": group,
        "number": number, "coverage": round(100 * covered / number, 2),
        "false_claims": round(100 * claims / number, 2) if models > 1 else None,
    }  # fmt: skip


ONE_MODEL = {"models": 1, "rounds": 2, "folds": 5, "run_sd": 0.1}
CELLS: list[dict[str, Any]] = [
    *(
        {"models": models, "rounds": rounds, "folds": 5, "num_images": num_images, "run_sd": run_sd}
        for models in (2, 3)
        for rounds in (2, 3, 5)
        for num_images in (100, 500, 2000)
        for run_sd in (0.0, 0.1, 0.3)
    ),
    *(
        {"models": 3, "rounds": rounds, "folds": 5, "num_images": num_images, "run_sd": 0.1, "group": 5}
        for rounds in (2, 3)
        for num_images in (100, 500, 2000)
    ),
    *({**ONE_MODEL, "num_images": num_images} for num_images in (100, 500, 2000)),
]


def main() -> None:
    """Simulate all cells and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=4000, help="simulated comparisons per cell")
    rows = []
    for cell in CELLS:
        rows.append(simulate(parser.parse_args().number, **cell))
        print(rows[-1], flush=True)
    write_json(RECORD, {"cells": rows})


if __name__ == "__main__":
    main()
