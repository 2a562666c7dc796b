"""Score a finished run again from its folder: what `fittingroom evaluate` does."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from fittingroom.core.rundir import cache_folder, exclusive_lock, read_json, write_json
from fittingroom.data.images.batches import eval_batches
from fittingroom.data.images.load import load_splits
from fittingroom.evaluation.metrics import accuracy, expected_calibration_error, negative_log_likelihood
from fittingroom.evaluation.predict import predict
from fittingroom.evaluation.saved import load_run, logits_fn
from fittingroom.evaluation.shipped import is_shipped


def score_run(folder: Path, split: Literal["val", "test"], data_dir: Path | None = None) -> dict[str, Any]:
    """Accuracy, loss and calibration of the run's weights. A read of the test split is logged in the run's state first."""
    model, config = load_run(folder)
    state = read_json(folder / "state.json")
    splits = load_splits(config["seed"], data_dir=data_dir)
    images = splits.val if split == "val" else splits.open_test(lambda why: log_test_read(folder, why), "evaluate")
    probs = predict(logits_fn(model), eval_batches(images, splits.spec))
    labels = images.labels.numpy()
    return {
        **{key: state.get(key) for key in ("run", "model", "seed", "epochs", "train_seconds")},
        **{key: state.get(key) for key in ("images_per_second", "peak_memory_bytes", "val_accuracy", "test_accuracy")},
        "split": split,
        "num_images": len(images),
        f"{split}_accuracy": accuracy(probs, labels),
        "nll": negative_log_likelihood(probs, labels),
        "ece": expected_calibration_error(probs, labels),
    }


def log_test_read(folder: Path, why: str) -> None:
    """Add a line to `test_reads` in the run's state, before the images are handed out.

    For shipped weights the line goes to a `state.json` in the user's cache: the package is not ours to write in.
    """
    if is_shipped(folder):
        folder = cache_folder("test-reads") / folder.name
    read = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "why": why}
    with exclusive_lock(folder, patience=60, lock=".reads.lock"):  # another one than the run's own, which `fit` holds
        state = read_json(folder / "state.json") if (folder / "state.json").exists() else {}
        write_json(folder / "state.json", {**state, "test_reads": [*state.get("test_reads", []), read]})
