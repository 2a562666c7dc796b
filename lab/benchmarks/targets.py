"""What was aimed at, what was reached, and what this machine allows at most: arithmetic on the record, nothing measured here."""

import statistics
from typing import Any

from lab.benchmarks.contenders import LIBRARIES

FLOPS_TRAINING, FLOPS_INFERENCE = 6, 2
"""Of a multiply-add of the forward pass: two, and training makes it three times (backward: once for inputs, once for weights)."""
AS_IT_COMES = "fp32"
PRODUCTS = "matrix products, convolutions"
"""The kind of work that has no way around; the profile's other kinds could, at best, cost nothing."""
BATCH = 128


def targets(record: dict[str, Any]) -> list[dict[str, Any]]:
    """One row a target; `measured` is None where the other side failed."""
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
    """Of a step of `batch` images that is nothing but its matrix products, each at the best speed measured here."""
    return flops * macs * batch / (1e9 * max(record["ceiling"]["best_gflops"].values()))


def ran(row: dict[str, Any]) -> dict[str, Any] | None:
    """The row, or None where its contender failed."""
    return None if row["error"] else row


def best_peer(record: dict[str, Any], what: str) -> dict[str, Any] | None:
    """The fastest setting of any library at batch 128, judged by its ratio to ours in the same race."""
    rows = [
        row
        for library in LIBRARIES
        for row in record["races"].get(library, {"rows": []})["rows"]
        if row["library"] == library and not row["error"]
    ]
    return min(rows, key=lambda row: row[what]["ratio"], default=None)


def our_seconds(record: dict[str, Any], what: str) -> float:
    """Of our step at batch 128: the median over the races that it ran in."""
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
    """`limit` and `limit_in_our_step`: the ratio that a step would reach which takes no longer than its products.

    The first computes them at the machine's best speed, the second as fast as our own step does. The other side's seconds are its
    ratio times `ours`, our seconds: those of its own race are of the minutes in which that was run, and a ratio is not.
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
