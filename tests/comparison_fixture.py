"""A comparison of image models as a finished `fittingroom compare` leaves it, made up from a seed in well under a second.

Three models and two seeds by default, written by the same code that writes real ones; images are drawn with numpy: no data
set is needed. Runs can be made to fail (`failed`) or to be still to come (`missing`). The numbers are invented but consistent:
the accuracies of the runs are those of the predictions, and the better model is better in every file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.records import (
    BudgetRecord,
    CandidateRecord,
    ComparisonRecord,
    DataRecord,
    RunRow,
    RunState,
    write_comparison,
    write_state,
)
from fittingroom.evaluation.selection import disagreements
from fittingroom.tasks.classification.scoring import ClassPredictions
from fittingroom.tasks.scoring import SCORINGS

CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
NUM_VAL, TRAIN_SECONDS = 1000, 60.0
CANDIDATES = tuple(
    CandidateRecord(
        name=name, title=title, model=name, family=name, source=source, num_params=num_params, num_macs=num_macs
    )
    for name, title, source, num_params, num_macs in (
        ("vit", "ViT", "Dosovitskiy et al. 2021", 487_114, 24_600_000),
        ("cnn", "CNN", "ResNet, He et al. 2016", 478_922, 55_200_000),
        ("hybrid", "Hybrid", "CCT, Hassani et al. 2021", 512_330, 31_800_000),
    )
)
SKILL = {"vit": 4.0, "cnn": 4.8, "hybrid": 4.4}
SPEED = {"vit": 5200.0, "cnn": 4100.0, "hybrid": 4700.0}
PEAK_RATE = {"vit": 0.001, "cnn": 0.02, "hybrid": 0.002}
# Classes that are taken for one another: upper garments, and shoes.
ALIKE = ((0, 2, 3, 4, 6), (5, 7, 9))
# Garments as rectangles (top, bottom, left, right) in a 28 x 28 image, one list for each class.
SHAPES: tuple[tuple[tuple[int, int, int, int], ...], ...] = (
    ((4, 25, 8, 20), (4, 10, 3, 25)),
    ((2, 7, 9, 19), (7, 27, 9, 13), (7, 27, 15, 19)),
    ((4, 25, 8, 20), (5, 24, 3, 7), (5, 24, 21, 25)),
    ((2, 12, 10, 18), (12, 27, 8, 20)),
    ((3, 27, 8, 13), (3, 27, 15, 20), (4, 25, 4, 8), (4, 25, 20, 24)),
    ((20, 23, 3, 25), (15, 20, 18, 22), (16, 19, 6, 10)),
    ((4, 26, 9, 19), (5, 17, 5, 9), (5, 17, 19, 23)),
    ((14, 22, 10, 25), (17, 22, 2, 12)),
    ((12, 25, 4, 24), (6, 12, 9, 11), (6, 12, 17, 19), (5, 7, 9, 19)),
    ((5, 22, 14, 22), (15, 24, 3, 23)),
)


def write_images(
    folder: Path,
    *,
    seed: int = 0,
    num_seeds: int = 2,
    num_test: int = 2000,
    num_val: int = NUM_VAL,
    failed: Sequence[str] = (),
    missing: Sequence[str] = (),
    class_names: Sequence[str] = CLASS_NAMES,
    image_shape: tuple[int, ...] = (28, 28),
    title: str = "Fashion-MNIST",
) -> Path:
    """Write the comparison into `folder` and return it. `failed` and `missing` hold run names such as 'vit-seed1'.

    A missing run has neither a folder nor a row; with one missing there is no gallery.npz: it is written last.
    """
    random = np.random.default_rng(seed)
    labels = {
        split: random.integers(0, len(class_names), size) for split, size in (("val", num_val), ("test", num_test))
    }
    looks = {split: _looks(random, found, len(class_names)) for split, found in labels.items()}
    # Run folders keep positions in the original files: validation images are scattered over the training file.
    index = {"val": np.arange(num_val) * 7, "test": np.arange(num_test)}
    rows, tests = [], {}
    for candidate in CANDIDATES:
        for run_seed in range(num_seeds):
            run = f"{candidate.name}-seed{run_seed}"
            if run in missing:
                continue
            parts = {
                split: ClassPredictions(
                    probs=_probs(random, SKILL[candidate.name], labels[split], looks[split]),
                    labels=labels[split],
                    index=index[split],
                )
                for split in labels
            }
            row = make_row(candidate, run_seed, SPEED[candidate.name], TRAIN_SECONDS, random)
            rows.append(write_run(folder, "classification", row, parts, random, failed=run in failed))
            if run not in failed:
                tests.setdefault(candidate.name, []).append(parts["test"].probs)
    data = DataRecord(
        name=title.lower(),
        class_names=tuple(class_names),
        num_train=54_990,
        num_val=num_val,
        num_test=num_test,
    )
    write_comparison(folder, make_record("classification", title, data, CANDIDATES, num_seeds, rows))
    if not missing and len(tests) > 1:
        probs = {name: np.stack(found) for name, found in tests.items()}
        _write_gallery(folder, random, probs, labels["test"], image_shape)
    return folder


def make_row(
    candidate: CandidateRecord, seed: int, speed: float, seconds: float, random: np.random.Generator
) -> RunRow:
    """A finished run of about this speed (items per second) and length."""
    run, speed = f"{candidate.name}-seed{seed}", speed * random.uniform(0.97, 1.03)
    return RunRow(
        run=run,
        folder=f"runs/{run}",
        candidate=candidate.name,
        seed=seed,
        status="finished",
        config_hash=f"c0ffee{seed:06d}",
        steps=int(speed * seconds / 256),
        epochs=speed * seconds / 54_990,
        train_seconds=seconds + random.uniform(-0.4, 0.4),
        items_per_second=speed,
        peak_memory_bytes=int(random.integers(780, 900)) * 2**20,
        num_params=candidate.num_params,
        num_macs=candidate.num_macs,
    )


def make_record(
    task: str,
    title: str,
    data: DataRecord,
    candidates: Sequence[CandidateRecord],
    num_seeds: int,
    rows: Sequence[RunRow],
    seconds: float = TRAIN_SECONDS,
) -> ComparisonRecord:
    """The record of a made-up comparison of any task."""
    names = ",".join(candidate.name for candidate in candidates)
    return ComparisonRecord(
        task=task,
        title=title,
        command=f"fittingroom compare --models {names} --seeds {num_seeds} --budget {seconds:g}s",
        created="2026-01-01T12:00:00+00:00",
        version="0.1.0",
        budget=BudgetRecord(kind="seconds", value=seconds, text=f"at most {seconds:g} s of training each"),
        data=data,
        seeds=tuple(range(num_seeds)),
        candidates=tuple(candidates),
        runs=tuple(rows),
        protocol=(
            "Every run trains for the same time.",
            "The test part is read once by each run, after its last step.",
        ),
        environment={"machine": "2 cores, x86_64", "python": "3.11.9", "torch": "2.13.0", "precision": "bf16"},
    )


def write_run(
    folder: Path,
    task: str,
    row: RunRow,
    parts: Mapping[str, Any],
    random: np.random.Generator,
    *,
    failed: bool = False,
    falling: bool = False,
) -> RunRow:
    """Write state, curve and predictions of a run; the row with its scores. A failed run has no predictions.

    `falling`: the curve of the scores falls to its end, as errors do.
    """
    scoring = SCORINGS.get(task)
    place = folder / row.folder
    if failed:
        error = "loss became NaN at step 140 (learning rate 0.0012): try a lower --set optim.lr"
        costs = ("steps", "epochs", "train_seconds", "items_per_second", "peak_memory_bytes")
        row = replace(row, status="failed", error=error, extras={}, **dict.fromkeys(costs))
    else:
        row = replace(row, evals={split: scoring.scores(part) for split, part in parts.items()})
    shared = {name: getattr(row, name) for name in ("run", "seed", "status", "error", "evals", "extras", "num_params")}
    write_state(place, RunState(task=task, model=row.candidate, **shared))
    (place / "metrics.csv").write_text(_metrics(row, [metric.name for metric in scoring.metrics], random, falling))
    if not failed:
        scoring.save(place, parts)
    return row


def draw_garment(label: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A light garment on black, [28, 28]."""
    image = np.zeros((28, 28))
    shade, shift = random.integers(90, 240), random.integers(-1, 2)
    for top, bottom, left, right in SHAPES[label % len(SHAPES)]:
        image[top:bottom, left + shift : right + shift] = shade
    folds = 1 + 0.2 * np.sin(np.arange(28) / random.uniform(0.8, 2.5) + random.uniform(0, 6))
    return np.clip(image * folds + (image > 0) * random.normal(0, 9, (28, 28)), 0, 255).astype(np.uint8)


