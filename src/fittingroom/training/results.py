"""The end of a run: final scores, predictions, weights, and the one read of the test split, written to the run folder."""

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save

from fittingroom.core.rundir import read_state, write_atomic, write_json
from fittingroom.data.batches import TrainBatches, eval_batches
from fittingroom.data.load import Splits
from fittingroom.data.spec import ImageSet
from fittingroom.evaluation.metrics import accuracy, negative_log_likelihood
from fittingroom.evaluation.predict import predict
from fittingroom.evaluation.score import log_test_read
from fittingroom.training.environment import peak_memory_bytes
from fittingroom.training.metrics_file import MetricsFile
from fittingroom.training.task import ClassificationTask

LEDGER_KEYS = (
    "run", "model", "seed", "status", "error", "epochs", "steps", "val_accuracy", "test_accuracy", "train_seconds",
    "images_per_second", "peak_memory_bytes", "config_hash", "num_params", "num_macs",
)  # fmt: skip


def ledger_row(state: dict[str, Any]) -> dict[str, Any]:
    """The keys of a run's state that the ledger keeps; None where a failed run has none."""
    return {key: state.get(key) for key in LEDGER_KEYS}


def write_results(
    task: ClassificationTask,
    batches: TrainBatches,
    splits: Splits,
    folder: Path,
    state: dict[str, Any],
    metrics: MetricsFile,
    *,
    open_test: bool = True,
) -> dict[str, Any]:
    """Evaluate the final weights on validation and, once, on test; write everything; the state that says `finished`.

    Without `open_test` the test split stays sealed: the state has no test accuracy, predictions.npz none of its arrays.
    """
    steps = task.global_step
    state |= {
        "step": steps,
        "steps": steps,
        "epochs": round(steps / batches.steps_per_epoch, 4),
        "train_seconds": round(task.seconds, 3),
        "images_per_second": round(steps * batches.batch_size / task.step_seconds, 1),
    }
    task.eval()
    scored = {"val": (splits.val, _probabilities(task, splits.val, splits))}
    write_json(folder / "state.json", state)
    if open_test:
        test = splits.open_test(lambda why: log_test_read(folder, why), "final epoch")
        scored["test"] = (test, _probabilities(task, test, splits))
    _write_predictions(folder, scored)
    weights = {name: tensor.contiguous().cpu() for name, tensor in task.final_model.state_dict().items()}
    write_atomic(folder / "model.safetensors", lambda file: file.write(save(weights)))
    state = read_state(folder) | {
        **{f"{split}_accuracy": accuracy(probs, images.labels.numpy()) for split, (images, probs) in scored.items()},
        "peak_memory_bytes": peak_memory_bytes(task.plan),
        "status": "finished",
    }
    val_loss = negative_log_likelihood(scored["val"][1], splits.val.labels.numpy())
    metrics.add(steps, state["train_seconds"], val_accuracy=state["val_accuracy"], val_loss=val_loss)
    write_json(folder / "state.json", state)
    return state


def _probabilities(task: ClassificationTask, images: ImageSet, splits: Splits) -> np.ndarray:
    """In fp32 whatever the plan: the scores are those of the saved weights, as whoever loads them will find."""
    device = task.plan.device
    task.to(device)
    return predict(lambda batch: task(batch.to(device)), eval_batches(images, splits.spec))


def _write_predictions(folder: Path, scored: dict[str, tuple[ImageSet, np.ndarray]]) -> None:
    arrays = {}
    for split, (images, probs) in scored.items():
        arrays[f"{split}_probs"] = probs.astype(np.float16)
        arrays[f"{split}_labels"] = images.labels.numpy().astype(np.uint8)
        arrays[f"{split}_index"] = images.index.numpy().astype(np.int32)
    write_atomic(folder / "predictions.npz", lambda file: np.savez_compressed(file, **arrays))
