"""How often verdicts claim what is not so, find what is, and cover the truth: simulated comparisons, by the code of `compare`.

`python lab/verdict_simulation.py` takes an hour of one core and writes results/statistics/verdicts.json. It can be stopped at
any time: rows that the record has are kept.

The world is like the recorded ladder of Fashion-MNIST (results/ladder): 10,000 test images, accuracy near 94 %, most images
easy or hard for every seed. Model m with seed s is right on image i where a sum of normal deviates is below a bound: of the
image for all models, of the image for this model, of the seed, and of this seed on this image. The shares reproduce the
variances that were measured there: 0.0128 for the residual, 0.0021 for the difference of two convolutional models over
images.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fittingroom.core.decision import ALPHA
from fittingroom.core.rundir import read_json, write_json
from fittingroom.evaluation.seeds import outlook
from fittingroom.evaluation.statistics import (
    PairedDifference,
    accuracy_interval,
    adjusted,
    paired_difference,
    pooled_seed_spread,
    step_down,
)

RECORD = Path(__file__).parents[1] / "results" / "statistics" / "verdicts.json"
SHARED, OWN, RESIDUAL = 0.957, 0.0064, 0.0366
"""Shares of the variance of a deviate: the image for all models, the image for one model, the seed on the image."""
SEEDS, SPREADS, NUM_MODELS = (2, 3, 5, 10), (0.05, 0.14, 0.5), (2, 3, 6)
GAP = 0.58
"""The measured lead of the best model at five epochs, in points. The third model is far behind."""
FAR = 2.84
KEYS = {"equal": ("num_models", "num_seeds", "spread"), "two_equal": ("num_seeds",), "power": ("num_seeds",),
        "advice": ("gap", "num_seeds")}  # fmt: skip
"""The parts of the record, and what tells the rows of each apart."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Models of these accuracies over all seeds and images, in percent, whose seeds vary by `spread` points."""

    accuracies: tuple[float, ...]
    spread: float
    num_images: int = 10_000

    def draw(self, random: np.random.Generator, num_seeds: int) -> NDArray[np.bool_]:
        """One test: right or not, [models, seeds, images]. Images are chunked by model and seed to stay small."""
        truth = np.array(self.accuracies) / 100
        seed_sd = self.spread / 100 / stats.norm.pdf(stats.norm.ppf(truth))
        bounds = stats.norm.ppf(truth) * np.sqrt(1 + seed_sd**2)
        common = np.sqrt(SHARED) * random.standard_normal(self.num_images, dtype=np.float32)
        found = np.empty((len(truth), num_seeds, self.num_images), dtype=bool)
        for model, bound in enumerate(bounds):
            image = common + np.sqrt(OWN) * random.standard_normal(self.num_images, dtype=np.float32)
            for seed in range(num_seeds):
                limit = np.float32((bound + seed_sd[model] * random.standard_normal()) / np.sqrt(RESIDUAL))
                deviates = random.standard_normal(self.num_images, dtype=np.float32)
                found[model, seed] = deviates < limit - image / np.float32(np.sqrt(RESIDUAL))
        return found


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One simulated comparison: every pair, its adjusted p and the factor behind it."""

    pairs: dict[tuple[int, int], PairedDifference]
    p: dict[tuple[int, int], float]
    factors: dict[tuple[int, int], int]


def judge(correct: NDArray[np.bool_]) -> Judged:
    """The statistics of `compare` for right answers [models, seeds, images]."""
    spread = pooled_seed_spread(list(correct))
    pairs = {
        (a, b): paired_difference(correct[a], correct[b], 1 - ALPHA, spread)
        for a, b in combinations(range(len(correct)), 2)
    }
    raw = [each.p for each in pairs.values()]
    p = adjusted(raw, len(correct))
    return Judged(
        pairs=pairs,
        p=dict(zip(pairs, p, strict=True)),
        factors=dict(zip(pairs, step_down(raw, len(correct)), strict=True)),
    )


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of the simulated comparisons, in percent."""

    num_models: int
    num_seeds: int
    spread: float
    comparisons: int
    any_false_claim: float
    """At least one pair is separated that does not differ, or in the wrong order."""
    pair_covered: float
    model_covered: float
    contradictions: int
    """Pairs where a claim stands beside an interval that holds zero."""


