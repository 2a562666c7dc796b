"""The end of a run: final scores, predictions, weights, and the one read of the test part, written to the run folder."""

from pathlib import Path
from typing import Any

from safetensors.torch import save

from fittingroom.core.rundir import read_state, write_atomic, write_json
from fittingroom.training.environment import peak_memory_bytes
from fittingroom.training.metrics_file import MetricsFile
from fittingroom.training.module import Task
from fittingroom.training.problem import Problem

RUN_KEYS = ("run", "model", "seed", "status", "error", "epochs", "steps")
COST_KEYS = ("peak_memory_bytes", "config_hash", "num_params", "num_macs")
LEDGER_KEYS = {
    "images": (*RUN_KEYS, "val_accuracy", "test_accuracy", "train_seconds", "images_per_second", *COST_KEYS),
    "pairs": (
        *RUN_KEYS, "val_word_error_rate", "val_phoneme_error_rate", "test_word_error_rate", "test_phoneme_error_rate",
        "num_unknown", "train_seconds", "pairs_per_second", "decode_seconds", *COST_KEYS,
    ),
}  # fmt: skip


def ledger_row(state: dict[str, Any]) -> dict[str, Any]:
    """The keys of a run's state that the ledger keeps; None where a failed run has none."""
    return {key: state.get(key) for key in LEDGER_KEYS[state.get("kind", "images")]}


def write_results(
    task: Task,
    problem: Problem,
    folder: Path,
    state: dict[str, Any],
    metrics: MetricsFile,
    *,
    open_test: bool = True,
) -> dict[str, Any]:
    """Evaluate the final weights on validation and, once, on test; write everything; the state that says `finished`.

    Without `open_test` the test part stays sealed: the state has no test scores, predictions.npz none of its arrays.
    """
    steps = task.global_step
    state |= {
        "step": steps,
        "steps": steps,
        "epochs": round(steps / problem.batches.steps_per_epoch, 4),
        "train_seconds": round(task.seconds, 3),
        f"{problem.config.kind}_per_second": round(steps * problem.batches.mean_batch_size / task.step_seconds, 1),
    }
    task.eval()
    write_json(folder / "state.json", state)
    weights = {name: tensor.contiguous().cpu() for name, tensor in task.final_model.state_dict().items()}
    write_atomic(folder / "model.safetensors", lambda file: file.write(save(weights)))  # first: scoring may fail
    scores = problem.write_results(task, folder, open_test=open_test)
    val_loss = scores.pop("val_loss")
    state = read_state(folder) | {**scores, "peak_memory_bytes": peak_memory_bytes(task.plan), "status": "finished"}
    on_the_way = {name: state[name] for name in problem.score_names}
    metrics.add(steps, state["train_seconds"], **on_the_way, val_loss=val_loss)
    write_json(folder / "state.json", state)
    return state
