"""The published table of what `data check` finds, from results/guard/planted.json, which lab/guard_faults.py writes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parents[1] / "results" / "guard" / "planted.json"


def guard() -> str:
    """One row per kind of planted fault, and sentences on the rest."""
    found: dict[str, Any] = json.loads(RECORD.read_text())
    rows = found["faults"]["rows"]
    lines = ["| planted in Fashion-MNIST | number | found | false alarms |", "|---|---:|---:|---:|"]
    lines += [
        f"| {row['title']} | {row['planted']} | {row['found']} | {row.get('false', 'see below')} |" for row in rows
    ]
    labels, clean, faults = found["labels"], found["clean"], found["faults"]
    near = sum(number for kind, number in clean["findings"].items() if kind.startswith("near-duplicates"))
    others = {kind: number for kind, number in clean["findings"].items() if not kind.startswith("near-duplicates")}
    said = ", ".join(f"{kind} {number}" for kind, number in others.items()) or "nothing else"
    return "\n".join(
        [
            *lines,
            "",
            f"In Fashion-MNIST as it is, {near:,} sets of near-duplicates are found, and {said}. "
            f"{100 * labels['flipped'] / labels['images']:.0f} % of its labels changed at random ({labels['flipped']:,} of "
            f"{labels['images']:,}): `--labels` lists {labels['listed']:,} pictures, among them {100 * labels['recall']:.1f} % "
            f"of the changed ones; {100 * labels['precision']:.1f} % of the list are changed labels, and "
            f"{100 * labels['precision_of_first']['1000']:.1f} % of its first thousand. Looking at {faults['images']:,} pictures "
            f"took {faults['cpu_seconds'] / 60:.1f} minutes of one core, judging labels {labels['cpu_seconds'] / 60:.0f}.",
            "",
        ]
    )


TABLES: dict[str, Callable[[], str]] = {"guard": guard}
