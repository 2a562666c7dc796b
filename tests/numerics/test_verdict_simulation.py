"""Verdicts of simulated comparisons: how many are wrong, how many find a lead, and that none contradicts its p-values.

The full simulation is `lab/verdict_simulation.py`; its record is checked here. The tests marked slow repeat a part of it.
"""

import json
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np
import pytest

from fittingroom.comparison.summary import differences
from fittingroom.comparison.verdict import verdict
from fittingroom.core.records import CandidateSummary, Contrast, Score
from fittingroom.evaluation.statistics import pooled_seed_spread
from fittingroom.tasks.classification.scoring import ACCURACY
from lab.verdict_simulation import RECORD, World, power, rates
from tests.unit.comparison.test_verdict import RECORD as COMPARISON
from tests.unit.comparison.test_verdict import TITLES

POWER = {2: 38, 3: 73, 5: 97, 10: 100}
"""Percent of comparisons that find a lead of 0.58 points, by seeds; less 3 points is allowed."""


@pytest.fixture(scope="module")
def record() -> Any:
    return json.loads(RECORD.read_text())


def test_of_equal_models_two_to_five_and_a_half_percent_are_told_apart(record: Any) -> None:
    assert {(row["num_models"], row["num_seeds"], row["spread"]) for row in record["equal"]} == {
        (models, seeds, spread) for models in (2, 3, 6) for seeds in (2, 3, 5, 10) for spread in (0.05, 0.14, 0.5)
    }
    for row in record["equal"]:
        assert row["any_false_claim"] <= 5.5, row
        assert row["any_false_claim"] >= 2 or row["num_models"] == 6, row


def test_intervals_cover_what_they_state_and_no_claim_contradicts_one(record: Any) -> None:
    rows = record["equal"] + record["two_equal"]
    assert sum(row["comparisons"] for row in rows) > 10_000
    for row in rows:
        allowance = 2.5 * sqrt(95 * 5 / row["comparisons"])
        assert min(row["pair_covered"], row["model_covered"]) >= 95 - allowance, row
        assert row["contradictions"] == 0


def test_a_lead_is_found_as_often_as_stated(record: Any) -> None:
    assert {
        row["num_seeds"]: row["percent"] >= POWER[row["num_seeds"]] - 3 for row in record["power"]
    } == dict.fromkeys(POWER, True)


@pytest.mark.thorough
def test_a_small_simulation_agrees_with_the_record() -> None:
    found = rates(World(accuracies=(94.0, 94.0), spread=0.14, num_images=2000), 3, 300)
    assert 1 <= found.any_false_claim <= 8 and found.contradictions == 0


@pytest.mark.slow
@pytest.mark.parametrize("num_models", [2, 3])
@pytest.mark.parametrize("num_seeds", [2, 3, 5])
@pytest.mark.parametrize("spread", [0.05, 0.14, 0.5])
def test_false_claims_of_equal_models(num_models: int, num_seeds: int, spread: float) -> None:
    found = rates(World(accuracies=(94.0,) * num_models, spread=spread), num_seeds, 2000, seed=7)
    assert 2 - 0.7 <= found.any_false_claim <= 5.5 + 1
    assert found.contradictions == 0 and found.pair_covered >= 93.8


@pytest.mark.slow
@pytest.mark.parametrize("num_seeds", POWER)
def test_power(num_seeds: int) -> None:
    assert power(num_seeds, 500, seed=7).percent >= POWER[num_seeds] - 3


@pytest.mark.thorough
def test_a_lead_is_found_more_often_because_the_residual_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    once = power(2, 300, seed=7).percent
    monkeypatch.setattr("fittingroom.evaluation.statistics.residual_variance", lambda values: 0.0)
    assert once >= 45 and once >= power(2, 300, seed=7).percent + 3


def claims_agree_with_p(random: np.random.Generator) -> bool:
    """Whether the verdict on a random comparison names as winners exactly those that their p-values allow."""
    names = list(TITLES)[: random.integers(2, 5)]
    shares = random.uniform(0.75, 0.95, len(names))
    seeds = {name: range(random.integers(1, 4)) for name in names}
    values = {
        name: {seed: random.random(150) < share + random.normal(0, 0.02) for seed in seeds[name]}
        for name, share in zip(names, shares, strict=True)
    }
    spread = pooled_seed_spread([np.stack(list(runs.values())) for runs in values.values()])
    found = differences(values, spread)
    candidates = [
        CandidateSummary(
            name=name,
            title=TITLES[name],
            family=name,
            num_runs=len(seeds[name]),
            evals={"test": {"accuracy": Score(mean=float(np.mean(list(values[name].values()))), low=0.0, high=1.0)}},
        )
        for name in names
    ]
    contrasts = [Contrast(a=a, b=b, metrics={"accuracy": found[a, b]}) for a, b in combinations(names, 2)]
    said = verdict(COMPARISON, candidates, contrasts, (ACCURACY,))
    leader = max(names, key=lambda name: (np.mean(list(values[name].values())), -names.index(name)))
    lost = {b if each.difference > 0 else a for (a, b), each in found.items() if each.p_adjusted < 0.05}
    ties = {pair for pair, each in found.items() if leader in pair and each.p_adjusted >= 0.05}
    says_beaten = " beat" in said.headline
    says_tie = "othing separates" in said.headline
    return says_beaten == bool(lost) and says_tie == bool(ties)


@pytest.mark.thorough
def test_no_verdict_contradicts_its_p_values() -> None:
    random = np.random.default_rng(11)
    assert all(claims_agree_with_p(random) for _ in range(200))


@pytest.mark.slow
def test_none_of_ten_thousand_verdicts_contradicts_its_p_values() -> None:
    random = np.random.default_rng(12)
    assert all(claims_agree_with_p(random) for _ in range(10_000))
