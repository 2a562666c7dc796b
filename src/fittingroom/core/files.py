"""Check that a path is a file that can be read again. Pipes give their content only once, and a run reads its data often."""

import errno
import os
import stat
from pathlib import Path

from fittingroom.core.errors import FittingRoomError

KINDS = (
    (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device")
)  # fmt: skip
STREAMS = ("-", "/dev/stdin")


def check_file(path: str | Path, give: str) -> None:
    """Raise FittingRoomError if the path is standard input, a pipe or a device. `give` says what is expected.

    A path that does not exist passes: the reader says what is missing.
    """
    if str(path) in STREAMS and not (str(path) == "-" and Path("-").is_file()):
        raise FittingRoomError(f"{path} is standard input, which can be read only once: save it in a file, and {give}")
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise FittingRoomError(f"{path} cannot be read (the name is too long): {give}") from error
        return
    except ValueError as error:
        raise FittingRoomError(f"{str(path)!a} is not the name of a file ({error}): {give}") from error
    for is_kind, name in KINDS:
        if is_kind(mode):
            once = ", which can be read only once: save it in a file, and" if name == "a pipe" else ":"
            raise FittingRoomError(f"{path} is {name}{once} {give}")


SYSTEM = ("/dev", "/proc", "/sys")


def check_replaceable(path: Path) -> None:
    """Raise FittingRoomError if `path` is something that a new file must not replace: a device, a pipe, or what /dev links to.

    Where the user may do anything, as in a container, moving a file to /dev/stdout or /dev/null would break the machine.
    """
    in_system, mode = False, None
    try:
        folder = os.path.realpath(path.parent)
        in_system = folder in SYSTEM or folder.startswith(("/proc/", "/sys/"))  # not in /dev/shm, which holds files
        mode = path.stat().st_mode
    except (OSError, ValueError):  # It does not exist, or whoever writes it says why it cannot.
        pass
    if in_system or (mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)):
        raise FittingRoomError(f"cannot write {path}: it is a device or a pipe: give the name of a file")


def user_path(value: str | Path, what: str = "folder") -> Path:
    """A path that the user gave. `~` is the home folder: shells leave it in `--out=~/runs`, and Python everywhere.

    Raises FittingRoomError for what is no path.
    """
    if not isinstance(value, str | Path) or not str(value):
        raise FittingRoomError(f"{what} {value!r} is not a path: give text, such as 'runs/mine'")
    path = Path(value)
    if os.path.lexists(path):
        return path
    try:
        return path.expanduser()
    except RuntimeError:  # no such user, or no home
        return path


def check_writable(path: Path, option: str) -> None:
    """Raise FittingRoomError if no file can be written to `path`, the value of `option`. Missing folders would be made."""
    check_replaceable(path)
    folder = _existing(path.parent)
    if not folder.is_dir():
        raise FittingRoomError(f"{option} {path} cannot be written: {folder} is not a folder: choose another")
    if not os.access(folder, os.W_OK):
        raise FittingRoomError(f"{option} {path} cannot be written: {folder} is read-only: choose another folder")
    if path.is_dir():
        raise FittingRoomError(f"{option} {path} is a folder: give a file in it")


def check_folder(folder: Path) -> None:
    """Raise FittingRoomError if `folder`, the value of --out, cannot be made or written to. Makes nothing.

    For commands that work for minutes before they write.
    """
    there = _existing(folder)
    if not os.path.isdir(there):
        raise FittingRoomError(f"cannot write into {folder}: {there} is not a folder: choose another with --out")
    if not os.access(there, os.W_OK | os.X_OK):
        raise FittingRoomError(f"cannot write into {folder}: {there} is closed to you: choose another with --out")


def _existing(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that exists."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return folder
