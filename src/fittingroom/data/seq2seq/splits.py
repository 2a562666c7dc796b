"""Split pairs into training, validation and test parts by source, so that all targets of a source are in the same part.

In a single file, a hash of its spelling decides the part of a source. The part therefore stays the same when lines are added,
moved or deleted. With three files, the user chooses the parts. A training source that also occurs in validation or test is
left out of training, because the model would have seen its answer. Images follow the same rule.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import ReadLog
from fittingroom.data.seq2seq.hints import read_file
from fittingroom.data.seq2seq.tsv import Pairs, demand_learnable, read_pairs

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
TRAIN_PERCENT, VAL_PERCENT = 90, 5


@dataclass(frozen=True, kw_only=True)
class PairSplits:
    """Training and validation pairs, and a function that opens the test pairs. It requires a log and a reason."""

    name: str
    """Name of the data: 'cmudict' or a file name."""
    train: Pairs
    val: Pairs
    open_test: Callable[[ReadLog, str], Pairs]
    num_test: int
    """Number of sources in the test part."""
    longest_source: int
    """Number of symbols in the longest source of any part."""
    num_left_out: int = 0
    """Number of training sources left out because they also occur in validation or test."""
    hints: tuple[str, ...] = ()
    """What looks like a mistake in the files, as sentences that name the file."""


def part_of(source: str) -> Part:
    """The part of a source, 90/5/5: the first 8 bytes of the SHA-256 of its UTF-8 spelling, big-endian, modulo 100."""
    percent = int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "big") % 100
    if percent < TRAIN_PERCENT:
        return "train"
    return "val" if percent < TRAIN_PERCENT + VAL_PERCENT else "test"


def divide(pairs: Pairs) -> dict[Part, Pairs]:
    """Divide the pairs into the parts, keeping their order. A part may be empty."""
    parts = np.fromiter((PARTS.index(part_of(source)) for source in pairs.sources), dtype=np.uint8)
    return {name: pairs.subset(np.flatnonzero(parts == number)) for number, name in enumerate(PARTS)}


def too_few(parts: dict[Part, Pairs]) -> str | None:
    """A sentence for parts of one file of which one is empty, so that no run can start; None if all have pairs."""
    empty = next((name for name, part in parts.items() if not len(part)), None)
    if empty is None:
        return None
    number = sum(map(len, parts.values()))
    return (
        f"{number} different source{'s are' if number > 1 else ' is'} too few to split 90/5/5, the {empty} part is empty: add "
        "pairs (200 are enough), or give three files: --train, --dev and --test"
    )


def sealed(load: Callable[[], Pairs]) -> Callable[[ReadLog, str], Pairs]:
    """Make `open_test(log, why)`, which calls `log(why)` and then `load()`. If the log raises, nothing is loaded."""

    def open_test(log: ReadLog, why: str) -> Pairs:
        assert why.strip(), "say why the test split is opened"
        log(why)
        return load()

    return open_test


def split_pairs(name: str, load: Callable[[], Pairs], pairs: Pairs | None = None) -> PairSplits:
    """Split `pairs` by `part_of`; by default those from `load`. Opening the test part loads the pairs again.

    Raises FittingRoomError if a part would be empty or the training pairs contain nothing to learn.
    """
    parts = divide(load() if pairs is None else pairs)
    if few := too_few(parts):
        raise FittingRoomError(f"{name}: {few}")
    return PairSplits(
        name=name,
        train=demand_learnable(parts["train"], name),
        val=parts["val"],
        open_test=sealed(lambda: divide(load())["test"]),
        num_test=len(parts["test"]),
        longest_source=max(pairs.longest_source for pairs in parts.values()),
    )


def one_file(path: Path) -> PairSplits:
    """The splits of `--data FILE.tsv`. Raises FittingRoomError as `read_lines` and `split_pairs` do."""
    file = read_file(path)
    splits = split_pairs(path.name, lambda: read_pairs(path), file.pairs)
    return replace(splits, hints=file.hints)


def left_to_train(parts: Sequence[Pairs], paths: Sequence[Path]) -> Pairs:
    """The training pairs of three files, without sources that dev or test hold. Raises FittingRoomError if they teach nothing."""
    pairs, *others = parts
    train, dev, test = paths
    barred = {source for other in others for source in other.sources}
    kept = pairs.subset(place for place, source in enumerate(pairs.sources) if source not in barred)
    if not kept:
        raise FittingRoomError(f"{train}: every source is also in {dev} or {test}: add other pairs to train on")
    return demand_learnable(kept, str(train))


def three_files(train: Path, dev: Path, test: Path) -> PairSplits:
    """The splits of `--train A.tsv --dev B.tsv --test C.tsv`. Raises FittingRoomError as `read_lines` does.

    This function uses only the sources of the test file, to keep them out of training. The targets stay sealed.
    """
    paths = (train, dev, test)
    files = [read_file(path) for path in paths]
    pairs, val, held_out = parts = [file.pairs for file in files]
    kept = left_to_train(parts, paths)
    return PairSplits(
        name=train.name,
        train=kept,
        val=val,
        open_test=sealed(lambda: read_pairs(test)),
        num_test=len(held_out),
        longest_source=max(pairs.longest_source for pairs in (kept, val, held_out)),
        num_left_out=len(pairs) - len(kept),
        hints=tuple(hint for file in files for hint in file.hints),
    )
