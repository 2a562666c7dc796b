"""The summary of made-up comparisons of sequence models: its structure, its numbers, and what it says when files are bad."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.comparison.pair_predictions import read_pair_predictions
from fittingroom.comparison.summary import summarise
from fittingroom.core.errors import FittingRoomError
from fittingroom.evaluation.statistics import (
    accuracy_interval,
    holm,
    paired_difference,
    pooled_seed_spread,
    rate_interval,
    simultaneous_level,
)
from tests.pair_comparison_fixture import write_pair_comparison

WORDS, PHONEMES = "word_error_rate", "phoneme_error_rate"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, two seeds, all finished."""
    return write_pair_comparison(tmp_path_factory.mktemp("pairs"), num_models=3)


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, Any]:
    return summarise(folder)


def facts_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "comparison.json").read_text())


def test_a_comparison_of_pairs_is_summed_up_by_its_kind(summary: dict[str, Any]) -> None:
    assert list(summary) == ["kind", "models", "pairs", "best_by_val", "verdict", "notes"]
    assert summary["kind"] == "pairs"
    for model in summary["models"]:
        for split in ("val", "test"):
            assert set(model[split]) == {WORDS, PHONEMES}
            assert all(set(found) == {"mean", "sd", "low", "high"} for found in model[split].values())
    names = {"difference", "low", "high", "p", "p_holm"}
    assert all(set(pair) == {"a", "b", WORDS, PHONEMES} for pair in summary["pairs"])
    assert all(set(pair[key]) == names for pair in summary["pairs"] for key in (WORDS, PHONEMES))
    json.dumps(summary, allow_nan=False)


def test_rates_are_those_of_the_ledger(folder: Path, summary: dict[str, Any]) -> None:
    rows = facts_of(folder)["runs"]
    for model in summary["models"]:
        own = [row for row in rows if row["model"] == model["name"]]
        for split in ("val", "test"):
            for key in (WORDS, PHONEMES):
                rates, found = [row[f"{split}_{key}"] for row in own], model[split][key]
                assert found["mean"] == pytest.approx(np.mean(rates)) and found["sd"] == pytest.approx(
                    np.std(rates, ddof=1)
                )
                assert found["low"] < found["mean"] < found["high"]


def test_intervals_are_over_words_and_pooled_seeds(folder: Path, summary: dict[str, Any]) -> None:
    runs = {
        name: [read_pair_predictions(folder / f"runs/{name}-seed{seed}")["test"] for seed in (0, 1)]
        for name in ("transformer", "recurrent", "small")
    }
    wrong = [np.stack([run.rates.wrong for run in found]) for found in runs.values()]
    edits = [np.stack([run.edit_values for run in found]) for found in runs.values()]
    right = accuracy_interval(~wrong[0], 0.95, pooled_seed_spread(wrong))
    mirrored, test = (1 - right.high, 1 - right.low), summary["models"][0]["test"]
    assert (test[WORDS]["low"], test[WORDS]["high"]) == pytest.approx(mirrored)
    phonemes = rate_interval(edits[0], 0.95, pooled_seed_spread(edits))
    assert (test[PHONEMES]["low"], test[PHONEMES]["high"]) == pytest.approx((phonemes.low, phonemes.high))
    for key, values in ((WORDS, wrong), (PHONEMES, edits)):
        level, spread = simultaneous_level(0.95, 3), pooled_seed_spread(values)
        expected = [paired_difference(values[a], values[b], level, spread) for a, b in ((0, 1), (0, 2), (1, 2))]
        adjusted = holm([pair.p for pair in expected])
        for pair, reference, p_holm in zip(summary["pairs"], expected, adjusted, strict=True):
            found = (pair[key]["difference"], pair[key]["low"], pair[key]["high"], pair[key]["p_holm"])
            assert found == pytest.approx((reference.difference, reference.low, reference.high, p_holm))


