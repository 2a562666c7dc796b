"""Convert files from older versions to the current schema. Each kind of file has its own function; new files pass unchanged.

Before schema 2 a run had the `kind` "images" or "pairs" and stored scores as `val_accuracy`, `test_word_error_rate` and so on.
A comparison had one entry per model name.
"""

import re
from pathlib import Path
from typing import Any

from fittingroom.core.decision import RULE
from fittingroom.core.errors import FittingRoomError

SCHEMA = 2

OLD_KINDS = {
    "images": ("classification", "images_per_second", ("accuracy",)),
    "pairs": ("seq2seq", "pairs_per_second", ("word_error_rate", "phoneme_error_rate")),
}
"""Maps an old `kind` to its task, the key of its speed, and its metrics."""
EXTRAS = ("decode_seconds", "num_unknown")
HALF_PRECISION = "half_precision_"
"""Prefix of the scores that were measured after shipped weights were converted to half precision."""
DETAILS = ("per_class", "confusion", "nll", "ece", "confusions")
SPLITS = ("val", "test")
NOW_IN_PLAN = ("precision", "accelerator")
"""Settings of the first configs. The speed plan now decides them."""


OLD_RULE = re.compile(r"Intervals of differences hold .*?Holm\.|One model beats another if p, .*? does not suffice\.")
"""What the protocol of earlier comparisons said of pairs. Their verdicts now follow `RULE`: they are made from predictions."""


