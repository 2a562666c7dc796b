"""Checkpoints that survive a kill. Writes are atomic, each file has a checksum, and a damaged file is skipped."""

import hashlib
import io
import re
import sys
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.plugins import TorchCheckpointIO

from fittingroom.core.rundir import write_atomic, write_text

NAME = re.compile(r"step=[0-9]{7,}\.ckpt")
NUM_KEPT = 2
"""Checkpoints kept per run: if the newest is damaged, the run resumes from the one before it."""


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


class ResumableCheckpoint(Checkpoint):
    """Save every `seconds` of training and keep the two latest checkpoints.

    Lightning's `ModelCheckpoint` ignores its time interval if the module steps the optimizer itself, as ours does.
    """

    def __init__(self, folder: Path, seconds: float, validate_every: int) -> None:
        self.folder, self.seconds, self.validate_every = folder, seconds, validate_every
        self.last_saved = 0.0
        self.kept: list[Path] = []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock. In a resumed run, list the checkpoints up to its step."""
        self.last_saved = time.monotonic()
        self.kept = [path for path in checkpoints_in(self.folder) if step_of(path) <= trainer.global_step]

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Save if a checkpoint is due, except at steps after which Lightning still has to validate or log.

        A run resumed from such a checkpoint would skip that validation or log row.
        """
        step = trainer.global_step
        owed = not step % self.validate_every or not step % trainer.log_every_n_steps  # pyright: ignore[reportAttributeAccessIssue]
        if owed or time.monotonic() - self.last_saved < self.seconds:
            return
        path = self.folder / f"step={step:07d}.ckpt"
        trainer.save_checkpoint(path)
        self.kept.append(path)
        for old in self.kept[:-NUM_KEPT]:
            trainer.strategy.remove_checkpoint(old)
        self.kept = self.kept[-NUM_KEPT:]
        self.last_saved = time.monotonic()


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints by step. Other files, such as copies that a user or a sync program made, are no checkpoints."""
    return sorted(path for path in folder.glob("*.ckpt") if NAME.fullmatch(path.name))


def step_of(checkpoint: Path) -> int:
    """The number of steps done when `checkpoint` was written."""
    return int(checkpoint.stem.split("=")[1])


def latest_checkpoint(folder: Path) -> Path | None:
    """The newest undamaged checkpoint, or None. Prints a notice on standard error for each one that it skips."""
    for path in reversed(checkpoints_in(folder)):
        if _is_whole(path):
            return path
        print(f"notice: {path} is damaged: going back to the checkpoint before it", file=sys.stderr)
    return None


def _is_whole(path: Path) -> bool:
    checksum = _checksum_path(path)
    return checksum.exists() and checksum.read_bytes() == hashlib.sha256(path.read_bytes()).hexdigest().encode()


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
