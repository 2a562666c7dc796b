"""Open an image data set by name or path."""

from functools import cache
from pathlib import Path

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.data.images import fashion_mnist  # noqa: F401  (the import registers the data set)
from fittingroom.data.images.arrays import open_arrays_file
from fittingroom.data.images.dataset import IMAGE_DATA, ImageData

DEFAULT = "fashion-mnist"


def open_images(source: str = DEFAULT, data_dir: Path | None = None) -> ImageData:
    """Open a data set by name, or a .npz file by path. Each is opened once per process.

    Raises FittingRoomError for an unknown name, and for missing or wrong files.
    """
    return _open(source, data_dir, _fingerprint(source))


def is_images(source: str) -> bool:
    """Whether `source` names an image data set or looks like a file of images."""
    return source in IMAGE_DATA.names() or Path(source).suffix == ".npz"


def is_file_of_images(source: str) -> bool:
    """Whether `source` is the path of a file of images, not the name of a data set."""
    return source not in IMAGE_DATA.names() and is_images(source)


@cache
def _open(source: str, data_dir: Path | None, _fingerprint: tuple[int, int] | None) -> ImageData:
    if source in IMAGE_DATA.names():
        return IMAGE_DATA.get(source)(data_dir)
    if Path(source).suffix == ".npz":
        return open_arrays_file(Path(source))
    raise FittingRoomError(f"unknown data set '{source}': {did_you_mean(source, IMAGE_DATA)}, or give a .npz file")


def _fingerprint(source: str) -> tuple[int, int] | None:
    """Size and modification time of a file. If they change, the file is opened again."""
    try:
        found = Path(source).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
