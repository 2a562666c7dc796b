"""A real training process is killed with SIGKILL; resumed, it ends with the very weights of the undisturbed run.

What is killed is a process of its own (a `Fork`). What runs to its end is made in this process: the weights must be the same
there too.
"""

import csv
import hashlib
import json
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.command import TINY_VIT, Fork, call, call_json

pytestmark = pytest.mark.usefixtures("torch_as_before")

TRAIN = ("train", "vit", "--epochs", "6", *TINY_VIT, "--checkpoint-seconds", "0.1")  # 120 steps, 6 validations

DIES_AFTER_CHECKPOINT = """
import os, sys
from fittingroom.cli.main import main
from fittingroom.training.checkpoints import AtomicCheckpointIO
write = AtomicCheckpointIO.save_checkpoint

def write_and_die(self, checkpoint, path, storage_options=None):
    write(self, checkpoint, path, storage_options)
    if checkpoint["global_step"] >= {step}:
        os._exit(9)

AtomicCheckpointIO.save_checkpoint = write_and_die
sys.exit(main(sys.argv[1:]))
"""

DIES_AFTER_VALIDATION = """
import os, sys
from fittingroom.cli.main import main
from fittingroom.training.loggers import StepsDone
log = StepsDone.log_metrics

def log_and_die(self, metrics, step=None):
    log(self, metrics, step)
    self.save()
    if step == 79 and "val_loss" in metrics:
        os._exit(9)

StepsDone.log_metrics = log_and_die
sys.exit(main(sys.argv[1:]))
"""

DIES_AT_THE_END = """
import os, shutil, sys
from fittingroom.cli.main import main
replace, rmtree = os.replace, shutil.rmtree

def replace_or_die(source, target):
    if os.path.basename(target) == "{file}":
        os._exit(9)
    replace(source, target)

def remove_or_die(path, *args, **kwargs):
    if os.path.basename(path) == "{folder}":
        os._exit(9)
    rmtree(path, *args, **kwargs)

os.replace, shutil.rmtree = replace_or_die, remove_or_die
sys.exit(main(sys.argv[1:]))
"""


def train(folder: Path, *extra: str) -> dict:
    return call_json(*TRAIN, "--out", str(folder), *extra)


