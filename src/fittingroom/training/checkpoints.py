"""Checkpoints that survive a kill: written whole or not at all, with a checksum, two kept, a torn one passed over."""

import hashlib
import io
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins import TorchCheckpointIO

from fittingroom.core.rundir import write_atomic, write_text


class AtomicCheckpointIO(TorchCheckpointIO):
    """Lightning's writer, with a temporary name, fsync and rename, and a `.sha256` beside each file."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """The checksum comes last: a checkpoint without one does not count."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        data = buffer.getvalue()
        write_atomic(Path(path), lambda file: file.write(data))
        write_text(_checksum_path(Path(path)), hashlib.sha256(data).hexdigest())

    def remove_checkpoint(self, path: Any) -> None:
        """File and checksum."""
        _checksum_path(Path(path)).unlink(missing_ok=True)
        super().remove_checkpoint(path)


class ResumableCheckpoint(ModelCheckpoint):
    """Keep the two latest states, one every `seconds` of training."""

    def __init__(self, folder: Path, seconds: float, validate_every: int) -> None:
        super().__init__(
            dirpath=folder,
            filename="{step:07d}",
            monitor="step",
            mode="max",
            save_top_k=2,
            train_time_interval=timedelta(seconds=seconds),
            save_on_train_epoch_end=False,
            enable_version_counter=False,
        )
        self.validate_every = validate_every

    @property
    def state_key(self) -> str:
        """One name whatever the interval: a run may be resumed with another one."""
        return "ResumableCheckpoint"

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Save where it is due, but not between a step and what Lightning still owes it: its validation, its row in the log.

        A run resumed from there would leave them out.
        """
        step = trainer.global_step
        if step % self.validate_every and step % trainer.log_every_n_steps:  # pyright: ignore[reportAttributeAccessIssue]
            super().on_train_batch_end(trainer, *args, **kwargs)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validation is not a reason to save: the clock is."""


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that is whole, or None. Says on standard error which ones it passed over."""
    for path in sorted(folder.glob("*.ckpt"), reverse=True):
        if _is_whole(path):
            return path
        print(f"notice: {path} is torn: going back to the checkpoint before it", file=sys.stderr)
    return None


def _is_whole(path: Path) -> bool:
    checksum = _checksum_path(path)
    return checksum.exists() and checksum.read_text() == hashlib.sha256(path.read_bytes()).hexdigest()


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
