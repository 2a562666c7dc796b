"""What finished runs say about their data: doubtful labels, and what near-duplicates in the test part are worth."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from fittingroom.api.runs import load_run
from fittingroom.comparison.summary import read_runs, summarise_runs
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_comparison
from fittingroom.data.images.check import ImageCheck
from fittingroom.data.images.guard.labels import doubtful
from fittingroom.data.images.split_file import FILE as SPLIT_FILE
from fittingroom.data.images.table import read_rows
from fittingroom.tasks.classification.scoring import ClassPredictions, read_predictions


def runs_in(folder: Path) -> list[Path]:
    """The folder of a finished run, or those of the finished runs of a comparison. Raises FittingRoomError if there are none."""
    folders = [folder]
    if (folder / "comparison.json").exists():
        folders = [folder / row.folder for row in read_comparison(folder).finished()]
    if not folders:
        raise FittingRoomError(f"{folder} has no finished run: run the comparison first")
    for each in folders:
        if not (load_run(each).folder / "predictions.npz").exists():
            raise FittingRoomError(f"{each} has no predictions.npz: give the folder of a run that you trained")
    return folders


def judged_by_runs(check: ImageCheck, folders: list[Path]) -> ImageCheck:
    """With the doubts of finished runs, about the images of their validation and test parts."""
    sums: dict[int, np.ndarray] = {}
    counts: dict[int, int] = {}
    names: tuple[str, ...] = ()
    for each in folders:
        names = getattr(load_run(each).spec, "class_names", ())
        if not names:
            raise FittingRoomError(f"{each} is not a run on images: give one that was trained on {check.scan.title}")
        for part, found in read_predictions(each, len(names)).items():
            rows = _own_rows(check, part, found.index.tolist(), [names[label] for label in found.labels.tolist()], each)
            for row, probs in zip(rows, found.probs, strict=True):
                sums[row] = sums.get(row, 0) + probs
                counts[row] = counts.get(row, 0) + 1
    rows = sorted(sums)
    number = {name: place for place, name in enumerate(names)}
    labels = np.array([number[check.scan.good[row].label] for row in rows])
    return check.with_labels(doubtful(labels, np.stack([sums[row] / counts[row] for row in rows])), names, rows)


def _own_rows(check: ImageCheck, part: str, index: list[int], labels: list[str], folder: Path) -> list[int]:
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


def with_leaks(check: ImageCheck, folder: Path) -> ImageCheck:
    """With the verdict of the comparison in `folder`, and the verdict without test pictures whose near-duplicate is not in test.

    Exact copies of test pictures are left out of training, so they are no leak. Nothing is added if there is no leak.
    """
    record = read_comparison(folder)
    if "folds" in record.data.facts:  # of a cross-validation every picture is a test picture
        return check
    runs = read_runs(folder, record)
    first = next(row for row in record.finished())
    test = runs[first.candidate][first.seed]["test"]
    names = record.data.class_names
    rows = _own_rows(
        check, "test", test.index.tolist(), [names[label] for label in test.labels.tolist()], folder / first.folder
    )
    leaking = leaks(check, rows)
    if not leaking.any():
        return check
    kept = {
        name: {seed: {**parts, "test": _chosen(parts["test"], ~leaking)} for seed, parts in seeds.items()}
        for name, seeds in runs.items()
    }
    remarks = (
        f"{leaking.sum():,} of {len(rows):,} test pictures have a near-duplicate in training or validation",
        f"verdict with them: {summarise_runs(record, runs).verdict}",
        f"verdict without them: {summarise_runs(record, kept).verdict}",
    )
    return replace(check, remarks=(*check.remarks, *remarks))


def _chosen(found: ClassPredictions, rows: np.ndarray) -> ClassPredictions:
    return ClassPredictions(
        probs=found.probs[rows],
        labels=found.labels[rows],
        index=found.index[rows],
        group=None if found.group is None else found.group[rows],
    )


def leaks(check: ImageCheck, rows: Sequence[int]) -> np.ndarray:
    """Which of the test pictures at `rows` have a near-duplicate that is no test picture."""
    good, group, inside = check.scan.good, check.group, set(rows)
    outside: dict[int, set[bytes]] = {}
    for place, number in enumerate(group.tolist()):
        if place not in inside:
            outside.setdefault(number, set()).add(good[place].digest)
    return np.array([bool(outside.get(int(group[row]), set()) - {good[row].digest}) for row in rows], bool)
