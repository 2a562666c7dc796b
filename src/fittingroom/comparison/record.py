"""What the summaries of images and of pairs share: comparison.json checked, its rows, costs over seeds, differences, notes."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.errors import FittingRoomError
from fittingroom.evaluation.statistics import (
    Interval,
    SeedSpread,
    holm,
    paired_difference,
    pooled_seed_spread,
    simultaneous_level,
)

LEVEL = 0.95
MODEL_KEYS = ("name", "title", "family", "num_params", "num_macs")
NEEDED: dict[str, tuple[type, tuple[str, ...]]] = {
    "title": (str, ()),
    "seeds": (list, ()),
    "budget": (dict, ("text",)),
    "data": (dict, ()),
    "models": (list, MODEL_KEYS),
    "runs": (list, ("run", "folder", "model", "seed", "status")),
}
"""Of comparison.json: the type of each value, and the keys that it, or each entry of a list, has."""

ByModel = Mapping[str, Mapping[int, Any]]
"""Of each model with a finished run, one number an item [items] for each of its seeds."""


def check_comparison(comparison: dict[str, Any], path: Path, data_keys: tuple[str, ...]) -> None:
    """FittingRoomError where `comparison.json` lacks something that the summary needs; `data_keys` depend on its kind."""
    for key, (kind, inner) in {**NEEDED, "data": (dict, data_keys)}.items():
        value = comparison.get(key)
        parts = value if isinstance(value, list) else [value]
        lacking = [name for part in parts for name in inner if not isinstance(part, dict) or name not in part]
        if not isinstance(value, kind) or lacking:
            where = f"{key}.{lacking[0]}" if isinstance(value, kind) else key
            raise FittingRoomError(f"{path} lacks a proper '{where}': run the comparison again to write it anew")


def rows_of(comparison: dict[str, Any], name: str, status: str) -> list[dict[str, Any]]:
    """The ledger rows of one model's runs that are 'finished', or 'failed'."""
    return [row for row in comparison["runs"] if row["model"] == name and row["status"] == status]


def over(rows: list[dict[str, Any]], key: str, reduce: Callable[[list[float]], Any]) -> float | int | None:
    """Mean or largest of a ledger column, over the rows that have it."""
    values = [row[key] for row in rows if row.get(key) is not None]
    return reduce(values).item() if values else None


def description(comparison: dict[str, Any], model: dict[str, Any], means: Sequence[str]) -> dict[str, Any]:
    """What the model is, how many of its runs ended how, and what they cost: `means` of ledger columns, largest memory."""
    rows = rows_of(comparison, model["name"], "finished")
    return {
        **{key: model[key] for key in MODEL_KEYS},
        "num_runs": len(rows),
        "num_failed": len(rows_of(comparison, model["name"], "failed")),
        **{key: over(rows, key, np.mean) for key in means},
        "peak_memory_bytes": over(rows, "peak_memory_bytes", np.max),
    }


def stacked(runs: Mapping[int, Any], seeds: Sequence[int] | None = None) -> NDArray[Any]:
    """One model's values [seeds, items], seeds ascending: all of them, or those asked for."""
    return np.stack([runs[seed] for seed in sorted(runs if seeds is None else seeds)])


def spread_of(by_model: ByModel) -> SeedSpread:
    """The seed variance pooled over the models."""
    return pooled_seed_spread([stacked(runs) for runs in by_model.values()])


def plain(found: Interval | None) -> dict[str, float | None]:
    """Mean, sd, low and high for summary.json; None each where there is no finished run."""
    return {name: None if found is None else getattr(found, name) for name in ("mean", "sd", "low", "high")}


def differences(by_model: ByModel, spread: SeedSpread) -> dict[tuple[str, str], dict[str, float]]:
    """Every two models over the seeds both finished, intervals that hold together; without a common seed they are left out."""
    common = {(a, b): sorted(by_model[a].keys() & by_model[b].keys()) for a, b in combinations(by_model, 2)}
    common = {pair: seeds for pair, seeds in common.items() if seeds}
    level = simultaneous_level(LEVEL, len(common))
    found = [
        paired_difference(stacked(by_model[a], seeds), stacked(by_model[b], seeds), level, spread)
        for (a, b), seeds in common.items()
    ]
    adjusted = holm([pair.p for pair in found])
    names = ("difference", "low", "high", "p")
    return {
        names_of: {**{name: getattr(pair, name) for name in names}, "p_holm": p_holm}
        for names_of, pair, p_holm in zip(common, found, adjusted, strict=True)
    }


def overrun(comparison: dict[str, Any]) -> float:
    """By what share of a budget in seconds the longest run exceeded it; 0 where none did, or where epochs were given."""
    budget = comparison["budget"]
    if budget.get("kind") != "seconds":
        return 0.0
    seconds = [row.get("train_seconds") or 0.0 for row in comparison["runs"] if row["status"] == "finished"]
    return max(0.0, max(seconds, default=0.0) / budget["value"] - 1)


def budget_text(comparison: dict[str, Any]) -> str:
    """The budget in words, as planned; one that a busy machine overran is not called 'at most'."""
    budget, share = comparison["budget"], overrun(comparison)
    if not share:
        return budget["text"]
    return f"{budget['value']:g} s of training each (overrun by up to {math.ceil(100 * share - 1e-6)} %)"


def failure_notes(comparison: dict[str, Any], models: list[dict[str, Any]]) -> list[str]:
    """The runs that failed and why, and the models that have no other."""
    failed = [row for row in comparison["runs"] if row["status"] == "failed"]
    notes = [f"{row['run']} failed: {row.get('error') or 'no reason was recorded'}" for row in failed]
    absent = [model["title"] for model in models if not model["num_runs"]]
    return notes + [f"{title} finished no run and is left out" for title in absent]


def seed_notes(num_finished: int, num_pairs: int, spread: SeedSpread, *, items: str, score: str) -> list[str]:
    """What the intervals cover: seeds and `items` ('images'), or less; and how many hold together."""
    notes = []
    if num_finished and spread.df == 0:
        notes.append(f"one seed: the interval covers {items} only")
    if spread.df > 0 and spread.variance == 0:
        notes.append(f"every seed gave the same test {score}: the intervals cover {items} only")
    if num_pairs > 1:
        notes.append(f"the {num_pairs} intervals of differences hold together with 95 % probability (Bonferroni)")
    if num_pairs < math.comb(num_finished, 2):
        notes.append("models that finished no seed in common are not compared")
    return notes


def best_by_val(models: list[dict[str, Any]], score: Callable[[dict[str, Any]], float | None]) -> str | None:
    """Name of the model whose validation `score` is the largest; None where none has one."""
    scored = [(found, model["name"]) for model in models if (found := score(model)) is not None]
    return max(scored, key=lambda each: each[0])[1] if scored else None