def test_costs_are_means_and_writing_is_a_speed(folder: Path, summary: dict[str, Any]) -> None:
    rows = [row for row in facts_of(folder)["runs"] if row["model"] == "recurrent"]
    model = summary["models"][1]
    assert model["pairs_per_second"] == pytest.approx(np.mean([row["pairs_per_second"] for row in rows]))
    assert model["words_per_second"] == pytest.approx(800 / np.mean([row["decode_seconds"] for row in rows]))
    assert model["peak_memory_bytes"] == max(row["peak_memory_bytes"] for row in rows)


def test_the_most_frequent_edits_are_counted_over_seeds(folder: Path, summary: dict[str, Any]) -> None:
    runs = [read_pair_predictions(folder / f"runs/small-seed{seed}")["test"] for seed in (0, 1)]
    found = summary["models"][2]["confusions"]
    assert found["num_edits"] == sum(int(run.rates.edits.sum()) for run in runs)
    wanted, written, count = found["most"][0]
    assert count == sum(run.edits.get((wanted, written), 0) for run in runs)
    counts = [count for *_, count in found["most"]]
    assert counts == sorted(counts, reverse=True) and len(counts) <= 12


def test_the_best_is_chosen_on_validation(summary: dict[str, Any]) -> None:
    by_val = {model["name"]: model["val"][WORDS]["mean"] for model in summary["models"]}
    assert summary["best_by_val"] == min(by_val, key=lambda name: by_val[name]) == "transformer"
    assert "Transformer makes the fewest word errors" in summary["verdict"]


def test_one_seed_covers_words_only_and_says_so(tmp_path: Path) -> None:
    summary = summarise(write_pair_comparison(tmp_path, num_seeds=1))
    assert "one seed: the interval covers words only" in summary["notes"]
    assert summary["models"][0]["test"][WORDS]["sd"] is None
    assert "these trained networks" in summary["verdict"]


def test_failed_runs_are_left_out_and_named(tmp_path: Path) -> None:
    summary = summarise(write_pair_comparison(tmp_path, failed=("recurrent-seed0", "recurrent-seed1")))
    model = summary["models"][1]
    assert (model["num_runs"], model["num_failed"]) == (0, 2)
    assert model["test"][WORDS]["mean"] is None and model["confusions"] is None and model["words_per_second"] is None
    assert "RNN with attention finished no run and is left out" in summary["notes"]
    assert summary["pairs"] == [] and "no other model" in summary["verdict"]


def test_all_runs_failed_is_still_a_summary(tmp_path: Path) -> None:
    summary = summarise(write_pair_comparison(tmp_path, num_models=1, num_seeds=1, failed=("transformer-seed0",)))
    assert summary["best_by_val"] is None and "no run finished" in summary["verdict"]


def spoil(folder: Path, run: str, **changes: Any) -> None:
    path = folder / f"runs/{run}/predictions.npz"
    with np.load(path) as archive:
        found = {**archive, **changes}
    np.savez(path, **found)


@pytest.mark.parametrize("split", ["val", "test"])
def test_runs_on_different_words_are_refused(tmp_path: Path, split: str) -> None:
    folder = write_pair_comparison(tmp_path)
    with np.load(folder / "runs/recurrent-seed1/predictions.npz") as archive:
        sources = archive[f"{split}_sources"][::-1]
    spoil(folder, "recurrent-seed1", **{f"{split}_sources": sources})
    with pytest.raises(
        FittingRoomError, match=f"recurrent-seed1 and of transformer-seed0 hold different {split} words"
    ):
        summarise(folder)


def test_a_missing_number_of_words_is_named(tmp_path: Path) -> None:
    folder = write_pair_comparison(tmp_path)
    facts = facts_of(folder)
    del facts["data"]["num_test"]
    (folder / "comparison.json").write_text(json.dumps(facts))
    with pytest.raises(FittingRoomError, match=r"comparison\.json lacks a proper 'data\.num_test'"):
        summarise(folder)
