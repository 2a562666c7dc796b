"""Checkpoints are whole or do not count; metrics.csv goes back with them."""

from pathlib import Path

import pytest
import torch

from fittingroom.training.checkpoints import AtomicCheckpointIO, checkpoints_in, latest_checkpoint
from fittingroom.training.metrics_file import MetricsFile


def save(folder: Path, step: int) -> Path:
    path = folder / f"step={step:07d}.ckpt"
    AtomicCheckpointIO().save_checkpoint({"weights": torch.arange(1000)}, path)
    return path


def test_the_newest_whole_checkpoint_is_taken(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    first, second = save(tmp_path, 5), save(tmp_path, 12)
    assert latest_checkpoint(tmp_path) == second
    AtomicCheckpointIO().remove_checkpoint(second)
    assert latest_checkpoint(tmp_path) == first
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "flipped bit", "no checksum", "damaged checksum"])
def test_a_damaged_checkpoint_is_passed_over_and_named(
    damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = save(tmp_path, 5), save(tmp_path, 12)
    data = bytearray(second.read_bytes())
    if damage == "cut":
        second.write_bytes(data[:-1])
    elif damage == "flipped bit":
        data[len(data) // 2] ^= 1
        second.write_bytes(data)
    elif damage == "damaged checksum":
        second.with_name(second.name + ".sha256").write_bytes(b"\xff\0")
    else:
        second.with_name(second.name + ".sha256").unlink()
    assert latest_checkpoint(tmp_path) == first
    assert str(second) in capsys.readouterr().err


def test_files_of_a_sync_program_or_a_user_are_no_checkpoints(tmp_path: Path) -> None:
    own = save(tmp_path, 5)
    for name in ("last.ckpt", "step=x.ckpt", "step=0000007 (1).ckpt", "._step=0000009.ckpt", "step=0000009.ckpt.part"):
        (tmp_path / name).touch()
    assert checkpoints_in(tmp_path) == [own] and latest_checkpoint(tmp_path) == own


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(ValueError, match="No space left on device"):
        save(tmp_path, 5)
    assert list(tmp_path.iterdir()) == []


def test_metrics_after_the_checkpoint_are_dropped_on_resuming(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    first = MetricsFile(path, steps_per_epoch=10, clock=lambda: 1.5)
    for step in range(4, 24, 5):
        first.log_metrics({"train_loss": step / 10, "lr-MuonAdamW/pg1": 0.1, "lr-MuonAdamW/pg2": 0.7}, step)
    first.save()
    again = MetricsFile(path, steps_per_epoch=10, clock=lambda: 9.0)
    again.read(last_step=12)
    again.add(15, seconds=3.0, val_accuracy=0.5)
    rows = path.read_text().splitlines()
    assert rows[0] == "step,epoch,seconds,lr,train_loss,val_loss,val_accuracy"
    assert rows[1:] == ["5,0.5,1.5,0.1,0.4,,", "10,1,1.5,0.1,0.9,,", "15,1.5,3,,,,0.5"]
