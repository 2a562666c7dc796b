"""Read the arrays of an .npz file. Any fault in the file becomes a one-line error."""

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
from fittingroom.core.files import check_file

MEND = "delete it and run the comparison again; finished runs are kept"
"""The fix for a damaged file that a comparison can write again."""
DAMAGE = (
    OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, MemoryError, OverflowError, SyntaxError,
    tokenize.TokenError, zipfile.BadZipFile, zlib.error, struct.error,
)  # fmt: skip
"""The exceptions of numpy and zipfile for a file that is not an archive or whose bytes were changed."""


@contextmanager
def open_arrays(path: Path, *, missing: str, damaged: str) -> Iterator[NpzFile]:
    """Open the file and yield its arrays. Check them inside the `with` block: a ValueError, KeyError or TypeError raised there
    means that the file is damaged.

    Raises FittingRoomError with the text 'PATH is missing: `missing`' or 'PATH is damaged (cause): `damaged`'.
    """
    check_file(path, "give an .npz file")
    try:
        # Open the file here: np.load does not close a file that is not an archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            yield archive
    except FittingRoomError:  # The block read another file, and that file is at fault.
        raise
    except FileNotFoundError as error:
        raise FittingRoomError(f"{path} is missing: {missing}") from error
    except DAMAGE as error:
        raise FittingRoomError(f"{path} is damaged ({error}): {damaged}") from error
