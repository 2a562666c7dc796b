"""Training, validation and test parts of pairs: split by source, so that all targets of one source stand in one part.

In one file the part of a source is a function of its spelling alone (a hash): it stays where it is when lines are added,
moved or deleted. In three files the user has said which part is which; a source that validation or test holds too is left
out of training, as with images: its answer would be known beforehand.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import ReadLog
from fittingroom.data.seq2seq.tsv import Pairs, demand_learnable, read_pairs

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
TRAIN_PERCENT, VAL_PERCENT = 90, 5


@dataclass(frozen=True, kw_only=True)
class PairSplits:
    """Training and validation pairs, and the only way to the test pairs: it demands a log and a reason."""

    name: str
    """What the pairs are called: 'cmudict', or a file's name."""
    train: Pairs
    val: Pairs
    open_test: Callable[[ReadLog, str], Pairs]
    num_test: int
    """Sources of the test part, counted without a look at their targets."""
    longest_source: int
    """Symbols of the longest source in any part."""
    num_left_out: int = 0
    """Training sources left out since validation or test holds them too."""


def part_of(source: str) -> Part:
    """The part of a source: the first 8 bytes of its UTF-8 spelling's SHA-256, big-endian, modulo 100: 90/5/5."""
    percent = int.from_bytes(hashlib.sha256(source.encode()).digest()[:8], "big") % 100
    if percent < TRAIN_PERCENT:
        return "train"
    return "val" if percent < TRAIN_PERCENT + VAL_PERCENT else "test"


def divide(pairs: Pairs) -> dict[Part, Pairs]:
    """The pairs of each part, in their order; a part may be empty."""
    places: dict[Part, list[int]] = {name: [] for name in PARTS}
    for place, source in enumerate(pairs.sources):
        places[part_of(source)].append(place)
    return {name: pairs.subset(of_part) for name, of_part in places.items()}


def sealed(load: Callable[[], Pairs]) -> Callable[[ReadLog, str], Pairs]:
    """`open_test(log, why)` that calls `log(why)`, then `load()`: what the log refuses stays shut."""

    def open_test(log: ReadLog, why: str) -> Pairs:
        assert why.strip(), "say why the test split is opened"
        log(why)
        return load()

    return open_test


def split_pairs(name: str, load: Callable[[], Pairs]) -> PairSplits:
    """Split what `load` gives by `part_of`; the test part is loaded anew when it is opened.

    Raises FittingRoomError where a part would be empty or the training pairs teach nothing.
    """
    parts = divide(load())
    for which, pairs in parts.items():
        if not len(pairs):
            raise FittingRoomError(
                f"{name}: {sum(map(len, parts.values()))} different sources are too few to split 90/5/5, the {which} part is "
                "empty: add pairs (200 do), or give three files: --train, --dev and --test"
            )
    return PairSplits(
        name=name,
        train=demand_learnable(parts["train"], name),
        val=parts["val"],
        open_test=sealed(lambda: divide(load())["test"]),
        num_test=len(parts["test"]),
        longest_source=max(len(source) for pairs in parts.values() for source in pairs.sources),
    )


def one_file(path: Path) -> PairSplits:
    """`--data FILE.tsv`. Raises FittingRoomError as `read_lines` and `split_pairs` do."""
    return split_pairs(path.name, lambda: read_pairs(path))


def three_files(train: Path, dev: Path, test: Path) -> PairSplits:
    """`--train A.tsv --dev B.tsv --test C.tsv`. Raises FittingRoomError as `read_lines` does, before anything is trained.

    Of the test file only the sources are used here, to keep them out of training; its targets stay shut.
    """
    pairs, val = read_pairs(train), read_pairs(dev)
    test_sources = read_pairs(test).sources
    barred = {*val.sources, *test_sources}
    kept = pairs.subset(place for place, source in enumerate(pairs.sources) if source not in barred)
    if not kept:
        raise FittingRoomError(f"{train}: every source stands in {dev} or {test} too: add other pairs to train on")
    return PairSplits(
        name=train.name,
        train=demand_learnable(kept, str(train)),
        val=val,
        open_test=sealed(lambda: read_pairs(test)),
        num_test=len(test_sources),
        longest_source=max(map(len, (*kept.sources, *val.sources, *test_sources))),
        num_left_out=len(pairs) - len(kept),
    )
