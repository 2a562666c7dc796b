"""Arrays in an .npz file, read so that whatever is wrong with the file ends in one clear line."""

import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile

from fittingroom.core.errors import FittingRoomError

MEND = "delete it and run the comparison again, runs are kept"
"""Of a file that a comparison makes anew."""
DAMAGE = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError, OverflowError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
"""What numpy and zipfile raise for a file that is no archive, or one in which bytes were changed."""


@contextmanager
def open_arrays(path: Path, *, missing: str, damaged: str) -> Iterator[NpzFile]:
    """The file's arrays. They are checked within the block: a ValueError, KeyError or TypeError there is the file's fault.

    Raises FittingRoomError: 'PATH is missing: ' and `missing`, or 'PATH is damaged (why): ' and `damaged`.
    """
    try:
        # Opened here, for numpy leaves a file open that turns out to be no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            yield archive
    except FittingRoomError:  # of another file that was read meanwhile
        raise
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} is missing: {missing}") from error
    except DAMAGE as error:
        raise FittingRoomError(f"{path} is damaged ({error}): {damaged}") from error
