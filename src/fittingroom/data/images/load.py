"""Open an image data set by name or path."""

import multiprocessing
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.data.images import fashion_mnist, named  # noqa: F401  (the import registers the data sets)
from fittingroom.data.images.arrays import open_array_files, open_arrays_file
from fittingroom.data.images.dataset import IMAGE_DATA, ImageData
from fittingroom.data.images.listing import printable
from fittingroom.data.images.named import has_idx, open_idx
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.table import is_table
from fittingroom.data.spec import DataSpec

DEFAULT = "fashion-mnist"
ACCEPTED = "a folder of pictures, a table of them, or a .npz file"


def open_images(
    source: str = DEFAULT, data_dir: Path | None = None, options: PictureOptions | None = None
) -> ImageData:
    """Open a data set by name, or pictures or arrays by path. Each is opened once per process.

    Raises FittingRoomError for an unknown name, and for missing or wrong files.
    """
    options = options or PictureOptions()
    if not is_pictures(source) and options != PictureOptions():
        given = next(name for name, value in vars(options).items() if value != getattr(PictureOptions(), name))
        raise FittingRoomError(
            f"--{given.replace('_', '-')} is for pictures in files, and {source} holds images of one size: omit it"
        )
    return _open(source, data_dir, options, _fingerprint(source))


def reopen(spec: DataSpec, source: str, options: PictureOptions, data_dir: Path | None = None) -> ImageData:
    """Open the data set that `spec` describes: at `source`, else where it was, else from the cache of decoded pictures.

    Raises FittingRoomError if it cannot be found. It does not check whether it has changed.
    """
    for place in (source, spec.source):
        if place in IMAGE_DATA.names() or os.path.exists(place):
            return open_images(place, data_dir, options)
    from fittingroom.data.images.pictures import open_cached  # loads Pillow, which other data do not need

    found = open_cached(spec.digest)
    if found is None:
        raise FittingRoomError(f"{printable(source)} is missing: put it back, or use --data to say where it is now")
    return found


def say(spec: DataSpec) -> None:
    """Print what was chosen for the data set, and what was noticed, on standard error. Once, and not in child processes."""
    if multiprocessing.parent_process() is None and spec.digest not in _SAID:
        _SAID.add(spec.digest)
        for note in spec.notes:
            print(f"note: {note}", file=sys.stderr)


_SAID: set[str] = set()


def is_images(source: str) -> bool:
    """Whether `source` names an image data set or looks like a file or folder of images."""
    return (
        source in IMAGE_DATA.names()
        or Path(source).suffix in (".npz", ".npy")
        or os.path.isdir(source)
        or is_pictures(source)
    )


def is_pictures(source: str) -> bool:
    """Whether `source` is a folder or a table of pictures."""
    if source in IMAGE_DATA.names():
        return False
    place = Path(source)
    return not has_idx(place) if os.path.isdir(source) else is_table(place)


def is_file_of_images(source: str) -> bool:
    """Whether `source` is the path of a .npz file."""
    return source not in IMAGE_DATA.names() and Path(source).suffix == ".npz"


@cache
def _open(
    source: str, data_dir: Path | None, options: PictureOptions, _fingerprint: tuple[int, ...] | None
) -> ImageData:
    if source in IMAGE_DATA.names():
        return IMAGE_DATA.get(source)(data_dir)
    if Path(source).suffix == ".npz":
        return open_arrays_file(Path(source))
    if Path(source).suffix == ".npy":
        return open_array_files(Path(source))
    if has_idx(Path(source)):
        return open_idx(Path(source))
    if is_pictures(source):
        from fittingroom.data.images.pictures import open_pictures

        return open_pictures(Path(source), options)
    raise unknown(source)


def unknown(source: str, more: str = "") -> FittingRoomError:
    """The error for a source that is no data set. `more` is what else is accepted."""
    return FittingRoomError(
        f"unknown data set '{printable(source)}': {did_you_mean(source, [*IMAGE_DATA, 'cmudict'])}, or give {ACCEPTED}{more}"
    )


def _fingerprint(source: str) -> tuple[int, ...] | None:
    """Size and modification time of a file, or a digest of both for all files in a folder. If they change, it is opened again."""
    place = Path(source)
    try:
        found = place.stat()
        if not place.is_dir():
            return found.st_size, found.st_mtime_ns
        return found.st_mtime_ns, hash(tuple(_states(source)))
    except OSError:
        return None


def _states(folder: str) -> Iterator[tuple[str, int, int]]:
    """Name, size and modification time of everything in a folder. Links to folders are not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            found = entry.stat(follow_symlinks=False)
            yield entry.path, found.st_size, found.st_mtime_ns
            if entry.is_dir(follow_symlinks=False):
                yield from _states(entry.path)
