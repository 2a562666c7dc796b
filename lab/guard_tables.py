"""The published table of what `data check` finds, from results/guard/planted.json, which lab/guard_faults.py writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parents[1] / "results" / "guard" / "planted.json"


def guard() -> str:
    """One row per kind of planted fault, and sentences on the rest."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    faults, labels = found["faults"], found["labels"]
    lines = ["| planted in Fashion-MNIST | number | found | false alarms |", "|---|---:|---:|---:|"]
    lines += [
        f"| {row['title']} | {row['planted']} | {row['found']} | {row.get('false', '')} |" for row in faults["rows"]
    ]
    return "\n".join(
        [
            *lines,
            "",
            f"Fashion-MNIST itself holds near-duplicates, mostly the same photo in two versions: {faults['near_sets_without_planted']} "
            f"sets without a planted picture were found beside the planted ones. Looking at {faults['images']:,} pictures took "
            f"{faults['cpu_seconds']} seconds of one core of a busy machine.",
            "",
            *([_clean(found["clean"])] if "clean" in found else []),
            f"{100 * labels['flipped'] / labels['images']:.0f} % of the labels changed at random ({labels['flipped']:,} of "
            f"{labels['images']:,} judged pictures): `--labels` lists {labels['listed']:,} pictures. "
            f"{100 * labels['recall']:.1f} % of the changed labels are on the list, and {100 * labels['precision']:.1f} % of the list "
            f"are changed labels; of its first 500, {100 * labels['precision_of_first']['500']:.1f} %. The others are pictures that the "
            "networks get wrong, and labels that were wrong before.",
            "",
        ]
    )


def _clean(clean: dict[str, Any]) -> str:
    others = {kind: number for kind, number in clean["findings"].items() if not kind.startswith("near-duplicates")}
    near = sum(clean["findings"].values()) - sum(others.values())
    said = ", ".join(f"{kind} {number}" for kind, number in others.items()) or "no other fault"
    return f"In the unchanged data set the check finds {near} sets of near-duplicates and {said}.\n"


TABLES: dict[str, Callable[[], str]] = {"guard": guard}
