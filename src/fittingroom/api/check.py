"""`check_data`: what may be wrong with your images."""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.api.data import Data, load_data
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.text import epochs_text, shown
from fittingroom.data.images.check import ImageCheck, check_images
from fittingroom.data.images.clean import check_target, write_clean
from fittingroom.data.images.guard.findings import Finding
from fittingroom.data.images.guard.labels import doubtful
from fittingroom.data.images.load import is_images, is_pictures
from fittingroom.data.images.split_file import FILE as SPLIT_FILE
from fittingroom.data.images.table import read_rows

FOLDS = 3
"""Networks that are trained to judge labels. Each judges the images that it did not train on."""
MODEL, SIZE = "cnn", "tiny"
SEEN = 250_000
"""Images that each network sees in training, roughly."""
LEAST_EPOCHS, MOST_EPOCHS = 5.0, 40.0
SMALL, LEAST_BATCH = 2_000, 8
"""With fewer images, a step has a twentieth of those of a fold, but at least this many: or the networks would take few steps."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class DataCheck:
    """What was found in a data set of images."""

    check: ImageCheck

    @property
    def ok(self) -> bool:
        """Whether every file can be read and training would start."""
        return self.check.ok

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Each kind of fault that occurs: `kind`, `title`, `advice`, `sets` of positions in `names`, and `details`."""
        return self.check.findings

    @property
    def names(self) -> list[str]:
        """The names of the readable pictures."""
        return [each.name for each in self.check.scan.good]

    def finding(self, kind: str) -> Finding | None:
        """The finding of this kind, such as `near-duplicates`; None if there is none."""
        return next((each for each in self.findings if each.kind == kind), None)

    def to_dict(self) -> dict[str, Any]:
        """What `data check --json` prints."""
        return self.check.to_dict()

    def write_html(self, path: str | Path) -> Path:
        """Write a page with thumbnails of what was found, and return its path."""
        from fittingroom.report.check_page import write_check_page

        return write_check_page(self.check, Path(path))

    def write_clean(self, path: str | Path) -> int:
        """Write a table that `load_data` reads, with groups and without copies; return how many pictures it leaves out."""
        check_target(Path(path), self.check.scan.source, self.check.scan.in_files)
        return write_clean(self.check.scan, self.check.group, Path(path))

    def __repr__(self) -> str:
        found = [f"{each.kind} {each.number:,}" for each in self.findings]
        return f"DataCheck({self.check.scan.title}: {', '.join(found) or 'nothing found'})"


def check_data(
    data: Data | str | Path = "fashion-mnist",
    *,
    labels: bool = False,
    run: str | Path | None = None,
    epochs: float | None = None,
    say: Say | None = None,
) -> DataCheck:
    """Look for copies, near-duplicates, faulty pictures and, on request, wrong labels. Nothing is changed.

    With `labels`, three small networks are trained for `epochs` to judge the labels of images that they did not see. With `run`,
    the predictions of a finished run or comparison are taken instead. `say` is called with each sentence about progress.
    Raises FittingRoomError for data that are no images.
    """
    source = load_data(data)
    if not is_images(source.source) or source.asked.train is not None:
        raise FittingRoomError(
            f"check_data checks images, and {shown(source.source)} holds none: give a folder, table or arrays"
        )
    if epochs is not None and (run is not None or not labels):
        raise FittingRoomError("epochs is the length of the training that judges labels: give it with labels alone")
    folders = [] if run is None else _runs_in(Path(run))
    found = check_images(source.source, source.data_dir, source.asked.pictures)
    if folders:
        found = _judged_by_runs(found, folders)
    elif labels:
        found = _judged(found, source, epochs, say or (lambda text: None))
    return DataCheck(found)


