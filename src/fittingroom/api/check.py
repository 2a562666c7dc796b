"""`check_data`: what may be wrong with your images."""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.api.check_runs import judged_by_runs, runs_in, with_leaks
from fittingroom.api.data import Data, load_data
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.text import epochs_text, shown
from fittingroom.core.torch_settings import usual_torch
from fittingroom.data.images.check import ImageCheck, check_images
from fittingroom.data.images.clean import check_target, write_clean
from fittingroom.data.images.guard.findings import Finding
from fittingroom.data.images.guard.labels import doubtful
from fittingroom.data.images.load import is_images, is_pictures

FOLDS = 3
"""Networks that are trained to judge labels. Each judges the images that it did not train on."""
MODEL, SIZE = "cnn", "tiny"
SEEN = 200_000
"""Images that each network sees in training, roughly."""
LEAST_EPOCHS, MOST_EPOCHS = 3.0, 40.0
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
    def remarks(self) -> tuple[str, ...]:
        """With a comparison that has leaks: how many, and the verdict with and without them."""
        return self.check.remarks

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


@usual_torch()
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
    the predictions of a finished run or comparison are taken instead; `remarks` then say what leaks are worth. `say` is called
    with each sentence about progress.
    Raises FittingRoomError for data that are no images.
    """
    source = load_data(data)
    if not is_images(source.source) or source.asked.train is not None:
        raise FittingRoomError(
            f"check_data checks images, and {shown(source.source)} holds none: give a folder, table or arrays"
        )
    if epochs is not None and (run is not None or not labels):
        raise FittingRoomError(
            "epochs sets the length of the training for labels: give it only with labels=True and without run"
        )
    folders = [] if run is None else runs_in(Path(run))
    found = check_images(source.source, source.data_dir, source.asked.pictures)
    if run is not None:
        found = judged_by_runs(found, folders)
        found = with_leaks(found, Path(run)) if folders != [Path(run)] else found
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
