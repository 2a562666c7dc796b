"""Checkpoints that survive a kill. Writes are atomic, each file has a checksum, and a damaged file is skipped."""

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
    """Lightning's writer, made atomic (temporary file, fsync, rename), with a `.sha256` file next to each checkpoint."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write the checkpoint, then its checksum. A checkpoint without a checksum counts as damaged."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        data = buffer.getvalue()
        write_atomic(Path(path), lambda file: file.write(data))
        write_text(_checksum_path(Path(path)), hashlib.sha256(data).hexdigest())

    def remove_checkpoint(self, path: Any) -> None:
        """Delete the file and its checksum."""
        _checksum_path(Path(path)).unlink(missing_ok=True)
        super().remove_checkpoint(path)


class ResumableCheckpoint(ModelCheckpoint):
    """Save every `seconds` of training and keep the two latest checkpoints."""

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
        """The same name for every interval, so that a run can be resumed with a different one."""
        return "ResumableCheckpoint"

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Save if a checkpoint is due, except at steps after which Lightning still has to validate or log.

        A run resumed from such a checkpoint would skip that validation or log row.
        """
        step = trainer.global_step
        if step % self.validate_every and step % trainer.log_every_n_steps:  # pyright: ignore[reportAttributeAccessIssue]
            super().on_train_batch_end(trainer, *args, **kwargs)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Do nothing: the clock decides when to save, not validation."""


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest undamaged checkpoint, or None. Prints a notice on standard error for each one that it skips."""
    for path in sorted(folder.glob("*.ckpt"), reverse=True):
        if _is_whole(path):
            return path
        print(f"notice: {path} is damaged: going back to the checkpoint before it", file=sys.stderr)
    return None


def _is_whole(path: Path) -> bool:
    checksum = _checksum_path(path)
    return checksum.exists() and checksum.read_text() == hashlib.sha256(path.read_bytes()).hexdigest()


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
