"""`fittingroom train` and `evaluate` as a user runs them, on few real images and a tiny network."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.command import TINY_VIT, run, run_json

KEYS = {
    *("run", "model", "seed", "epochs", "val_accuracy", "test_accuracy"),
    *("train_seconds", "images_per_second", "peak_memory_bytes"),
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("train") / "run"
    return folder, run_json("train", "vit", "--epochs", "2.5", *TINY_VIT, "--out", str(folder))


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
        "config.json", "environment.json", "metrics.csv", "model.safetensors", "predictions.npz", "state.json",
    ]  # fmt: skip
    state = json.loads((folder / "state.json").read_text())
    assert [read["why"] for read in state["test_reads"]] == ["final epoch"]
    with np.load(folder / "predictions.npz") as found:
        correct = found["test_probs"].argmax(1) == found["test_labels"]
        assert found["val_probs"].shape == (5000, 10)
        assert found["test_probs"].dtype == np.float16
    assert correct.mean() == pytest.approx(row["test_accuracy"], abs=1e-3)  # float16 may turn a tie
    assert load_file(folder / "model.safetensors")["patch_embed.proj.weight"].shape == (16, 1, 14, 14)


def test_evaluate_scores_the_saved_weights_alike_and_logs_the_read(finished: tuple[Path, dict]) -> None:
    folder, row = finished
    assert run_json("evaluate", str(folder))["val_accuracy"] == pytest.approx(row["val_accuracy"], abs=2e-4)
    scores = run_json("evaluate", str(folder), "--split", "test")
    assert scores["test_accuracy"] == pytest.approx(row["test_accuracy"], abs=2e-4)
    reads = json.loads((folder / "state.json").read_text())["test_reads"]
    assert [read["why"] for read in reads] == ["final epoch", "evaluate"]


def test_a_sealed_run_reads_no_test_image_and_says_so(tmp_path: Path) -> None:
    _, printed, _ = run("train", "vit", "--epochs", "0.5", *TINY_VIT, "--sealed", "--out", str(tmp_path / "run"))
    assert "vit-seed0: test images sealed, validation " in printed
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    assert (state["status"], state["test_reads"], state.get("test_accuracy")) == ("finished", [], None)
    with np.load(tmp_path / "run" / "predictions.npz") as found:
        assert sorted(found) == ["val_index", "val_labels", "val_probs"]


def test_weights_load_without_lightning(finished: tuple[Path, dict]) -> None:
    folder, _ = finished
    code = (
        "import sys; sys.modules['lightning'] = None; from pathlib import Path; "
        f"from fittingroom.evaluation.saved import load_run; load_run(Path({str(folder)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_budget_is_kept(tmp_path: Path) -> None:
    words = ("--set", "depth=1", "--set", "patch_size=7", "--set", "train_images=5000")
    row = run_json("train", "vit", "--budget", "12s", *words, "--out", str(tmp_path / "run"))
    assert 12 * 0.5 <= row["train_seconds"] <= 12 * 1.25  # a busy machine may change its pace in mid-run


def test_wandb_works_offline_without_an_account(tmp_path: Path) -> None:
    words = ("train", "vit", "--epochs", "0.5", *TINY_VIT, "--logger", "wandb", "--out", str(tmp_path / "run"))
    run_json(*words)
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))


def test_early_stopping_ends_before_the_last_step(tmp_path: Path) -> None:
    # A learning rate of almost nothing: validation loss hardly moves, so the patience of one is soon used up.
    words = ("--set", "train_images=128", "--set", "batch_size=32", "--set", "embed_dim=8", "--set", "depth=1")
    words += ("--set", "patch_size=14", "--set", "optim.muon_lr=1e-9", "--set", "optim.lr=1e-9")
    words += ("--set", "schedule.shape=constant", "--set", "ema_decay=0.5", "--early-stopping", "1")
    row = run_json("train", "vit", "--epochs", "200", *words, "--out", str(tmp_path / "run"))
    assert row["steps"] < 800


def test_without_json_one_line_says_what_came_out(tmp_path: Path) -> None:
    words = ("train", "vit", "--epochs", "0.2", *TINY_VIT, "--out", str(tmp_path / "run"))
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert out.startswith("vit-seed0: test accuracy ")
    assert str(tmp_path / "run") in out