def rates(world: World, num_seeds: int, repetitions: int, seed: int = 0) -> Rates:
    """False claims and coverage in a world."""
    random, truth = np.random.default_rng([seed, num_seeds, len(world.accuracies)]), np.array(world.accuracies) / 100
    wrong = pair = alone = contradictions = 0
    for _ in range(repetitions):
        correct = world.draw(random, num_seeds)
        found = judge(correct)
        claims = [key for key, p in found.p.items() if p < ALPHA]
        wrong += any(found.pairs[a, b].difference * (truth[a] - truth[b]) <= 0 for a, b in claims)
        contradictions += sum(found.pairs[key].low <= 0 <= found.pairs[key].high for key in claims)
        first = found.pairs[0, 1]
        pair += first.low <= truth[0] - truth[1] <= first.high
        interval = accuracy_interval(correct[0], 1 - ALPHA, pooled_seed_spread(list(correct)))
        alone += interval.low <= truth[0] <= interval.high
    share = 100 / repetitions
    return Rates(
        num_models=len(truth), num_seeds=num_seeds, spread=world.spread, comparisons=repetitions,
        any_false_claim=round(share * wrong, 2), pair_covered=round(share * int(pair), 2),
        model_covered=round(share * int(alone), 2), contradictions=contradictions,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Power:
    """How often the best of three models is told from the second, which is `GAP` points behind."""

    num_seeds: int
    comparisons: int
    gap: float
    percent: float


def power(num_seeds: int, repetitions: int, seed: int = 1) -> Power:
    """Simulate three models like those of the ladder after five epochs."""
    world, random = (
        World(accuracies=(94.0, 94.0 - GAP, 94.0 - FAR), spread=0.14),
        np.random.default_rng([seed, num_seeds]),
    )
    found = [judge(world.draw(random, num_seeds)) for _ in range(repetitions)]
    share = float(np.mean([each.p[0, 1] < ALPHA and each.pairs[0, 1].difference > 0 for each in found]))
    return Power(num_seeds=num_seeds, comparisons=repetitions, gap=GAP, percent=round(100 * share, 1))


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What became of ties for which K more seeds were advised, when exactly that many were added."""

    gap: float
    num_seeds: int
    ties: int
    advised: int
    median_more: float | None
    settled: float | None
    """Percent of the advised ties."""


def advice(gap: float, num_seeds: int, repetitions: int, seed: int = 2) -> Advice:
    """Draw two models that nothing separates, add the advised seeds, and judge again."""
    world, random = World(accuracies=(94.0, 94.0 - gap), spread=0.14), np.random.default_rng([seed, num_seeds])
    ties, more, settled = 0, list[int](), 0
    for _ in range(repetitions):
        correct = world.draw(random, num_seeds + 40)
        found = judge(correct[:, :num_seeds])
        if found.p[0, 1] < ALPHA:
            continue
        ties += 1
        said = outlook(found.pairs[0, 1], 2, found.factors[0, 1])
        if said is not None and said.more_seeds is not None and said.more_seeds <= 40:
            more.append(said.more_seeds)
            settled += judge(correct[:, : num_seeds + said.more_seeds]).p[0, 1] < ALPHA
    return Advice(
        gap=gap, num_seeds=num_seeds, ties=ties, advised=len(more),
        median_more=float(np.median(more)) if more else None,
        settled=round(100 * settled / len(more), 1) if more else None,
    )  # fmt: skip


def main(repetitions: int) -> None:
    """Simulate every cell that the record lacks, and add it. Comparisons of six models are dear and get fewer repetitions."""
    record = read_json(RECORD) if RECORD.exists() else {}
    cells = {"equal": list[Any](), "two_equal": list[Any](), "power": list[Any](), "advice": list[Any](), **record}
    done = {json.dumps([part, *(row[key] for key in KEYS[part])]) for part in KEYS for row in cells[part]}
    began = time.perf_counter()

    def add(part: str, key: list[float], simulate: Callable[[], Any]) -> None:
        if json.dumps([part, *key]) not in done:
            cells[part].append(asdict(simulate()))
            write_json(RECORD, cells)
            print(f"{time.perf_counter() - began:.0f} s", json.dumps(cells[part][-1]), flush=True)

    for num_seeds in SEEDS:
        add("power", [num_seeds], lambda num_seeds=num_seeds: power(num_seeds, repetitions // 2))
    for number, spread, num_seeds in ((n, d, s) for n in NUM_MODELS for d in SPREADS for s in SEEDS):
        world = World(accuracies=(94.0,) * number, spread=spread)
        times = repetitions if number < 6 else repetitions // 5
        add("equal", [number, num_seeds, spread], lambda w=world, s=num_seeds, n=times: rates(w, s, n))
    for num_seeds in SEEDS:
        world = World(accuracies=(94.0, 94.0, 94.0 - GAP), spread=0.14)
        add("two_equal", [num_seeds], lambda w=world, s=num_seeds: rates(w, s, repetitions))
    for gap, num_seeds in ((gap, num_seeds) for gap in (0.2, 0.4) for num_seeds in (2, 3, 5)):
        add("advice", [gap, num_seeds], lambda g=gap, s=num_seeds: advice(g, s, repetitions // 8))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=4000, metavar="N")
    main(parser.parse_args().repetitions)
