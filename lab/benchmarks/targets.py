"""Compute targets, results and the upper limits of this machine from the record. Measures nothing."""

import statistics
from typing import Any

from lab.benchmarks.contenders import LIBRARIES

FLOPS_TRAINING, FLOPS_INFERENCE = 6, 2
"""Flop per multiply-add of the forward pass: two, times three in training (forward, backward for inputs and for weights)."""
AS_IT_COMES = "fp32"
PRODUCTS = "matrix products, convolutions"
"""The kind of work that cannot be avoided. At best, the other kinds of the profile would take no time."""
BATCH = 128


def targets(record: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per target. `measured` is None if the other side failed."""
    races = record["races"]
    timm = [row for row in races["timm"]["rows"] if row["setting"] == AS_IT_COMES and not row["error"]]
    step, batch = our_seconds(record, "train"), our_seconds(record, "predict")
    cnn_step, epoch = (races[name]["rows"][0]["train"]["median_seconds"] for name in ("cnn", "epoch"))
    epoch_steps = races["epoch"]["images"] / BATCH
    return [
        _row(record, "ViT training, over the best-tuned peer", 1.5, best_peer(record, "train"), step),
        _row(record, "ViT training, over timm as it comes", 6.0, timm[0] if timm else None, step),
        _row(record, "CNN training, over plain torch", 4.0, ran(races["cnn"]["rows"][1]), cnn_step, work="cnn"),
        _row(
            record, "a whole `fit` epoch, over the usual script", 6.0, ran(races["epoch"]["rows"][1]), epoch,
            steps=epoch_steps,
        ),
        _row(record, "ViT inference, over the best peer", 2.0, best_peer(record, "predict"), batch, work="vit, inference"),
    ]  # fmt: skip


def ideal_seconds(record: dict[str, Any], macs: int, flops: int, batch: int = BATCH) -> float:
    """Seconds of a step of `batch` images if it did only its matrix products, each at the best measured speed."""
    return flops * macs * batch / (1e9 * max(record["ceiling"]["best_gflops"].values()))


def ran(row: dict[str, Any]) -> dict[str, Any] | None:
    """The row; None if its contender failed."""
    return None if row["error"] else row


def best_peer(record: dict[str, Any], what: str) -> dict[str, Any] | None:
    """The fastest setting of all libraries at batch 128, by its ratio to ours in the same race."""
    rows = [
        row
        for library in LIBRARIES
        for row in record["races"].get(library, {"rows": []})["rows"]
        if row["library"] == library and not row["error"]
    ]
    return min(rows, key=lambda row: row[what]["ratio"], default=None)


def our_seconds(record: dict[str, Any], what: str) -> float:
    """Seconds of our step at batch 128: the median over its races."""
    return statistics.median(
        race["rows"][0][what]["median_seconds"] for name, race in record["races"].items() if name in ("ours", *LIBRARIES)
        if what in race["rows"][0]
    )  # fmt: skip


def _row(
    record: dict[str, Any],
    what: str,
    target: float,
    theirs: dict[str, Any] | None,
    ours: float,
    *,
    work: str = "vit",
    steps: float = 1.0,
) -> dict[str, Any]:
    """`limit` and `limit_in_our_step`: the ratios of a step that takes no longer than its matrix products.

    `limit` uses the machine's best speed for the products, `limit_in_our_step` their speed in our own step. The seconds of the
    other side are its ratio times `ours`, our seconds. Ratios do not depend on when a race was run; absolute seconds do.
    """
    row: dict[str, Any] = {"what": what, "target": target, "against": None, "measured": None, "met": False}
    if theirs is None:
        return row
    inference = work.endswith("inference")
    found, profile = theirs["predict" if inference else "train"], record["profile"][work]
    ideal = ideal_seconds(record, profile["num_macs"], FLOPS_INFERENCE if inference else FLOPS_TRAINING)
    seconds = found["ratio"] * ours
    return {
        **row,
        "against": theirs["name"],
        "measured": found["ratio"],
        "low": found["ratio_low"],
        "high": found["ratio_high"],
        "met": found["ratio"] >= target,
        "limit": seconds / (steps * ideal),
        "limit_in_our_step": seconds / (steps * profile["step_seconds"] * profile["shares"][PRODUCTS]),
    }
