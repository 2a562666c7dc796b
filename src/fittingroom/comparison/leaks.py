"""Near-duplicates of test pictures in training or validation: the verdict without them.

comparison/pictures/leaks.py finds them and writes leaks.json.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import ComparisonRecord
from fittingroom.core.rundir import read_json
from fittingroom.tasks.classification.scoring import ClassPredictions

FILE = "leaks.json"

Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Candidate -> seed -> part -> predictions."""


def leak_count(record: ComparisonRecord, runs: Runs, leaking: Sequence[int]) -> str:
    """How many of the test pictures leak, in words. `leaking` holds their positions."""
    where = "another fold" if "folds" in record.data.facts else "training or validation"
    has = "has" if len(leaking) == 1 else "have"
    return f"{len(leaking):,} of {num_tests(runs):,} test pictures {has} a near-duplicate in {where}"


def num_tests(runs: Runs) -> int:
    """The number of test pictures."""
    return len(next(parts["test"].labels for seeds in runs.values() for parts in seeds.values()))


def without(runs: Runs, leaking: Sequence[int]) -> dict[str, dict[int, dict[str, ClassPredictions]]]:
    """The runs without the test pictures at these positions of the data set."""
    return {
        name: {seed: {**parts, "test": _kept(parts["test"], leaking)} for seed, parts in seeds.items()}
        for name, seeds in runs.items()
    }


def _kept(found: ClassPredictions, leaking: Sequence[int]) -> ClassPredictions:
    rows = ~np.isin(found.index, list(leaking))
    return ClassPredictions(
        probs=found.probs[rows],
        labels=found.labels[rows],
        index=found.index[rows],
        group=None if found.group is None else found.group[rows],
    )


def read_leaks(folder: Path, record: ComparisonRecord) -> list[int] | None:
    """The positions of the test pictures that leak; None if this was not checked for this data."""
    path = folder / FILE
    if not path.exists():
        return None
    found = read_json(path)
    index = found.get("test_index")
    if not isinstance(index, list) or not all(isinstance(each, int) for each in index):
        raise FittingRoomError(f"{path} lacks 'test_index': delete it and run the comparison again")
    return index if found.get("digest") == record.data.digest else None
