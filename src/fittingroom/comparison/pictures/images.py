"""Data for the report's pictures of single images. It is in the comparison's folder, so the page needs no data set and no torch.

gallery.npz    the test images on which the models disagree most
leaks.json     test images of one's own with a near-duplicate in training or validation
explorer.npz   mistakes, disagreements and easy images, with explanation maps of each model (schema: explain/explorer.py)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fittingroom.comparison.pictures.leaks import write_leaks
from fittingroom.comparison.pictures.registry import draws_pictures
from fittingroom.core.archives import DAMAGE
from fittingroom.core.records import ComparisonRecord
from fittingroom.core.rundir import write_atomic
from fittingroom.data.images.batches import normalise
from fittingroom.data.spec import Source
from fittingroom.evaluation.selection import disagreements, mistakes
from fittingroom.explain.examine import beats_random
from fittingroom.explain.explorer import explorer_arrays
from fittingroom.tasks.classification.scoring import ClassPredictions, read_predictions
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.load import load_run

GALLERY_SIZE = 36
EXPLORER_SIZE = {"mistake": 6, "disagreement": 6, "right": 4}
PROOF_IMAGES = 100
"""Validation images that test whether a method beats random maps. If it does not, its caption says so."""
PROOF_PIXELS = PROOF_IMAGES * 64 * 64
"""The most pixels of all of them: a network for large images takes long for each."""


@dataclass(frozen=True, kw_only=True)
class _Run:
    """A finished run: its folder, its seed and its predictions for the test images."""

    folder: Path
    seed: int
    test: ClassPredictions


@draws_pictures("classification")
def write_image_pictures(
    folder: Path, record: ComparisonRecord, tasks: Mapping[tuple[str, int], Any], begins: Callable[[], None]
) -> None:
    """Write `gallery.npz` and `explorer.npz` as far as the finished runs allow. Read the test images once and log that.

    Does nothing if both files exist, belong to these runs and are up to date; otherwise calls `begins` first. `tasks` has a
    task for each candidate and seed. People see the images of the candidate with the smallest.
    """
    task: ClassificationTask = min(tasks.values(), key=lambda each: each.spec.height * each.spec.width)
    found: dict[str, list[_Run]] = {}
    folds = record.data.facts.get("folds")
    for row in record.finished():
        if folds and row.seed != record.seeds[0]:
            continue  # the runs of another fold have other test images
        run = folder / row.folder
        predictions = read_predictions(run, task.spec.num_classes)["test"]
        found.setdefault(row.candidate, []).append(_Run(folder=run, seed=row.seed, test=predictions))
    if found:
        write_leaks(folder, record, task)
    names = [each.name for each in record.candidates]
    of_runs = [run.folder.name for runs in found.values() for run in runs]
    written = [run.folder / "predictions.npz" for runs in found.values() for run in runs]
    has_gallery = len(found) < 2 or _holds(folder / "gallery.npz", "runs", of_runs)
    has_explorer = _holds(folder / "explorer.npz", "models", names) and _younger(folder / "explorer.npz", written)
    if not found or (has_gallery and has_explorer):
        return
    begins()
    reads = folder / "test_reads.jsonl"

    def test_of(task: ClassificationTask) -> Source:
        return task.splits.open_test(lambda why: _note_read(reads, why), "pictures for the report")

    test = test_of(task)
    if len(found) > 1:
        _write_gallery(folder, found, of_runs, test)
    first = {model: runs[0] for model, runs in found.items()}
    own = {name: tasks[name, run.seed] for name, run in first.items()}
    tests = {name: test if each.spec.digest == task.spec.digest else test_of(each) for name, each in own.items()}
    _write_explorer(folder, names, first, own, tests, test)


def _write_gallery(folder: Path, found: dict[str, list[_Run]], of_runs: list[str], test: Source) -> None:
    probs = {model: np.stack([run.test.probs for run in runs]) for model, runs in found.items()}
    labels = test.labels.numpy()
    chosen = disagreements(probs, labels, limit=GALLERY_SIZE)
    arrays = {
        "images": for_people(test.read(torch.as_tensor(chosen))),
        "labels": labels[chosen].astype(np.int32),
        "test_index": test.index[chosen].numpy().astype(np.int32),
        "runs": np.array(of_runs),
    }
    write_atomic(folder / "gallery.npz", lambda file: np.savez_compressed(file, **arrays))


def _write_explorer(
    folder: Path,
    models: list[str],
    first: dict[str, _Run],
    tasks: Mapping[str, ClassificationTask],
    tests: Mapping[str, Source],
    test: Source,
) -> None:
    """Write `explorer.npz`. It uses the first finished run of each model, with its task and the test images in its size.

    The methods are tested against random maps on the validation images of that run.
    """
    probs = {model: run.test.probs for model, run in first.items()}
    chosen, kinds = choose_images(probs, test.labels.numpy())
    if not len(chosen):
        return
    images = test.read(torch.as_tensor(chosen))
    arrays = {
        "images": for_people(images),
        "labels": test.labels[chosen].numpy(),
        "index": test.index[chosen].numpy(),
        "kind": kinds,
        "models": np.array(models),
    }
    for place, name in enumerate(models):
        if name in first:
            model, splits = load_run(first[name].folder).model, tasks[name].splits
            _, height, width = splits.spec.input_shape
            number = max(2, min(PROOF_IMAGES, PROOF_PIXELS // (height * width)))
            some = torch.arange(min(number, len(splits.val)))
            proven = beats_random(model, normalise(splits.val.read(some), splits.spec))
            own = normalise(tests[name].read(torch.as_tensor(chosen)), splits.spec)
            size = (images.shape[-2], images.shape[-1])
            found = explorer_arrays(model, own, beats_random=proven, shown=size)
            arrays |= {f"m{place}_{key}": value for key, value in found.items()}
    write_atomic(folder / "explorer.npz", lambda file: np.savez_compressed(file, **arrays))


def choose_images(
    probs: dict[str, NDArray[np.floating]], labels: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.str_]]:
    """Indices and kinds of the images to explain. `probs` maps a model's name to [images, classes]; `labels` is [images].

    "mistake": all models are wrong, most confident first. "disagreement": as in the gallery. "right": all models are right;
    the most confident image of each class. Each image appears once.
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


def for_people(images: torch.Tensor) -> NDArray[np.uint8]:
    """Images with channels last: grey as [N, height, width], colour as [N, height, width, 3]."""
    return images[:, 0].numpy() if images.shape[1] == 1 else images.permute(0, 2, 3, 1).numpy()


def _holds(path: Path, key: str, names: list[str]) -> bool:
    """Whether array `key` of the file equals `names`. It differs if the comparison was repeated with other models or runs."""
    try:
        with np.load(path) as archive:
            return archive[key].tolist() == names
    except DAMAGE:
        return False


def _younger(path: Path, others: list[Path]) -> bool:
    return path.exists() and path.stat().st_mtime_ns > max(other.stat().st_mtime_ns for other in others)


def _note_read(path: Path, why: str) -> None:
    when = datetime.now(UTC).isoformat(timespec="seconds")
    with path.open("a", encoding="utf-8") as file:
        file.write(f'{{"when": "{when}", "why": "{why}"}}\n')
