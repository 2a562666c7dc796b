"""Open a data set of images by name or path."""

from functools import cache
from pathlib import Path

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.data.images import fashion_mnist  # noqa: F401  (the import files the data set)
from fittingroom.data.images.arrays import open_arrays_file
from fittingroom.data.images.dataset import IMAGE_DATA, ImageData

DEFAULT = "fashion-mnist"


def open_images(source: str = DEFAULT, data_dir: Path | None = None) -> ImageData:
    """The data set of that name, or in the file at that path (.npz). Opened once per process.

    Raises FittingRoomError for a name that is unknown, and where files are missing or wrong.
    """
    return _open(source, data_dir, _fingerprint(source))


def is_images(source: str) -> bool:
    """Whether `source` names a data set of images, or looks like a file of images."""
    return source in IMAGE_DATA.names() or Path(source).suffix == ".npz"


@cache
def _open(source: str, data_dir: Path | None, _fingerprint: tuple[int, int] | None) -> ImageData:
    if source in IMAGE_DATA.names():
        return IMAGE_DATA.get(source)(data_dir)
    if Path(source).suffix == ".npz":
        return open_arrays_file(Path(source))
    raise FittingRoomError(f"unknown data set '{source}': {did_you_mean(source, IMAGE_DATA)}, or give a .npz file")


def _fingerprint(source: str) -> tuple[int, int] | None:
    """Size and time of a file, so that one that changed is opened again."""
    try:
        found = Path(source).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