def weights(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def learning_curve(folder: Path) -> list[list[str]]:
    """metrics.csv without the clock."""
    rows = [line.split(",") for line in (folder / "metrics.csv").read_text().splitlines()]
    return [row[:2] + row[3:] for row in rows]


def kill_at_checkpoint(folder: Path, step: int, *extra: str) -> None:
    """Start the training and kill it as soon as a checkpoint of `step` or later is complete."""
    process = Fork(*TRAIN, "--out", str(folder), *extra)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        done = [int(path.name[5:12]) for path in (folder / "checkpoints").glob("step=*.ckpt.sha256")]
        if done and max(done) >= step:
            break
        assert process.poll() is None, f"ended before it could be killed: {process.communicate()[1]}"
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert json.loads((folder / "state.json").read_text())["status"] == "running"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    train(folder)
    return folder


def test_killed_three_times_the_weights_are_bit_equal(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    kill_at_checkpoint(folder, 5)
    kill_at_checkpoint(folder, 30, "--resume")
    kill_at_checkpoint(folder, 60, "--resume")
    row = train(folder, "--resume")
    assert weights(folder) == weights(undisturbed)
    assert learning_curve(folder) == learning_curve(undisturbed)
    assert row["steps"] == 120
    assert not (folder / "checkpoints").exists()


@pytest.mark.slow
def test_killed_right_after_a_checkpoint_no_row_is_missing(undisturbed: Path, tmp_path: Path) -> None:
    """Step 72 has a row in metrics.csv, step 80 a validation as well: a checkpoint of either would lose it."""
    folder = tmp_path / "run"
    for step, extra in ((72, ()), (80, ("--resume",))):
        words = (*TRAIN, "--out", str(folder), "--checkpoint-seconds", "0", *extra)
        process = Fork(*words, program=DIES_AFTER_CHECKPOINT.format(step=step))
        _, err = process.communicate(timeout=120)
        assert process.returncode == 9, err
    train(folder, "--resume")
    assert learning_curve(folder) == learning_curve(undisturbed)
    assert weights(folder) == weights(undisturbed)


@pytest.mark.slow
def test_a_torn_checkpoint_falls_back_to_the_one_before_and_resume_must_be_asked_for(
    undisturbed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    program = DIES_AFTER_CHECKPOINT.format(step=40)
    process = Fork(*TRAIN, "--out", str(folder), "--checkpoint-seconds", "0", program=program)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 9, err
    before = (folder / "state.json").read_bytes()
    code, out, err = call(*TRAIN, "--out", str(folder))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "--resume" in err
    assert (folder / "state.json").read_bytes() == before
    newest, older = sorted((folder / "checkpoints").glob("*.ckpt"))[::-1][:2]
    newest.write_bytes(newest.read_bytes()[:-1000])
    code, _, err = call(*TRAIN, "--out", str(folder), "--resume")
    assert code == 0, err
    assert newest.name in err and "going back" in err and older.name not in err
    assert weights(folder) == weights(undisturbed)


@pytest.mark.slow
def test_tensorboard_shows_each_step_once_as_metrics_csv_does_after_a_kill(tmp_path: Path) -> None:
    folder, steps = tmp_path / "run", {}
    program = DIES_AFTER_VALIDATION
    words = (*TRAIN, "--out", str(folder), "--checkpoint-seconds", "0.2", "--logger", "tensorboard")
    process = Fork(*words, program=program)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 9, err
    checkpoints = [int(path.stem[5:]) for path in (folder / "checkpoints").glob("step=*.ckpt")]
    assert checkpoints and max(checkpoints) < 80  # so the steps in between are logged again
    code, _, err = call(*words, "--resume")
    assert code == 0, err
    events = EventAccumulator(str(folder / "tensorboard")).Reload()
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("train_loss", "val_loss", "val_accuracy"):
        steps[name] = [int(row["step"]) for row in rows if row[name]]
        assert [event.step for event in events.Scalars(name)] == steps[name]
    assert len(steps["val_loss"]) == 6
    assert "epoch" not in events.Tags()["scalars"]
    settings = (folder / "tensorboard" / "hparams.yaml").read_text()
    assert "mixup_alpha: 0.2" in settings and "embed_dim: 16" in settings


@pytest.mark.slow
def test_killed_before_the_first_checkpoint_it_begins_again(undisturbed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = Fork(*TRAIN, "--out", str(folder), "--checkpoint-seconds", "1000")
    while not (folder / "metrics.csv").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    process.kill()
    process.communicate()
    train(folder, "--resume")
    assert weights(folder) == weights(undisturbed)


def test_a_finished_run_is_not_trained_again(undisturbed: Path) -> None:
    before = weights(undisturbed), (undisturbed / "state.json").read_bytes()
    train(undisturbed)
    assert (weights(undisturbed), (undisturbed / "state.json").read_bytes()) == before


@pytest.mark.slow
def test_killed_in_the_last_writes_nothing_is_left_behind(undisturbed: Path, tmp_path: Path) -> None:
    folder, expected = tmp_path / "run", {path.name for path in undisturbed.iterdir()}
    for file, tree, extra in (("predictions.npz", "", ()), ("", "checkpoints", ("--resume",))):
        program = DIES_AT_THE_END.format(file=file, folder=tree)
        process = Fork(*TRAIN, "--out", str(folder), *extra, program=program)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 9, err
        assert [path.name[:16] for path in folder.glob(".*.tmp")] == [".predictions.npz"] * bool(file)
    assert json.loads((folder / "state.json").read_text())["status"] == "finished"
    before = (folder / "state.json").read_bytes()
    train(folder)
    assert {path.name for path in folder.iterdir()} == expected
    assert (weights(folder), (folder / "state.json").read_bytes()) == (weights(undisturbed), before)


@pytest.mark.slow
def test_two_seeds_differ_and_a_logger_changes_nothing(undisturbed: Path, tmp_path: Path) -> None:
    train(tmp_path / "other", "--seed", "1")
    train(tmp_path / "logged", "--logger", "tensorboard")
    assert weights(tmp_path / "other") != weights(undisturbed)
    assert weights(tmp_path / "logged") == weights(undisturbed)
    assert list((tmp_path / "logged" / "tensorboard").glob("events.out.tfevents.*"))
