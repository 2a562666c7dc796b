"""Read a comparison's folder into what the page shows; files are checked here, so that drawing can trust them."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.metrics import ACCURACY, PAIRS, kind_of, measures_of
from fittingroom.comparison.pair_predictions import PairPredictions
from fittingroom.comparison.pair_summary import read_pair_runs
from fittingroom.comparison.predictions import read_predictions
from fittingroom.comparison.summary import summarise
from fittingroom.core.archives import MEND, open_arrays
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.report.alignment import Alignments, read_alignments
from fittingroom.report.explorer import Explorer, read_explorer

COLUMNS = ("seconds", "lr", "train_loss")
SHOWN = {"command": str, "created": str, "version": str, "protocol": list, "environment": dict}


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One run over its training, arrays [rows] of metrics.csv; not-a-number where a row does not hold the value.

    `columns` are those of `COLUMNS` and the validation score that the comparison is by.
    """

    seed: int
    columns: dict[str, NDArray[np.float64]]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Since the start of the run."""
        return self.columns["seconds"]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images on which models disagree: `images` uint8 [n, height, width] or [n, height, width, 3], `labels` [n].

    `probs` maps a model's name to its probabilities, mean over its seeds, [n, classes].
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    probs: dict[str, NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that the page shows. `gallery` is None where there is nothing to disagree on, or not yet; so is `explorer`.

    Of pairs there is neither, but `answers`: by model and seed, what was written for the test words; and `alignments`, where
    the comparison has come so far.
    """

    facts: dict[str, Any]
    summary: dict[str, Any]
    curves: dict[str, list[Curve]]
    gallery: Gallery | None
    explorer: Explorer | None
    answers: dict[str, dict[int, PairPredictions]] | None
    alignments: Alignments | None
    failed: list[dict[str, Any]]
    missing: list[str]


def load(folder: Path) -> Comparison:
    """Read the comparison in `folder`, finished or not. Raises FittingRoomError that names the file and the fix."""
    summary = summarise(folder)
    facts = read_json(folder / "comparison.json")
    _check_shown(facts, folder / "comparison.json")
    finished = [row for row in facts["runs"] if row["status"] == "finished"]
    missing = _missing_runs(facts)
    names = [model["name"] for model in facts["models"]]
    is_pairs, column = kind_of(facts) == PAIRS, measures_of(facts)[0].column
    curves: dict[str, list[Curve]] = {}
    for row in finished:
        path = folder / row["folder"] / "metrics.csv"
        curves.setdefault(row["model"], []).append(read_curve(path, row["seed"], column))
    return Comparison(
        facts=facts,
        summary=summary,
        curves=curves,
        gallery=None if is_pairs else _read_gallery(folder, facts, finished, complete=not missing),
        explorer=None if is_pairs else read_explorer(folder, names, len(facts["data"]["class_names"])),
        answers=_read_answers(folder, facts) if is_pairs else None,
        alignments=read_alignments(folder, names) if is_pairs else None,
        failed=[row for row in facts["runs"] if row["status"] == "failed"],
        missing=missing,
    )


def read_curve(path: Path, seed: int, score: str = ACCURACY.column) -> Curve:
    """The rows of a run's metrics.csv, with the column `score`.

    Raises FittingRoomError where the file is missing or not what `fit` writes.
    """
    try:
        names = (*COLUMNS, score)
        rows = _read_rows(path, names)
        columns = {name: np.array([float(row[name] or "nan") for row in rows]) for name in names}
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} is missing: delete {path.parent} and run the comparison again") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise FittingRoomError(
            f"{path} is damaged ({error}): delete {path.parent} and run the comparison again"
        ) from error
    return Curve(seed=seed, columns=columns)


def _read_answers(folder: Path, facts: dict[str, Any]) -> dict[str, dict[int, PairPredictions]]:
    runs = read_pair_runs(folder, facts)
    return {name: {seed: splits["test"] for seed, splits in found.items()} for name, found in runs.items() if found}


def _read_rows(path: Path, names: tuple[str, ...]) -> list[dict[str, str]]:
    reader = csv.DictReader(path.read_text(encoding="utf-8").splitlines(), strict=True)
    absent = [name for name in names if name not in (reader.fieldnames or ())]
    if absent:
        raise ValueError(f"no column '{absent[0]}'")
    return list(reader)


def _check_shown(facts: dict[str, Any], path: Path) -> None:
    """What the page shows beyond the summary's needs, which `summarise` has checked."""
    for key, kind in SHOWN.items():
        if not isinstance(facts.get(key), kind):
            raise FittingRoomError(f"{path} lacks a proper '{key}': run the comparison again to write it anew")


def _missing_runs(facts: dict[str, Any]) -> list[str]:
    done = {(row["model"], row["seed"]) for row in facts["runs"] if row["status"] in ("finished", "failed")}
    planned = [(model["name"], seed) for model in facts["models"] for seed in facts["seeds"]]
    return [f"{name}-seed{seed}" for name, seed in planned if (name, seed) not in done]


def _read_gallery(
    folder: Path, facts: dict[str, Any], finished: list[dict[str, Any]], complete: bool
) -> Gallery | None:
    path = folder / "gallery.npz"
    models = list(dict.fromkeys(row["model"] for row in finished))
    if len(models) < 2 or not (complete or path.exists()):
        return None
    num_classes = len(facts["data"]["class_names"])
    missing = "run the comparison again, finished runs are kept"
    with open_arrays(path, missing=missing, damaged=MEND) as archive:
        images, labels, index = (archive[name] for name in ("images", "labels", "test_index"))
        _check_images(images, labels, index, num_classes)
        if not len(images):
            return None
        folders = {name: [folder / row["folder"] for row in finished if row["model"] == name] for name in models}
        probs = {name: _mean_probs(found, num_classes, index) for name, found in folders.items()}
    return Gallery(images=images, labels=labels.astype(np.int64), probs=probs)


def _check_images(images: NDArray[Any], labels: NDArray[Any], index: NDArray[Any], num_classes: int) -> None:
    num_images = len(labels)
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise ValueError(f"images are {images.dtype} {images.shape}")
    if labels.shape != (num_images,) or len(images) != num_images or index.shape != (num_images,):
        raise ValueError(f"{len(images)} images, {num_images} labels, {len(index)} positions")
    if num_images and int(labels.max()) >= num_classes:
        raise ValueError(f"labels lie outside 0 to {num_classes - 1}")


def _mean_probs(folders: list[Path], num_classes: int, index: NDArray[Any]) -> NDArray[np.float64]:
    """Probabilities at the test images `index`, [n, classes], mean over the runs in `folders`."""
    found = []
    for folder in folders:
        test = read_predictions(folder, num_classes)["test"]
        rows = {int(position): row for row, position in enumerate(test.index)}
        absent = [int(position) for position in index if int(position) not in rows]
        if absent:
            raise ValueError(f"test image {absent[0]} is not among the predictions of {folder.name}")
        found.append(test.probs[[rows[int(position)] for position in index]])
    return np.asarray(np.mean(found, axis=0, dtype=np.float64))
