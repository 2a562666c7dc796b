"""The tables of CIFAR-10 in docs/your-images.md, from results/cifar10/: a comparison, and the probe of `lab/probe_cifar.py`."""

import json
import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fittingroom.comparison.summary import summarise
from lab import sequence_tables

RESULTS = Path(__file__).parents[1] / "results"


def comparison() -> str:
    """Verdict and table of the networks from scratch."""
    return sequence_tables.printed(summarise(RESULTS / "cifar10"))


def probe() -> str:
    """The test accuracy of each network on little data, the verdict, and how long features and heads took."""
    found: dict[str, Any] = json.loads((RESULTS / "cifar10" / "probe.json").read_text())
    scores: dict[str, list[float]] = defaultdict(list)
    for row in found["comparison"]["runs"]:
        scores[row["run"].rpartition("-seed")[0]].append(100 * row["test_accuracy"])
    lines = [f"> {found['comparison']['verdict']}", "", "| network | test accuracy % |", "|---|---:|"]
    for name, values in sorted(scores.items(), key=lambda item: -statistics.mean(item[1])):
        lines.append(f"| {name} | {statistics.mean(values):.2f} ± {statistics.stdev(values):.2f} |")
    features, heads, trained = found["features"], found["heads"], found["comparison"]
    return "\n".join(
        [
            *lines,
            "",
            f"{found['data']}; {trained['epochs']:g} epochs, {trained['seeds']} seeds. Computing the features of "
            f"{features['images']:,} images took {features['seconds']:.0f} seconds on two cores. After that, a comparison of "
            f"{heads['seeds']} seeds of last layers took {heads['seconds']:.0f} seconds.",
            "",
        ]
    )


TABLES: dict[str, Callable[[], str]] = {"cifar10": comparison, "probe": probe}
