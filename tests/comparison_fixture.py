"""A comparison folder as a finished `fittingroom compare` leaves it, made up from a seed in well under a second.

Three models and two seeds by default, every run file included; garments are drawn with numpy: no data set is needed.
Runs can be made to fail (`failed`) or to be not there yet (`missing`). The numbers are invented, but hang together: the
accuracies in the ledger are those of the predictions, and the better model is the better one in every file.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from fittingroom.evaluation.selection import disagreements

CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
NUM_VAL, TRAIN_SECONDS = 1000, 60.0
MODELS: tuple[dict[str, Any], ...] = (
    {"name": "vit", "family": "vit", "title": "ViT", "num_params": 487_114, "num_macs": 24_600_000},
    {"name": "cnn", "family": "cnn", "title": "CNN", "num_params": 478_922, "num_macs": 55_200_000},
    {"name": "hybrid", "family": "hybrid", "title": "Hybrid", "num_params": 512_330, "num_macs": 31_800_000},
)
SOURCES = {"vit": "Dosovitskiy et al. 2021", "cnn": "ResNet, He et al. 2016", "hybrid": "CCT, Hassani et al. 2021"}
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


def write_comparison(
    folder: Path,
    *,
    seed: int = 0,
    num_seeds: int = 2,
    num_test: int = 2000,
    failed: Sequence[str] = (),
    missing: Sequence[str] = (),
    class_names: Sequence[str] = CLASS_NAMES,
) -> Path:
    """Write the comparison into `folder` and return it. `failed` and `missing` hold run names such as 'vit-seed1'.

    A missing run has neither a folder nor a ledger row; with one missing there is no gallery.npz: it is written last.
    """
    random = np.random.default_rng(seed)
    labels = {split: random.integers(0, 10, size) for split, size in (("val", NUM_VAL), ("test", num_test))}
    looks = {split: _looks(random, found) for split, found in labels.items()}
    rows, probs = [], {}
    for model in MODELS:
        for run_seed in range(num_seeds):
            run = f"{model['name']}-seed{run_seed}"
            if run in missing:
                continue
            found = {split: _probs(random, SKILL[model["name"]], labels[split], looks[split]) for split in labels}
            row = _ledger_row(random, model, run_seed, found, labels, failed=run in failed)
            _write_run(folder / "runs" / run, row, found, labels, random)
            rows.append(row)
            if run not in failed:
                probs.setdefault(model["name"], []).append(found["test"])
    _write_json(folder / "comparison.json", _comparison(rows, num_seeds, num_test, class_names))
    if not missing and len(probs) > 1:
        _write_gallery(folder, random, {name: np.stack(found) for name, found in probs.items()}, labels["test"])
    return folder


def draw_garment(label: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """A light garment on black, [28, 28]."""
    image = np.zeros((28, 28))
    shade, shift = random.integers(90, 240), random.integers(-1, 2)
    for top, bottom, left, right in SHAPES[label % len(SHAPES)]:
        image[top:bottom, left + shift : right + shift] = shade
    folds = 1 + 0.2 * np.sin(np.arange(28) / random.uniform(0.8, 2.5) + random.uniform(0, 6))
    return np.clip(image * folds + (image > 0) * random.normal(0, 9, (28, 28)), 0, 255).astype(np.uint8)


def _looks(random: np.random.Generator, labels: NDArray[Any]) -> NDArray[Any]:
    """What every model sees in each image, [images, 10]: some noise, and a likeness to one other class of its kind."""
    looks = random.normal(size=(len(labels), 10))
    rivals = labels.copy()
    for group in ALIKE:
        members = np.isin(labels, group)
        rivals[members] = random.choice(group, size=int(members.sum()))
    looks[np.arange(len(labels)), rivals] += random.gamma(1.5, 1.1, len(labels)) * (rivals != labels)
    return looks


def _probs(random: np.random.Generator, skill: float, labels: NDArray[Any], looks: NDArray[Any]) -> NDArray[np.float16]:
    """Softmax of the model's skill at the label, the looks of the image, and noise of this run, [images, 10]."""
    logits = looks + 0.8 * random.normal(size=looks.shape)
    logits[np.arange(len(labels)), labels] += skill
    powers = np.exp(1.3 * (logits - logits.max(axis=1, keepdims=True)))
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float16)


def _ledger_row(
    random: np.random.Generator,
    model: dict[str, Any],
    seed: int,
    probs: dict[str, NDArray[Any]],
    labels: dict[str, NDArray[Any]],
    failed: bool,
) -> dict[str, Any]:
    name = model["name"]
    row = {"run": f"{name}-seed{seed}", "folder": f"runs/{name}-seed{seed}", "model": name, "seed": seed}
    row |= {"num_params": model["num_params"], "num_macs": model["num_macs"], "config_hash": f"c0ffee{seed:06d}"}
    if failed:
        return row | {
            "status": "failed",
            "error": "loss became NaN at step 140 (learning rate 0.0012): try a lower --set optim.lr",
        }
    speed = SPEED[name] * random.uniform(0.97, 1.03)
    steps = int(speed * TRAIN_SECONDS / 256)
    scores = {f"{split}_accuracy": float(np.mean(probs[split].argmax(axis=1) == labels[split])) for split in labels}
    costs = {"train_seconds": TRAIN_SECONDS + random.uniform(-0.4, 0.4), "images_per_second": speed}
    costs |= {"peak_memory_bytes": int(random.integers(780, 900)) * 2**20}
    return row | {"status": "finished", "error": None, "steps": steps, "epochs": steps * 256 / 54_990} | scores | costs


