"""`fittingroom train` and `evaluate` as a user runs them, on few real images and a tiny network."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import fittingroom
from tests.command import TINY_VIT, Fork, call, call_json, run

DIES_AT_STEP_30 = """
import os, sys
from fittingroom.cli.main import main
from fittingroom.training.checkpoints import ResumableCheckpoint
save = ResumableCheckpoint.on_train_batch_end

def save_and_die(self, trainer, *args, **kwargs):
    save(self, trainer, *args, **kwargs)
    if trainer.global_step == 31:
        os._exit(9)

ResumableCheckpoint.on_train_batch_end = save_and_die
sys.exit(main(sys.argv[1:]))
"""
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


def test_in_a_log_lines_on_standard_error_say_how_far_it_is_and_quiet_ends_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fittingroom.cli.progress.EVERY", 0.0)
    words = ("train", "vit", "--epochs", "0.5", *TINY_VIT, "--sealed", "--out")
    code, out, err = call(*words, str(tmp_path / "told"))
    assert code == 0 and "epoch 0.25" not in out
    assert "vit-seed0: epoch 0.25 of 0.5" in err and " left\n" in err
    assert call(*words, str(tmp_path / "quiet"), "--quiet")[::2] == (0, "")


def test_weights_load_without_lightning(finished: tuple[Path, dict]) -> None:
    folder, _ = finished
    code = (
        "import sys; sys.modules['lightning'] = None; import fittingroom; "
        f"run = fittingroom.load_run({str(folder)!r}); print(type(run.model).__name__, run.scores['test'])"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.startswith("VisionTransformer {'accuracy': ")


@pytest.mark.slow
def test_a_budget_is_kept(tmp_path: Path) -> None:
    words = ("--set", "depth=1", "--set", "patch_size=14", "--set", "train_images=5000")
    row = call_json("train", "vit", "--budget", "6s", *words, "--out", str(tmp_path / "run"))
    assert 6 * 0.5 <= row["train_seconds"] <= 6 * 1.25  # a busy machine may change its pace in mid-run


@pytest.mark.slow
def test_wandb_works_offline_without_an_account_and_a_resumed_run_is_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    folder = tmp_path / "run"
    words = ("train", "vit", "--epochs", "4", *TINY_VIT, "--logger", "wandb@project=shoes@group=first", "--sealed")
    process = Fork(*words, "--checkpoint-seconds", "0", "--out", str(folder), program=DIES_AT_STEP_30)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (9, "", "")
    process = Fork(*words, "--resume", "--out", str(folder))
    assert process.communicate(timeout=120) and process.returncode == 0
    key = (folder / "wandb" / "id.txt").read_text().strip()
    killed, resumed = sorted((folder / "wandb").glob("offline-run-*"))
    assert killed.name.endswith(f"-{key}") and resumed.name.endswith(f"-{key}")
    records = wandb_records(resumed / f"run-{key}.wandb")
    (begun,) = [each.run for each in records if each.WhichOneof("record_type") == "run"]
    names = (begun.run_id, begun.project, begun.run_group, begun.display_name)
    assert names == (key, "shoes", "first", "vit-seed0")
    logged = {item.key: item.value_json for each in records for item in each.config.update}
    config = json.loads((folder / "config.json").read_text())
    assert {name: json.loads(logged[name]) for name in config} == config
    assert [each.exit.exit_code for each in records if each.WhichOneof("record_type") == "exit"] == [0]


def test_wandb_that_is_disabled_writes_nothing_and_online_without_an_account_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "vit", "--epochs", "0.2", *TINY_VIT, "--logger", "wandb", "--sealed", "--out")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    call_json(*words, str(tmp_path / "run"))
    assert not (tmp_path / "run" / "wandb").exists()
    monkeypatch.setenv("WANDB_MODE", "ofline")
    assert call(*words, str(tmp_path / "other"))[::2] == (
        2,
        "fittingroom: WANDB_MODE 'ofline': did you mean 'offline'?\n",
    )
    assert not (tmp_path / "other").exists()


def wandb_records(path: Path) -> list[Any]:
    """The records of a .wandb file: after seven bytes, blocks of 32 KiB that hold pieces of records."""
    from wandb.proto.wandb_internal_pb2 import Record  # pyright: ignore[reportAttributeAccessIssue]

    data, place, piece, found = path.read_bytes(), 7, b"", []
    while place + 7 <= len(data):
        rest = 32768 - place % 32768
        if rest < 7:
            place += rest
            continue
        _, size, kind = struct.unpack("<IHB", data[place : place + 7])
        piece, place = piece + data[place + 7 : place + 7 + size], place + 7 + size
        if kind in (1, 4):  # a whole record, or its last piece
            found.append(Record())
            found[-1].ParseFromString(piece)
            piece = b""
    return found


@pytest.mark.slow
def test_early_stopping_ends_with_the_best_weights_and_the_record_says_which(tmp_path: Path) -> None:
    """A large constant learning rate: the loss falls at first, then jumps about."""
    words = ("--set", "train_images=128", "--set", "batch_size=32", "--set", "embed_dim=8", "--set", "depth=1")
    words += ("--set", "patch_size=14", "--set", "optim.name=adamw", "--set", "optim.lr=0.1", "--sealed")
    words += ("--set", "schedule.shape=constant", "--early-stopping", "3", "--epochs", "50")
    row = call_json("train", "vit", *words, "--out", str(tmp_path / "run"))
    metrics = fittingroom.load_run(tmp_path / "run").metrics
    pairs = zip(metrics["step"], metrics["val_loss"], strict=True)
    losses = {step: loss for step, loss in pairs if step is not None and loss is not None}
    best = min(losses, key=lambda step: losses[step])
    assert row["best_step"] == best < row["steps"] == max(losses)
    assert len([step for step in losses if step > best]) == 3
    assert fittingroom.load_run(tmp_path / "run").evaluate()["accuracy"] == pytest.approx(row["val_accuracy"])
    _, out, _ = call("train", "vit", *words, "--out", str(tmp_path / "run"))
    assert f"with the weights of step {best:,.0f}, the best" in out


@pytest.mark.slow
def test_early_stopping_keeps_the_same_weights_after_a_kill(tmp_path: Path) -> None:
    words = (
        "train",
        "vit",
        "--epochs",
        "4",
        *TINY_VIT,
        "--set",
        "optim.muon_lr=0.5",
        "--set",
        "schedule.shape=constant",
    )
    words += ("--early-stopping", "9", "--sealed", "--checkpoint-seconds", "0")
    whole = call_json(*words, "--out", str(tmp_path / "whole"))
    process = Fork(*words, "--out", str(tmp_path / "killed"), program=DIES_AT_STEP_30)
    assert process.communicate(timeout=120) and process.returncode == 9
    resumed = call_json(*words, "--out", str(tmp_path / "killed"), "--resume")
    assert resumed["best_step"] == whole["best_step"]
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_early_stopping_ends_before_the_last_step(tmp_path: Path) -> None:
    # A learning rate of almost nothing: validation loss hardly moves, so the patience of one is soon used up.
    words = ("--set", "train_images=128", "--set", "batch_size=32", "--set", "embed_dim=8", "--set", "depth=1")
    words += ("--set", "patch_size=14", "--set", "optim.muon_lr=1e-9", "--set", "optim.lr=1e-9")
    words += ("--set", "schedule.shape=constant", "--set", "ema_decay=0.5", "--early-stopping", "1", "--sealed")
    row = call_json("train", "vit", "--epochs", "200", *words, "--out", str(tmp_path / "run"))
    assert row["steps"] < 800