def check_schema(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the values. Raises FittingRoomError if a newer version of fittingroom wrote the file."""
    schema = values.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise FittingRoomError(f"{path} was written by a newer version of fittingroom: update fittingroom")
    return values


def upgrade_config(values: dict[str, Any]) -> dict[str, Any]:
    """Upgrade config.json of a run from any version."""
    if "task" in values:
        return values
    upgraded = {key: value for key, value in values.items() if key not in NOW_IN_PLAN}
    if "train_images" in upgraded:
        upgraded["num_train"] = upgraded.pop("train_images")
    if "keep_stress" in upgraded:
        upgraded["task"] = "seq2seq"
    elif "augment" in upgraded:
        upgraded["task"] = "classification"
    return upgraded


def upgrade_state(values: dict[str, Any]) -> dict[str, Any]:
    """Upgrade state.json of a run from any version."""
    if "schema" in values:
        return values
    task, upgraded = _run_values(values, values.get("kind", "images"))
    known = ("run", "model", "seed", "config_hash", "status", "error", "total_steps", "step", "test_reads")
    return {
        "schema": SCHEMA,
        "task": task,
        **{key: values[key] for key in known if key in values},
        **upgraded,
    }


def upgrade_comparison(values: dict[str, Any]) -> dict[str, Any]:
    """Upgrade comparison.json from any version. Missing keys and wrong types stay: `read_comparison` reports them."""
    values = _with_rule(values)
    if "schema" in values:
        return values
    kind = values.get("kind", "images")
    old = dict(values)
    old.pop("kind", None)
    models, runs, data = old.pop("models", None), old.get("runs"), old.get("data")
    upgraded: dict[str, Any] = {"schema": SCHEMA, "task": OLD_KINDS.get(kind, OLD_KINDS["images"])[0], **old}
    if isinstance(models, list):
        upgraded["candidates"] = [_old_candidate(model) for model in models]
    if isinstance(runs, list):
        upgraded["runs"] = [_old_row(row, kind) for row in runs]
    if isinstance(data, dict):
        known = ("name", "num_train", "num_val", "num_test", "class_names")
        facts = {key: value for key, value in data.items() if key not in known}
        upgraded["data"] = {**{key: data[key] for key in known if key in data}, "facts": facts}
    return upgraded


def upgrade_summary(values: dict[str, Any]) -> dict[str, Any]:
    """Upgrade summary.json from any version. An old verdict, a single sentence, gets an empty headline."""
    if "schema" in values:
        return {**values, "contrasts": [_adjusted(each) for each in values.get("contrasts", [])]}
    kind = values.get("kind", "images")
    task, speed, metrics = OLD_KINDS.get(kind, OLD_KINDS["images"])
    return {
        "schema": SCHEMA,
        "task": task,
        "candidates": [_old_summary(model, speed, metrics) for model in values.get("models", [])],
        "contrasts": [_old_contrast(pair, metrics) for pair in values.get("pairs", [])],
        "best_by_val": values.get("best_by_val"),
        "verdict": {"headline": "", "sentence": values.get("verdict", "")},
        "notes": values.get("notes", []),
    }


def _with_rule(values: dict[str, Any]) -> dict[str, Any]:
    """The values with today's rule in place of an earlier one in the protocol."""
    protocol = values.get("protocol")
    if not isinstance(protocol, list):
        return values
    return {**values, "protocol": [OLD_RULE.sub(RULE, each) if isinstance(each, str) else each for each in protocol]}


def _adjusted(contrast: dict[str, Any]) -> dict[str, Any]:
    """The contrast with the adjusted p-values under their present name."""
    return {**contrast, "metrics": {name: _renamed(found) for name, found in contrast["metrics"].items()}}


def _renamed(difference: dict[str, Any]) -> dict[str, Any]:
    return {"p_adjusted" if key == "p_holm" else key: value for key, value in difference.items()}


def _run_values(values: dict[str, Any], kind: str) -> tuple[str, dict[str, Any]]:
    """The task, and the values that a state and a row share: costs, and scores as `evals`."""
    task, speed, metrics = OLD_KINDS.get(kind, OLD_KINDS["images"])
    kept = ("steps", "epochs", "train_seconds", "peak_memory_bytes", "num_params", "num_macs")
    evals: dict[str, dict[str, float]] = {}
    for split in SPLITS:
        found = {name: values.get(f"{split}_{name}") for name in metrics}
        scores = {name: value for name, value in found.items() if value is not None}
        if scores:
            evals[split] = scores
    names = (key for key in values if key in EXTRAS or key.startswith(HALF_PRECISION))
    extras = {key: values[key] for key in names if values[key] is not None}
    shared = {key: values[key] for key in kept if key in values}
    return task, {**shared, "items_per_second": values.get(speed), "evals": evals, "extras": extras}


def _old_candidate(model: Any) -> Any:
    if not isinstance(model, dict):
        return model
    return {**model, "model": model["name"]} if "name" in model else model


def _old_row(row: Any, kind: str) -> Any:
    if not isinstance(row, dict):
        return row
    known = ("run", "folder", "seed", "status", "error", "config_hash")
    shared = {key: row[key] for key in known if key in row}
    if "model" in row:
        shared["candidate"] = row["model"]
    return {**shared, **_run_values(row, kind)[1]}


def _old_summary(model: dict[str, Any], speed: str, metrics: tuple[str, ...]) -> dict[str, Any]:
    known = ("name", "title", "family", "num_params", "num_macs", "num_runs", "num_failed", "epochs", "train_seconds")
    return {
        **{key: model[key] for key in (*known, "peak_memory_bytes") if key in model},
        "items_per_second": model.get(speed),
        "evals": {split: _by_metric(model[split], metrics) for split in SPLITS if split in model},
        "extras": {key: model[key] for key in ("decode_seconds", "words_per_second") if key in model},
        "details": {key: model[key] for key in DETAILS if key in model},
    }


def _old_contrast(pair: dict[str, Any], metrics: tuple[str, ...]) -> dict[str, Any]:
    rest = {key: value for key, value in pair.items() if key not in ("a", "b")}
    return _adjusted({"a": pair["a"], "b": pair["b"], "metrics": _by_metric(rest, metrics)})


def _by_metric(values: dict[str, Any], metrics: tuple[str, ...]) -> dict[str, Any]:
    """Key the old numbers by metric. A task with one metric stored its numbers directly; others stored them by metric name."""
    return {metrics[0]: values} if len(metrics) == 1 else {name: values[name] for name in metrics}
