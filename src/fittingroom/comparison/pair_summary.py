"""From the folder of a comparison of sequence models to the numbers that are shown. Needs files, not torch.

Word error rates and phoneme error rates have intervals over seeds and words. Differences are error rate of a minus error
rate of b: below zero, a is the better one.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from fittingroom.comparison.metrics import PAIRS, PHONEME_ERRORS, WORD_ERRORS, Measure
from fittingroom.comparison.pair_predictions import PairPredictions, read_pair_predictions
from fittingroom.comparison.predictions import SPLITS
from fittingroom.comparison.record import (
    LEVEL,
    best_by_val,
    check_comparison,
    description,
    differences,
    failure_notes,
    plain,
    rows_of,
    seed_notes,
    spread_of,
    stacked,
)
from fittingroom.comparison.verdict import verdict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.evaluation.statistics import Interval, SeedSpread, accuracy_interval, rate_interval

DATA_KEYS = ("num_train", "num_val", "num_test")
COSTS = ("train_seconds", "pairs_per_second", "decode_seconds", "epochs")
MEASURES = {WORD_ERRORS.key: WORD_ERRORS, PHONEME_ERRORS.key: PHONEME_ERRORS}
MOST_CONFUSIONS = 12
SECOND_QUESTION = (
    "words decide; phoneme errors are compared in the verdict only for models that word errors tell apart, so that both claims "
    "together hold with 95 % probability"
)

PairRuns = dict[int, dict[str, PairPredictions]]
"""One model's finished runs: seed -> split -> predictions."""


def summarise_pairs(folder: Path) -> dict[str, Any]:
    """The contents of `summary.json` for the comparison of pairs in `folder`: plain values, finite, None where undefined.

    Raises FittingRoomError that names the file where `comparison.json` or a finished run's `predictions.npz` is missing
    or damaged, and where two runs wrote different words.
    """
    path = folder / "comparison.json"
    comparison = read_json(path)
    check_comparison(comparison, path, DATA_KEYS)
    runs = read_pair_runs(folder, comparison)
    finished = {name: found for name, found in runs.items() if found}
    scores = {
        (key, split): {name: _values(found, split, measure) for name, found in finished.items()}
        for key, measure in MEASURES.items()
        for split in SPLITS
    }
    spreads = {place: spread_of(values) for place, values in scores.items()}
    models = [_model(comparison, model, runs[model["name"]], scores, spreads) for model in comparison["models"]]
    pairs = _pairs({key: scores[key, "test"] for key in MEASURES}, spreads)
    spread = spreads[WORD_ERRORS.key, "test"]
    notes = failure_notes(comparison, models)
    notes += seed_notes(len(finished), len(pairs), spread, items="words", score=WORD_ERRORS.name)
    notes += [SECOND_QUESTION] if pairs else []
    best = best_by_val(models, lambda model: _negative(WORD_ERRORS.scores(model, "val")["mean"]))
    summary = {"kind": PAIRS, "models": models, "pairs": pairs, "best_by_val": best}
    return {**summary, "verdict": verdict(summary, comparison), "notes": notes}


def read_pair_runs(folder: Path, comparison: dict[str, Any]) -> dict[str, PairRuns]:
    """The checked predictions of every finished run, by model, seed and split; all on the same words."""
    runs = {
        model["name"]: {
            row["seed"]: read_pair_predictions(folder / row["folder"])
            for row in rows_of(comparison, model["name"], "finished")
        }
        for model in comparison["models"]
    }
    _check_same_words(runs)
    return runs


def _check_same_words(runs: dict[str, PairRuns]) -> None:
    found = [(f"{name}-seed{seed}", splits) for name, seeds in runs.items() for seed, splits in seeds.items()]
    for other, splits in found[1:]:
        first, reference = found[0]
        for split in SPLITS:
            one, two = splits[split], reference[split]
            if (one.sources, one.references) != (two.sources, two.references):
                message = f"predictions.npz of {other} and of {first} hold different {split} words"
                raise FittingRoomError(f"{message}: they cannot be compared; run both again on the same data")


def _values(runs: PairRuns, split: str, measure: Measure) -> dict[int, Any]:
    """By seed, numbers whose mean over words is the error rate, [words]."""
    by_words = measure is WORD_ERRORS
    return {
        seed: found[split].rates.wrong if by_words else found[split].edit_values for seed, found in sorted(runs.items())
    }


def _interval(measure: Measure, values: Any, spread: SeedSpread) -> Interval:
    """Of words Wilson's, which is the same whether right or wrong ones are counted; of phonemes that of a ratio."""
    return (accuracy_interval if measure is WORD_ERRORS else rate_interval)(values, LEVEL, spread)


def _model(
    comparison: dict[str, Any],
    model: dict[str, Any],
    runs: PairRuns,
    scores: dict[tuple[str, str], dict[str, dict[int, Any]]],
    spreads: dict[tuple[str, str], SeedSpread],
) -> dict[str, Any]:
    name = model["name"]
    described = description(comparison, model, COSTS)
    seconds = described["decode_seconds"]
    by_split = {
        split: {
            key: plain(_interval(measure, stacked(scores[key, split][name]), spreads[key, split]) if runs else None)
            for key, measure in MEASURES.items()
        }
        for split in SPLITS
    }
    return {
        **described,
        "words_per_second": comparison["data"]["num_test"] / seconds if seconds else None,
        **by_split,
        "confusions": _confusions(runs) if runs else None,
    }


def _confusions(runs: PairRuns) -> dict[str, Any]:
    """The most frequent edits in the test part, [reference, written, count], summed over seeds, and how many edits in all."""
    counts: Counter[tuple[str | None, str | None]] = Counter()
    for found in runs.values():
        counts.update(found["test"].edits)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    most = [[reference, written, count] for (reference, written), count in ordered[:MOST_CONFUSIONS]]
    return {"num_edits": counts.total(), "most": most}


def _pairs(
    scores: dict[str, dict[str, dict[int, Any]]], spreads: dict[tuple[str, str], SeedSpread]
) -> list[dict[str, Any]]:
    """Every two models with a common seed: the differences of both measures, each family of intervals holding together."""
    found = {key: differences(scores[key], spreads[key, "test"]) for key in MEASURES}
    return [{"a": a, "b": b, **{key: found[key][a, b] for key in MEASURES}} for a, b in found[WORD_ERRORS.key]]


def _negative(value: float | None) -> float | None:
    return None if value is None else -value
