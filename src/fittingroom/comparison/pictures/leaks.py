"""Find near-duplicates of test pictures in training or validation, after the last run of a comparison.

Exact copies of test pictures are left out of training, so they are no leak.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from fittingroom.comparison.leaks import FILE
from fittingroom.comparison.summary import read_runs
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import ComparisonRecord
from fittingroom.core.rundir import read_json, write_json
from fittingroom.data.images.check import ImageCheck, check_images
from fittingroom.data.images.dataset import IMAGE_DATA
from fittingroom.data.images.split_file import FILE as SPLIT_FILE
from fittingroom.data.images.table import read_rows
from fittingroom.tasks.classification.scoring import ClassPredictions

MOST_CHECKED = 20_000
"""Pictures that a comparison checks by itself, at most: more take over half a minute. `data check --from` checks any number."""

Runs = Mapping[str, Mapping[int, Mapping[str, Any]]]
"""Candidate -> seed -> part -> predictions."""


def write_leaks(folder: Path, record: ComparisonRecord, task: Any) -> None:
    """Write leaks.json, with the positions of the test pictures that leak. Data sets by name and large ones are not checked."""
    config, data, path = task.config, record.data, folder / FILE
    number = sum(each or 0 for each in (data.num_train, data.num_val, data.num_test))
    if config.data in IMAGE_DATA.names() or number > MOST_CHECKED:
        return
    if path.exists() and read_json(path).get("digest") == data.digest:
        return
    with suppress(FittingRoomError):  # the originals have gone since they were decoded
        check = check_images(config.data, task.data_dir, config.pictures)
        test, leaking = leaks(check, folder, record, read_runs(folder, record))
        write_json(path, {"digest": data.digest, "test_index": test.index[leaking].tolist()})


def leaks(
    check: ImageCheck, folder: Path, record: ComparisonRecord, runs: Runs
) -> tuple[ClassPredictions, Bool[np.ndarray, " test"]]:
    """The predictions of one run for the test pictures, and which of these have a near-duplicate outside.

    In a cross-validation all pictures are test pictures. There, a near-duplicate leaks unless it has the same group, which the
    folds never divide. Raises FittingRoomError if the comparison has other data than the check.
    """
    first = next(row for row in record.finished())
    seeds = next(found for found in runs.values() if found)
    test = next(iter(seeds.values()))["test"]
    names = record.data.class_names
    labels = [names[label] for label in test.labels.tolist()]
    rows = own_rows(check, "test", test.index.tolist(), labels, folder / first.folder)
    if "folds" not in record.data.facts:
        return test, with_twin_outside(check, rows)
    group = np.arange(len(rows)) if test.group is None else test.group
    return test, with_twin_in_another_group(check, rows, group)


def own_rows(check: ImageCheck, part: str, index: Sequence[int], labels: Sequence[str], folder: Path) -> list[int]:
    """The positions in the check of a run's predictions. Raises FittingRoomError if they are of other data."""
    good = check.scan.good
    place = {each.name: row for row, each in enumerate(good)}
    if check.scan.in_files:
        names = [row["path"] for _, row in read_rows(folder / SPLIT_FILE)]
        rows = [place.get(names[each], -1) if each < len(names) else -1 for each in index]
    else:
        kind = {"val": "val" if "val" in check.scan.parts else "train"}.get(part, part)
        rows = [place.get(f"{kind} {each}", -1) for each in index]
    if any(row < 0 or good[row].label != label for row, label in zip(rows, labels, strict=True)):
        raise FittingRoomError(
            f"{folder} was trained on other data than {check.scan.title}: give a run on the same images"
        )
    return rows


def with_twin_outside(check: ImageCheck, rows: Sequence[int]) -> Bool[np.ndarray, " rows"]:
    """Which of the test pictures at `rows` have a near-duplicate that is no test picture."""
    good, group, inside = check.scan.good, check.group, set(rows)
    outside: dict[int, set[bytes]] = {}
    for place, number in enumerate(group.tolist()):
        if place not in inside:
            outside.setdefault(number, set()).add(good[place].digest)
    return np.array([bool(outside.get(int(group[row]), set()) - {good[row].digest}) for row in rows], bool)


def with_twin_in_another_group(
    check: ImageCheck, rows: Sequence[int], groups: Int[np.ndarray, " rows"]
) -> Bool[np.ndarray, " rows"]:
    """Which of the pictures at `rows` have a near-duplicate in another of the `groups`."""
    good, alike = check.scan.good, check.group
    members: dict[int, set[tuple[int, bytes]]] = {}
    for row, group in zip(rows, groups.tolist(), strict=True):
        members.setdefault(int(alike[row]), set()).add((group, good[row].digest))
    return np.array(
        [
            any(other != group and digest != good[row].digest for other, digest in members[int(alike[row])])
            for row, group in zip(rows, groups.tolist(), strict=True)
        ],
        bool,
    )
