"""Open pairs by name: cmudict, one TSV file or three. A digest shows whether the files have changed."""

import hashlib
import os
from pathlib import Path

from fittingroom.core.errors import FittingRoomError, did_you_mean
from fittingroom.core.files import check_file
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.splits import PairSplits, one_file, three_files

BLOCK = 2**20


def load_pair_splits(
    data: str, dev: str | None = None, test: str | None = None, *, keep_stress: bool = False
) -> PairSplits:
    """Load and split pairs. `data` is 'cmudict' or a TSV file; with `dev` and `test` it is the training file.

    Raises FittingRoomError for an unknown name or a bad file.
    """
    check_name(data)
    if dev is not None and test is not None:
        return three_files(Path(data), Path(dev), Path(test))
    if data == cmudict.NAME:
        return cmudict.load_splits(keep_stress=keep_stress)
    return one_file(Path(data))


def check_digest(digest: str, data: str, dev: str | None = None, test: str | None = None) -> None:
    """Raise FittingRoomError unless the files still have this digest."""
    if digest != digest_of(data, dev, test):
        raise FittingRoomError(f"{data} has changed since the run began: put it back, or start a new run")


def check_name(data: str) -> None:
    """Raise FittingRoomError if `data` is neither the name of a data set nor looks like a file."""
    check_file(data, "give a TSV file of pairs")
    if data != cmudict.NAME and not os.path.exists(data) and not Path(data).suffix:
        raise FittingRoomError(
            f"unknown data set '{data}': {did_you_mean(data, (cmudict.NAME, 'fashion-mnist'))}, or give the path of "
            "your data"
        )


def check_three(train: str, dev: str, test: str) -> None:
    """Raise FittingRoomError if one of three files has the name of the dictionary, which cannot be a part of other data."""
    if cmudict.NAME in (train, dev, test):
        raise FittingRoomError(
            f"{cmudict.NAME} is the name of the dictionary, which is split by itself: write ./{cmudict.NAME} for a file of "
            "that name, or give --data cmudict alone"
        )


def digest_of(data: str, dev: str | None = None, test: str | None = None) -> str:
    """Twelve hex digits of the SHA-256 of the files' bytes. With three files, each is followed by its length."""
    check_name(data)
    files = [cmudict.find()] if data == cmudict.NAME else [Path(name) for name in (data, dev, test) if name]
    found = hashlib.sha256()
    for file in files:
        check_file(file, "give a TSV file of pairs")
        size = 0
        try:
            with file.open("rb") as opened:
                while content := opened.read(BLOCK):
                    found.update(content)
                    size += len(content)
        except OSError as error:
            raise FittingRoomError(f"{file} cannot be read ({error.strerror}): give a TSV file of pairs") from error
        if len(files) > 1:  # The length marks where one part ends and the next begins.
            found.update(size.to_bytes(8, "big"))
    return found.hexdigest()[:12]


def is_pairs(data: str) -> bool:
    """Whether `data` names pairs of sequences, or looks like a file of them."""
    suffix = Path(data).suffix
    return data == cmudict.NAME or (suffix != ".npz" if suffix else os.path.isfile(data))
