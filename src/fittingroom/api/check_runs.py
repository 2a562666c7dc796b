"""What finished runs say about their data: doubtful labels, and what near-duplicates in the test part are worth."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from fittingroom.api.runs import load_run
from fittingroom.comparison.leaks import leak_count, without
from fittingroom.comparison.pictures.leaks import leaks, own_rows
from fittingroom.comparison.summary import read_runs, summarise_runs
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_comparison
from fittingroom.data.images.check import ImageCheck
from fittingroom.data.images.guard.labels import doubtful
from fittingroom.tasks.classification.scoring import read_predictions


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
            rows = own_rows(check, part, found.index.tolist(), [names[label] for label in found.labels.tolist()], each)
            for row, probs in zip(rows, found.probs, strict=True):
                sums[row] = sums.get(row, 0) + probs
                counts[row] = counts.get(row, 0) + 1
    rows = sorted(sums)
    number = {name: place for place, name in enumerate(names)}
    labels = np.array([number[check.scan.good[row].label] for row in rows])
    return check.with_labels(doubtful(labels, np.stack([sums[row] / counts[row] for row in rows])), names, rows)


def with_leaks(check: ImageCheck, folder: Path) -> ImageCheck:
    """With the verdict of the comparison in `folder`, and the verdict without test pictures whose near-duplicate is not in test.

    Nothing is added if there is no leak.
    """
    record = read_comparison(folder)
    runs = read_runs(folder, record)
    test, leaking = leaks(check, folder, record, runs)
    found = test.index[leaking].tolist()
    if not found:
        return check
    remarks = (
        leak_count(record, runs, found),
        f"verdict with them: {summarise_runs(record, runs).verdict}",
        f"verdict without them: {summarise_runs(record, without(runs, found)).verdict}",
    )
    return replace(check, remarks=(*check.remarks, *remarks))
