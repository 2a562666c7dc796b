"""The run folder, and atomic writes: a file is complete or absent (temporary name, fsync, `os.replace`). Imports no torch.

config.json          the resolved RunConfig; its hash is the run's id
data.json            the data: digest, classes or symbols, sizes, preprocessing, split
environment.json     machine, versions, precision, commit
metrics.csv          one row per evaluation: step, epoch, seconds, lr, losses, accuracy
model.safetensors    the final weights (EMA if the recipe uses it)
predictions.npz      {val,test}_probs (float16, images x classes), {val,test}_labels, {val,test}_index
state.json           status, steps, timings, final scores, every read of the test split (core/records.py)
checkpoints/         Lightning checkpoints, each with a checksum; deleted when the run finishes
.lock                present while a process works in the folder
"""

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from fittingroom.core.errors import FittingRoomError

NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def write_atomic(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Call `write(file)` on a temporary file next to `path`, then move it into place. A failure leaves nothing behind."""
    make_folder(path.parent)
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o644)
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FittingRoomError(
            f"cannot write {path}: {error.strerror}: free some space or choose another folder"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_atomic(path, lambda file: file.write(text.encode()))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically. Raises ValueError for NaN and infinity, which JSON does not allow."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file. Raises FittingRoomError naming the file if it is missing, damaged or not an object."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} is missing: is {path.parent} a finished run or comparison?") from error
    except (OSError, ValueError) as error:
        raise FittingRoomError(f"{path} cannot be read ({error}): delete it and run the command again") from error
    if not isinstance(found, dict):
        raise FittingRoomError(f"{path} holds no JSON object: delete it and run the command again")
    return found


def make_folder(folder: Path) -> Path:
    """Create `folder` and its parents. Raises FittingRoomError if the folder cannot be created or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FittingRoomError(
            f"cannot make the folder {folder}: {error.strerror}: choose another with --out"
        ) from error
    if not os.access(folder, os.W_OK):
        raise FittingRoomError(f"cannot write into {folder}: permission denied: choose another with --out")
    return folder


@contextmanager
def exclusive_lock(folder: Path, patience: float = 0.0, lock: str = ".lock") -> Iterator[None]:
    """Create `folder` and lock it against other processes. The system releases the lock even if this process is killed.

    Raises FittingRoomError if another process still holds the lock after `patience` seconds. Some network file systems have
    no locks; on them the folder is not protected.
    """
    place = make_folder(folder) / lock
    held = FileLock(place, timeout=patience)
    try:
        held.acquire()
    except Timeout as error:
        raise FittingRoomError(
            f"another process is using {folder}: wait for it to end, or choose another folder with --out"
        ) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise FittingRoomError(
                f"cannot lock {place}: {error.strerror}: delete it, or choose another folder with --out"
            ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows cannot delete an open file.
            place.unlink()
        held.release()


def cache_folder(name: str) -> Path:
    """`$XDG_CACHE_HOME/fittingroom/NAME`, or `~/.cache/fittingroom/NAME`. The folder may not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fittingroom" / name
