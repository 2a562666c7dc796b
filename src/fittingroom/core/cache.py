"""The user's cache: files that can be made again. Every command imports this file, so it imports nothing slow."""

import os
from pathlib import Path

from fittingroom.core.errors import FittingRoomError


def cache_folder(name: str) -> Path:
    """A folder for files that can be made again: `$XDG_CACHE_HOME/fittingroom/NAME`, or `~/.cache/fittingroom/NAME`.

    The folder may not exist yet. Without a home folder, or with one that cannot be written to, it is in the system's folder for
    temporary files.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "fittingroom" / name
    try:
        cache = Path.home() / ".cache" / "fittingroom"
    except RuntimeError:  # no HOME, and the user is not in passwd
        return temporary_cache() / name
    return (cache if os.path.isdir(cache / name) or can_be_made(cache) else temporary_cache()) / name


def can_be_made(folder: Path) -> bool:
    """Whether `folder` is, or could become, a folder that this process can write to."""
    there = next((each for each in (folder, *folder.absolute().parents) if os.path.lexists(each)), folder)
    return os.path.isdir(there) and os.access(there, os.W_OK | os.X_OK)


def temporary_cache() -> Path:
    """A folder of this user's own among the temporary files."""
    fix = "set XDG_CACHE_HOME to a folder that you can write to"
    import tempfile

    user = os.getuid() if hasattr(os, "getuid") else None
    try:
        folder = Path(tempfile.gettempdir()) / f"fittingroom-{'user' if user is None else user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        raise FittingRoomError(f"there is no folder for temporary files ({error.strerror}): {fix}") from error
    if user is not None and owner != user:  # a trap, perhaps
        raise FittingRoomError(f"{folder} belongs to another user: {fix}")
    return folder
