"""What the report shows of single images, kept in the comparison's folder so that the page needs neither data set nor torch.

gallery.npz    the test images on which the models disagree most
explorer.npz   a few of them, and mistakes, and plain cases, with what each network looks at (schema: explain/explorer.py)
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.predictions import Predictions, read_predictions
from fittingroom.comparison.summary import disagreements, mistakes
from fittingroom.core.archives import DAMAGE
from fittingroom.core.rundir import write_atomic
from fittingroom.data.batches import normalise
from fittingroom.data.load import Splits
from fittingroom.data.spec import ImageSet
from fittingroom.evaluation.saved import load_run
from fittingroom.explain.examine import beats_random
from fittingroom.explain.explorer import explorer_arrays

GALLERY_SIZE = 36
EXPLORER_SIZE = {"mistake": 6, "disagreement": 6, "right": 4}
PROOF_IMAGES = 100
"""Validation images on which a method must beat random maps, or its caption says that it does not: seconds a model."""


def write_pictures(folder: Path, record: dict[str, Any], splits: Splits, begins: Callable[[], None]) -> None:
    """`gallery.npz` and `explorer.npz`, as far as the finished runs allow. The test images are read once, and logged.

    Nothing is done where they are younger than every run; `begins` is called where there is something to do.
    """
    found: dict[str, list[tuple[Path, Predictions]]] = {}
    for row in record["runs"]:
        if row["status"] == "finished":
            run = folder / row["folder"]
            found.setdefault(row["model"], []).append((run, read_predictions(run, splits.spec.num_classes)["test"]))
    names = [model["name"] for model in record["models"]]
    written = [run / "predictions.npz" for runs in found.values() for run, _ in runs]
    has_gallery = len(found) < 2 or (folder / "gallery.npz").exists()
    if not found or (
        has_gallery and _holds(folder / "explorer.npz", names) and _younger(folder / "explorer.npz", written)
    ):
        return
    begins()
    reads = folder / "test_reads.jsonl"
    test = splits.open_test(lambda why: _note_read(reads, why), "pictures for the report")
    if len(found) > 1:
        _write_gallery(folder, found, test)
    first = {model: runs[0] for model, runs in found.items()}
    _write_explorer(folder, names, first, splits, test)


def _write_gallery(folder: Path, found: dict[str, list[tuple[Path, Predictions]]], test: ImageSet) -> None:
    probs = {model: np.stack([predictions.probs for _, predictions in runs]) for model, runs in found.items()}
    labels = test.labels.numpy()
    chosen = disagreements(probs, labels, limit=GALLERY_SIZE)
    arrays = {
        "images": test.images[chosen, 0].numpy(),
        "labels": labels[chosen].astype(np.uint8),
        "test_index": np.asarray(chosen, dtype=np.int32),
    }
    write_atomic(folder / "gallery.npz", lambda file: np.savez_compressed(file, **arrays))


def _write_explorer(
    folder: Path, models: list[str], first: dict[str, tuple[Path, Predictions]], splits: Splits, test: ImageSet
) -> None:
    """`explorer.npz`: the first finished run of each model stands for it."""
    probs = {model: predictions.probs for model, (_, predictions) in first.items()}
    chosen, kinds = choose_images(probs, test.labels.numpy())
    if not len(chosen):
        return
    images = test.images[chosen]
    arrays = {
        "images": images[:, 0].numpy() if images.shape[1] == 1 else images.permute(0, 2, 3, 1).numpy(),
        "labels": test.labels[chosen].numpy(),
        "index": test.index[chosen].numpy(),
        "kind": kinds,
        "models": np.array(models),
    }
    for place, name in enumerate(models):
        if name in first:
            model, _ = load_run(first[name][0])
            proven = beats_random(model, normalise(splits.val.images[:PROOF_IMAGES], splits.spec))
            found = explorer_arrays(model, normalise(images, splits.spec), beats_random=proven)
            arrays |= {f"m{place}_{key}": value for key, value in found.items()}
    write_atomic(folder / "explorer.npz", lambda file: np.savez_compressed(file, **arrays))


def choose_images(
    probs: dict[str, NDArray[np.floating]], labels: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Positions and kinds of the images to explain: `probs` maps a model's name to [images, classes], `labels` is [images].

    "mistake": all models are wrong, the surest first; "disagreement": as in the gallery; "right": all are right and sure,
    one a class. No image twice.
    """
    confidence = np.mean([each.max(axis=1) for each in probs.values()], axis=0)
    right = np.stack([each.argmax(axis=1) == labels for each in probs.values()])
    surest = np.argsort(-confidence, kind="stable")
    clear = [int(position) for position in surest if right[:, position].all()]
    by_class: dict[int, int] = {}
    for position in clear:
        by_class.setdefault(int(labels[position]), position)
    candidates = {
        "mistake": mistakes(probs, labels).tolist(),
        "disagreement": disagreements({name: each[None] for name, each in probs.items()}, labels).tolist(),
        "right": list(by_class.values()),
    }
    chosen: dict[int, str] = {}
    for kind, positions in candidates.items():
        fresh = [position for position in positions if position not in chosen]
        chosen |= dict.fromkeys(fresh[: EXPLORER_SIZE[kind]], kind)
    return np.array(list(chosen), dtype=np.int64), np.array(list(chosen.values()), dtype=np.str_)


def _holds(path: Path, models: list[str]) -> bool:
    """Whether these models, in this order, stand in the file: a comparison may be made again with others."""
    try:
        with np.load(path) as archive:
            return archive["models"].tolist() == models
    except DAMAGE:
        return False


def _younger(path: Path, others: list[Path]) -> bool:
    return path.exists() and path.stat().st_mtime_ns > max(other.stat().st_mtime_ns for other in others)


def _note_read(path: Path, why: str) -> None:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    with path.open("a") as file:
        file.write(f'{{"when": "{when}", "why": "{why}"}}\n')
