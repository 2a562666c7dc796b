"""Whether the runs of a comparison were made in the same way: with one commit, one precision, on one kind of processor."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fittingroom.core.records import ComparisonRecord
from fittingroom.core.rundir import read_json

KINDS = {"commit": "commits", "precision": "precisions", "processor": "kinds of processor"}
THREADS = re.compile(r", \d+ threads?$")
NAMED = ("precision", "processor")
"""What is short or telling enough to be listed."""


def mixture(folder: Path, record: ComparisonRecord) -> str:
    """'The runs mix 2 commits and 2 precisions (bf16 and fp32).' Empty if all finished runs were made in the same way.

    Reads the environment.json of each finished run; a run without one is taken to be like the others.
    """
    paths = [folder / row.folder / "environment.json" for row in record.finished()]
    return mixture_text(_made(read_json(path)) for path in paths if path.exists())


def mixture_text(made: Iterable[Mapping[str, set[str]]]) -> str:
    """The sentence for the ways in which several runs were made: kind -> values."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for way in made:
        for kind, values in way.items():
            found[kind] |= values
    mixed = [
        f"{len(values)} {KINDS[kind]}{f' ({_listed(sorted(values))})' if kind in NAMED else ''}"
        for kind, values in found.items()
        if len(values) > 1
    ]
    return f"The runs mix {_listed(mixed)}." if mixed else ""


def _made(environment: Mapping[str, Any]) -> dict[str, set[str]]:
    """How a run was made, and how it was resumed."""
    plan, resumed = environment.get("plan"), environment.get("resumed")
    places = [environment, *(each for each in (resumed if isinstance(resumed, list) else []) if isinstance(each, dict))]
    found = {kind: {str(each[kind]) for each in places if each.get(kind)} for kind in ("commit", "processor")}
    found["processor"] = {THREADS.sub("", name) for name in found["processor"]}
    if isinstance(plan, dict) and plan.get("precision"):
        found["precision"] = {str(plan["precision"])}
    return found


def _listed(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