def _judged(check: ImageCheck, data: Data, epochs: float | None, say: Say) -> ImageCheck:
    """With the doubts of networks that are trained for it."""
    from dataclasses import replace

    from fittingroom.api.events import training_progress
    from fittingroom.api.runs import configure
    from fittingroom.data.images.joined import Joined
    from fittingroom.data.images.load import open_images
    from fittingroom.tasks.classification.folds import NEVER, FoldTask, draw_folds
    from fittingroom.tasks.classification.scoring import read_predictions
    from fittingroom.training.fit import FitOptions, fit

    pictures = data.asked.pictures
    if is_pictures(data.source):
        data = Data(data.source, request=replace(data.asked, pictures=replace(pictures, skip_bad=True)))
    opened = open_images(data.source, data.data_dir, data.asked.pictures)
    parts = {"train": opened.load_train(), "val": opened.load_val and opened.load_val(), "test": opened.load_test()}
    images = Joined([each for each in parts.values() if each is not None])
    rows = _rows(check, {part: each.index.tolist() for part, each in parts.items() if each is not None})
    labels = images.labels.numpy()
    folds = draw_folds(labels.tolist(), check.group[rows].tolist(), FOLDS)
    judged = (folds != NEVER).numpy()
    if not judged.any():
        raise FittingRoomError(f"{check.scan.title} has too few pictures of each class to judge labels: omit --labels")
    length = epochs or min(MOST_EPOCHS, max(LEAST_EPOCHS, math.ceil(SEEN / len(images))))
    say(f"judging labels: {FOLDS} small networks train for {epochs_text(length)} each on two thirds of the images")
    steps = {"batch_size": max(LEAST_BATCH, len(images) // 30)} if len(images) < SMALL else {}
    config = configure(MODEL, data, epochs=length, settings={"size": SIZE, **steps})
    probs = np.zeros((len(images), opened.spec.num_classes), np.float32)
    with tempfile.TemporaryDirectory(prefix="fittingroom-labels-") as place:
        for fold in range(FOLDS):
            task = FoldTask(config, opened.spec, images, folds, fold)
            folder = Path(place) / f"fold-{fold}"
            with training_progress(f"labels {fold + 1} of {FOLDS}", None) as tell:
                fit(config, FitOptions(folder=folder, open_test=False, progress=tell), task)
            found = read_predictions(folder, opened.spec.num_classes)["val"]
            probs[found.index] = found.probs
    kept = np.flatnonzero(judged)
    return check.with_labels(
        doubtful(labels[kept], probs[kept]), opened.spec.class_names, [rows[place] for place in kept.tolist()]
    )


def _rows(check: ImageCheck, indices: dict[str, list[int]]) -> list[int]:
    """The positions in the check of the images at `indices` of each part, one part after the other."""
    if check.scan.in_files:
        return [index for each in indices.values() for index in each]
    place = {each.name: row for row, each in enumerate(check.scan.good)}
    return [place[f"{part} {index}"] for part, each in indices.items() for index in each]


def _runs_in(folder: Path) -> list[Path]:
    """The folder of a finished run, or those of the finished runs of a comparison. Raises FittingRoomError if there are none."""
    from fittingroom.api.runs import load_run
    from fittingroom.core.records import read_comparison

    folders = [folder]
    if (folder / "comparison.json").exists():
        folders = [folder / row.folder for row in read_comparison(folder).finished()]
    if not folders:
        raise FittingRoomError(f"{folder} has no finished run: run the comparison first")
    for each in folders:
        if not (load_run(each).folder / "predictions.npz").exists():
            raise FittingRoomError(f"{each} has no predictions.npz: give the folder of a run that you trained")
    return folders


def _judged_by_runs(check: ImageCheck, folders: list[Path]) -> ImageCheck:
    """With the doubts of finished runs, about the images of their validation and test parts."""
    from fittingroom.api.runs import load_run
    from fittingroom.tasks.classification.scoring import read_predictions

    sums: dict[int, np.ndarray] = {}
    counts: dict[int, int] = {}
    names: tuple[str, ...] = ()
    for each in folders:
        names = getattr(load_run(each).spec, "class_names", ())
        if not names:
            raise FittingRoomError(f"{each} is no run on images: give one that was trained on {check.scan.title}")
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
        names = [row["path"] for row in read_rows(folder / SPLIT_FILE)]
        rows = [place.get(names[each], -1) if each < len(names) else -1 for each in index]
    else:
        kind = {"val": "val" if "val" in check.scan.parts else "train"}.get(part, part)
        rows = [place.get(f"{kind} {each}", -1) for each in index]
    if any(row < 0 or good[row].label != label for row, label in zip(rows, labels, strict=True)):
        raise FittingRoomError(
            f"{folder} was trained on other data than {check.scan.title}: give a run on the same images"
        )
    return rows
