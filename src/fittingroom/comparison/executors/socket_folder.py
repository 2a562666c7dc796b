"""The folder of the fork server's socket, among the temporary files.

Whoever uses it holds a shared lock on a file in it, which the system releases even if the process is killed. So the next start
can tell a folder that is left over from one in use. Folders of other programs have no such file.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

LOCK = "fittingroom.lock"

_held: dict[str, int] = {}
"""Folder -> the handle of its lock."""


def hold(folder: str) -> None:
    """Hold `folder` until this process and its children end. The first time, delete what killed processes left beside it."""
    if folder in _held:
        return
    place = Path(folder)
    new = place / f"{LOCK}.{os.getpid()}"
    with suppress(OSError):
        if _lock(new, folder):
            os.replace(new, place / LOCK)  # nobody sees it without its lock
            _delete_left(place)
        else:
            new.unlink()


def hold_too(folder: str) -> None:
    """As `hold`, in the fork server, whose parent has held the folder first."""
    _lock(Path(folder) / LOCK, folder)


def _lock(file: Path, folder: str) -> bool:
    """Whether the file system could lock it. If it cannot, folders may be left over."""
    import fcntl

    try:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
    except OSError:
        os.close(handle)
        return False
    _held[folder] = handle
    return True


def _delete_left(ours: Path) -> None:
    import fcntl

    for lock in ours.parent.glob(f"pymp-*/{LOCK}"):
        folder = lock.parent
        with suppress(OSError):
            if folder.is_symlink() or folder.lstat().st_uid != os.getuid():
                continue
            with lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an error if it is in use
                shutil.rmtree(folder, ignore_errors=True)
