"""`fittingroom train` and `evaluate` as a user runs them, on few real images and a tiny network."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.command import TINY_VIT, call, call_json, run, run_json

pytestmark = pytest.mark.usefixtures("torch_as_before")

KEYS = {
    *("run", "model", "seed", "epochs", "val_accuracy", "test_accuracy"),
    *("train_seconds", "images_per_second", "peak_memory_bytes"),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run's folder, and what was printed."""
    folder = tmp_path_factory.mktemp("train") / "run"
    code, out, err = run("train", "vit", "--epochs", "2.5", *TINY_VIT, "--out", str(folder))
    assert (code, err) == (0, "")
    return folder, out


@pytest.fixture(scope="module")
def finished(printed: tuple[Path, str]) -> tuple[Path, dict]:
    """The same run's folder and row: asked for again, it is not trained again."""
    folder, _ = printed
    return folder, call_json("train", "vit", "--epochs", "2.5", *TINY_VIT, "--out", str(folder))


def test_without_json_one_line_says_what_came_out(printed: tuple[Path, str]) -> None:
    folder, out = printed
    assert out.startswith("vit-seed0: test accuracy ")
    assert str(folder) in out


def test_the_row_has_the_promised_keys_and_fractions(finished: tuple[Path, dict]) -> None:
    _, row = finished
    assert set(row) >= KEYS
    assert (row["run"], row["model"], row["seed"], row["epochs"], row["steps"]) == ("vit-seed0", "vit", 0, 2.5, 50)
    assert 0 <= row["val_accuracy"] <= 1
    assert 0 <= row["test_accuracy"] <= 1
    assert row["peak_memory_bytes"] > 50e6


def test_the_run_folder_is_complete_and_the_test_split_was_read_once(finished: tuple[Path, dict]) -> None:
    folder, row = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json", "data.json", "environment.json", "metrics.csv", "model.safetensors", "predictions.npz", "state.json",
    ]  # fmt: skip
    state = json.loads((folder / "state.json").read_text())
    assert (state["schema"], state["task"]) == (2, "classification")
    assert [read["why"] for read in state["test_reads"]] == ["final epoch"]
    assert state["evals"] == {split: {"accuracy": row[f"{split}_accuracy"]} for split in ("val", "test")}
    with np.load(folder / "predictions.npz") as found:
        correct = found["test_probs"].argmax(1) == found["test_labels"]
        assert found["val_probs"].shape == (5000, 10)
        assert found["test_probs"].dtype == np.float16
    assert correct.mean() == pytest.approx(row["test_accuracy"], abs=1e-3)  # float16 may turn a tie
    assert load_file(folder / "model.safetensors")["patch_embed.proj.weight"].shape == (16, 1, 14, 14)


def test_the_run_folder_describes_its_data(finished: tuple[Path, dict]) -> None:
    """So that it can be loaded, explained and exported without the data set's code."""
    found = json.loads((finished[0] / "data.json").read_text())
    assert (found["task"], found["spec"]["name"]) == ("classification", "fashion-mnist")
    assert found["spec"]["class_names"][0] == "T-shirt/top" and len(found["spec"]["class_names"]) == 10
    assert [found["spec"][name] for name in ("channels", "height", "width")] == [1, 28, 28]
    assert [found["split"][name] for name in ("seed", "num_train", "num_val", "num_test")] == [0, 640, 5000, 10000]


def test_evaluate_scores_the_saved_weights_alike_and_logs_the_read(finished: tuple[Path, dict]) -> None:
    folder, row = finished
    assert call_json("evaluate", str(folder))["val_accuracy"] == pytest.approx(row["val_accuracy"], abs=2e-4)
    scores = call_json("evaluate", str(folder), "--split", "test")
    assert scores["test_accuracy"] == pytest.approx(row["test_accuracy"], abs=2e-4)
    reads = json.loads((folder / "state.json").read_text())["test_reads"]
    assert [read["why"] for read in reads] == ["final epoch", "evaluate"]


def test_a_sealed_run_reads_no_test_image_and_says_so(tmp_path: Path) -> None:
    _, printed, _ = call("train", "vit", "--epochs", "0.5", *TINY_VIT, "--sealed", "--out", str(tmp_path / "run"))
    assert "vit-seed0: test images sealed; validation accuracy " in printed
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    assert (state["status"], state["test_reads"], list(state["evals"])) == ("finished", [], ["val"])
    with np.load(tmp_path / "run" / "predictions.npz") as found:
        assert sorted(found) == ["val_index", "val_labels", "val_probs"]


def test_weights_load_without_lightning(finished: tuple[Path, dict]) -> None:
    folder, _ = finished
    code = (
        "import sys; sys.modules['lightning'] = None; import fittingroom; "
        f"run = fittingroom.load_run({str(folder)!r}); print(type(run.model).__name__, run.scores['test'])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.startswith("VisionTransformer {'accuracy': ")


def test_a_budget_is_kept(tmp_path: Path) -> None:
    words = ("--set", "depth=1", "--set", "patch_size=7", "--set", "train_images=5000")
    row = call_json("train", "vit", "--budget", "8s", *words, "--out", str(tmp_path / "run"))
    assert 8 * 0.5 <= row["train_seconds"] <= 8 * 1.25  # a busy machine may change its pace in mid-run


def test_wandb_works_offline_without_an_account(tmp_path: Path) -> None:
    words = ("train", "vit", "--epochs", "0.2", *TINY_VIT, "--logger", "wandb", "--sealed")
    run_json(*words, "--out", str(tmp_path / "run"))
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))


def test_early_stopping_ends_before_the_last_step(tmp_path: Path) -> None:
    # A learning rate of almost nothing: validation loss hardly moves, so the patience of one is soon used up.
    words = ("--set", "train_images=128", "--set", "batch_size=32", "--set", "embed_dim=8", "--set", "depth=1")
    words += ("--set", "patch_size=14", "--set", "optim.muon_lr=1e-9", "--set", "optim.lr=1e-9")
    words += ("--set", "schedule.shape=constant", "--set", "ema_decay=0.5", "--early-stopping", "1", "--sealed")
    row = call_json("train", "vit", "--epochs", "200", *words, "--out", str(tmp_path / "run"))
    assert row["steps"] < 800