def _looks(random: np.random.Generator, labels: NDArray[Any], num_classes: int) -> NDArray[Any]:
    """What every model sees in each image, [images, classes]: noise, and a likeness to one other class of its kind."""
    looks = random.normal(size=(len(labels), num_classes))
    rivals = labels.copy()
    for group in ALIKE if num_classes == len(CLASS_NAMES) else [range(num_classes)]:
        members = np.isin(labels, group)
        rivals[members] = random.choice(group, size=int(members.sum()))
    looks[np.arange(len(labels)), rivals] += random.gamma(1.5, 1.1, len(labels)) * (rivals != labels)
    return looks


def _probs(random: np.random.Generator, skill: float, labels: NDArray[Any], looks: NDArray[Any]) -> NDArray[np.float32]:
    """Softmax of the model's skill at the label, the looks of the image, and noise of this run, [images, classes]."""
    logits = looks + 0.8 * random.normal(size=looks.shape)
    logits[np.arange(len(labels)), labels] += skill
    powers = np.exp(1.3 * (logits - logits.max(axis=1, keepdims=True)))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _metrics(row: RunRow, names: Sequence[str], random: np.random.Generator, falling: bool) -> str:
    """The file's text: a falling loss every 20 steps, warm-up and linear decay of the rate, six evaluations."""
    lines = [",".join(["step", "epoch", "seconds", "lr", "train_loss", "val_loss", *(f"val_{name}" for name in names)])]
    steps, seconds = row.steps or 140, row.train_seconds or TRAIN_SECONDS
    last = row.evals.get("val", dict.fromkeys(names, 0.5))
    evaluated = {round(steps * part / 6 / 20) * 20 for part in range(1, 6)} | {steps}
    for step in [*range(20, steps, 20), steps]:
        done = step / steps
        rate = PEAK_RATE.get(row.candidate, 0.001) * min(done / 0.1, (1 - done) / 0.9)
        loss = 2.3 * np.exp(-9 * done) + 0.3 * (1.6 - done) + random.normal(0, 0.025)
        cells = [str(step), f"{step * 256 / 54_990:.4f}", f"{done * seconds:.6g}", f"{rate:.6g}", f"{loss:.6g}"]
        still = 0.28 * (np.exp(-5 * done) - np.exp(-5))
        scores = [last[name] * (1 + 3 * still) if falling else last[name] - still for name in names]
        cells += [f"{loss + 0.05:.6g}", *(f"{score:.6g}" for score in scores)] if step in evaluated else ["", *names]
        lines.append(",".join("" if cell in names else cell for cell in cells))
    return "\n".join(lines) + "\n"


def _write_gallery(
    folder: Path,
    random: np.random.Generator,
    probs: dict[str, NDArray[Any]],
    labels: NDArray[Any],
    shape: tuple[int, ...],
) -> None:
    index = disagreements(probs, labels)
    images = [draw_image(label, random, shape) for label in labels[index]]
    np.savez(
        folder / "gallery.npz",
        images=np.array(images, dtype=np.uint8).reshape(-1, *shape),
        labels=labels[index].astype(np.int32),
        test_index=index.astype(np.int32),
    )


def draw_image(label: int, random: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """A garment of any height and width, in grey or, with a third axis, in a colour of its class."""
    garment = draw_garment(label, random)
    rows, columns = (np.arange(size) * 28 // size for size in shape[:2])
    image = garment[rows][:, columns]
    if len(shape) == 2:
        return image
    colour = np.random.default_rng(label).uniform(0.3, 1, 3)
    return np.rint(image[..., None] * colour).astype(np.uint8)
