"""The published tables of what `data check` and `predict --none` find, from results/guard/.

`lab/guard_faults.py` and `lab/none_of_these.py` write the records.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

GUARD = Path(__file__).parents[1] / "results" / "guard"
RECORD = GUARD / "planted.json"


def guard() -> str:
    """One row per kind of planted fault, and sentences on the rest."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    faults, labels = found["faults"], found["labels"]
    lines = ["| planted in Fashion-MNIST | number | found |", "|---|---:|---:|"]
    lines += [f"| {row['title']} | {row['planted']} | {row['found']} |" for row in faults["rows"]]
    return "\n".join(
        [*lines, "", _near(faults), "", *([_clean(found["clean"])] if "clean" in found else []), _labels(labels), ""]
    )


def none_of_these() -> str:
    """One row per network: false alarms on test images, then the share that is found of each kind of foreign picture."""
    found: dict[str, Any] = json.loads((GUARD / "none.json").read_text())
    kinds = list(next(iter(found["networks"].values())))
    lines = [f"| *none of these*, % of | {' | '.join(kinds)} |", "|---|" + "---:|" * len(kinds)]
    for name, rows in found["networks"].items():
        shares = [f"{100 * rows[kind]['none']:.1f}" for kind in kinds]
        lines.append(f"| {name} | {' | '.join(shares)} |")
    return "\n".join([*lines, ""])


def _near(faults: dict[str, Any]) -> str:
    return (
        "Fashion-MNIST itself holds near-duplicates, mostly two versions of one photo. The check also found "
        f"{faults['near_sets_without_planted']} sets of them without a planted picture. For {faults['images']:,} "
        f"pictures, the check used {faults['cpu_seconds']} seconds of processor time, on a busy machine."
    )


def _labels(labels: dict[str, Any]) -> str:
    share = 100 * labels["flipped"] / labels["images"]
    return (
        f"We also changed {share:.0f} % of the labels at random ({labels['flipped']:,} of {labels['images']:,}). `--labels` then "
        f"lists {labels['listed']:,} pictures. {100 * labels['recall']:.1f} % of the changed labels are on the list. "
        f"{100 * labels['precision']:.1f} % of the list are changed labels. Of its first 500 entries, "
        f"{100 * labels['precision_of_first']['500']:.1f} % are changed labels. The other entries are pictures that the networks "
        "get wrong, and labels that were wrong before."
    )


def _clean(clean: dict[str, Any]) -> str:
    others = {kind: number for kind, number in clean["findings"].items() if not kind.startswith("near-duplicates")}
    near = sum(clean["findings"].values()) - sum(others.values())
    said = ", ".join(f"{kind} {number}" for kind, number in others.items()) or "no other fault"
    return f"In the unchanged data set, the check finds {near} sets of near-duplicates and {said}.\n"


TABLES: dict[str, Callable[[], str]] = {"guard": guard, "none-of-these": none_of_these}