def _write_run(
    folder: Path,
    row: dict[str, Any],
    probs: dict[str, NDArray[Any]],
    labels: dict[str, NDArray[Any]],
    random: np.random.Generator,
) -> None:
    folder.mkdir(parents=True)
    reads = [{"when": "2026-01-01T12:01:00+00:00", "why": "final epoch"}] if row["status"] == "finished" else []
    steps = row.get("steps", 140)
    _write_json(folder / "config.json", {"model": row["model"], "seed": row["seed"]})
    _write_json(folder / "environment.json", {"python": "3.11"})
    _write_json(folder / "state.json", {**row, "step": steps, "total_steps": steps, "test_reads": reads})
    (folder / "metrics.csv").write_text(_metrics(row, steps, random))
    if row["status"] == "failed":
        return
    save_file({"head.bias": np.zeros(10, dtype=np.float32)}, folder / "model.safetensors")
    # Run folders keep positions in the original files: validation images are scattered over the training file.
    index = {"val": np.arange(NUM_VAL) * 7, "test": np.arange(len(labels["test"]))}
    arrays = {f"{split}_probs": probs[split] for split in probs}
    arrays |= {f"{split}_labels": labels[split].astype(np.uint8) for split in labels}
    arrays |= {f"{split}_index": index[split].astype(np.int32) for split in labels}
    np.savez(folder / "predictions.npz", **arrays)  # pyright: ignore[reportArgumentType]


def _metrics(row: dict[str, Any], steps: int, random: np.random.Generator) -> str:
    """The file's text: a falling loss every 20 steps, warm-up and linear decay of the rate, six evaluations."""
    lines = ["step,epoch,seconds,lr,train_loss,val_loss,val_accuracy"]
    last_accuracy = row.get("val_accuracy", 0.5)
    evaluated = {round(steps * part / 6 / 20) * 20 for part in range(1, 6)} | {steps}
    for step in [*range(20, steps, 20), steps]:
        done = step / steps
        rate = PEAK_RATE[row["model"]] * min(done / 0.1, (1 - done) / 0.9)
        loss = 2.3 * np.exp(-9 * done) + (1.25 - last_accuracy) * (1.6 - done) + random.normal(0, 0.025)
        cells = [str(step), f"{step * 256 / 54_990:.4f}", f"{done * TRAIN_SECONDS:.6g}", f"{rate:.6g}", f"{loss:.6g}"]
        accuracy = last_accuracy - 0.28 * np.exp(-5 * done) + 0.28 * np.exp(-5)
        cells += [f"{loss + 0.05:.6g}", f"{accuracy:.6g}"] if step in evaluated else ["", ""]
        lines.append(",".join(cells))
    return "\n".join(lines) + "\n"


def _comparison(
    rows: list[dict[str, Any]], num_seeds: int, num_test: int, class_names: Sequence[str]
) -> dict[str, Any]:
    return {
        "title": "Fashion-MNIST",
        "command": f"fittingroom compare --models vit,cnn,hybrid --seeds {num_seeds} --budget 60s",
        "created": "2026-01-01T12:00:00+00:00",
        "version": "0.1.0",
        "budget": {"kind": "seconds", "value": 60, "text": "60 s of training each"},
        "data": {"name": "fashion-mnist", "class_names": list(class_names), "num_train": 54_990, "num_val": NUM_VAL}
        | {"num_test": num_test},
        "seeds": list(range(num_seeds)),
        "models": [{**model, "source": SOURCES[model["name"]]} for model in MODELS],
        "runs": rows,
        "protocol": [
            "Every run trains for 60 s of wall-clock time; compiling counts, evaluation does not.",
            "All choices are made on 5,000 validation images carved from the training set.",
            "The test split is read once for each run, after its last step.",
            "Training images that also stand in the test split are left out.",
        ],
        "environment": {"machine": "2 cores, x86_64", "python": "3.11.9", "torch": "2.13.0", "precision": "bf16"},
    }


def _write_gallery(
    folder: Path, random: np.random.Generator, probs: dict[str, NDArray[Any]], labels: NDArray[Any]
) -> None:
    index = disagreements(probs, labels)
    images = [draw_garment(label, random) for label in labels[index]]
    np.savez(
        folder / "gallery.npz",
        images=np.array(images, dtype=np.uint8).reshape(-1, 28, 28),
        labels=labels[index].astype(np.uint8),
        test_index=index.astype(np.int32),
    )


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n")
