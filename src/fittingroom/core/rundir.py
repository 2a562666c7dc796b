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
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_replaceable
from fittingroom.core.json_text import parse_json

NOT_SUPPORTED = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What file systems answer that lack an operation, such as locks or fsync."""

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")
"""The names that `write_atomic` gives to temporary files."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomic(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Call `write(file)` on a temporary file next to `path`, then move it into place. A failure leaves nothing behind."""
    check_replaceable(path)
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("xb") as file:  # created by the system, so that the user's umask applies
                write(file)
                file.flush()
                _sync(file)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        advice = "free some space" if error.errno in NO_SPACE else "make the folder writable"
        raise FittingRoomError(
            f"cannot write {path}: {error.strerror}: {advice}{_other_cache(path) or ' or choose another folder'}"
        ) from error


def remove_temporary(folder: Path) -> None:
    """Delete the temporary files that killed processes left in `folder`. Call it only if nobody else writes there."""
    for path in temporary_files(folder):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def temporary_files(folder: Path) -> list[Path]:
    """The temporary files in `folder`: of a process that writes at the moment, or of one that was killed."""
    return [path for path in folder.glob(".*.tmp") if TEMPORARY.fullmatch(path.name)]


def _sync(file: IO[bytes]) -> None:
    """Wait until the file is on the disk. File systems without fsync are left alone."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically. Bytes of a file name that are no text become question marks."""
    write_atomic(path, lambda file: file.write(text.encode("utf-8", "replace")))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically. Raises ValueError for NaN and infinity, which JSON does not allow."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file. Raises FittingRoomError naming the file if it is missing, damaged or not an object."""
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} is missing: is {path.parent} a finished run or comparison?") from error
    except NotADirectoryError as error:
        raise FittingRoomError(f"{path.parent} is a file: give the folder of a run or of a comparison") from error
    except (OSError, ValueError) as error:
        raise FittingRoomError(f"{path} cannot be read ({error}): delete it and run the command again") from error
    if not isinstance(found, dict):
        raise FittingRoomError(f"{path} holds no JSON object: delete it and run the command again")
    return found


def make_folder(folder: Path, *, fixed: bool = False) -> Path:
    """Create `folder` and its parents. Raises FittingRoomError if the folder cannot be created or written to.

    `fixed` says that the command has no option for another folder. The message then does not suggest one.
    """
    advice = _other_cache(folder)[5:] or (
        "make it writable, or work on a copy" if fixed else "choose another with --out"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FittingRoomError(f"cannot make the folder {folder}: {error.strerror}: {advice}") from error
    if not os.access(folder, os.W_OK):
        raise FittingRoomError(f"cannot write into {folder}: permission denied: {advice}")
    return folder


@contextmanager
def exclusive_lock(folder: Path, patience: float = 0.0, lock: str = ".lock", *, fixed: bool = False) -> Iterator[None]:
    """Create `folder` and lock it against other processes. The system releases the lock even if this process is killed.

    Raises FittingRoomError if another process still holds the lock after `patience` seconds. Some network file systems have
    no locks; on them the folder is not protected. `fixed`: see `make_folder`.
    """
    place = make_folder(folder, fixed=fixed) / lock
    other = _other_cache(folder) or ("" if fixed else ", or choose another folder with --out")
    held = FileLock(place, timeout=patience)
    try:
        held.acquire()
    except Timeout as error:
        raise FittingRoomError(f"another process is using {folder}: wait for it to end{other}") from error
    except OSError as error:
        if error.errno not in (errno.ENOLCK, *NOT_SUPPORTED):
            raise FittingRoomError(f"cannot lock {place}: {error.strerror}: delete it{other}") from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows cannot delete an open file.
            place.unlink()
        held.release()


def _other_cache(path: Path) -> str:
    """How to choose another cache, as the end of a sentence, if `path` is in the cache. Otherwise empty."""
    return ", or set XDG_CACHE_HOME to another folder" if path.is_relative_to(cache_folder("")) else ""
