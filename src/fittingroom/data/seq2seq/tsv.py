"""Pairs of a source (a spelling) and its targets (its pronunciations), and the TSV files that store them.

    source TAB target           one pair per line, UTF-8; the target's symbols are separated by spaces

A source symbol is one code point. This loses nothing: `"".join(symbols)` restores the source. Combining marks are separate
symbols, so a known letter with a new mark is still a known letter. Grapheme clusters (a letter with its marks) would need a
table that grows with each Unicode version, and would turn every rare combination into an unknown symbol. Text is not
normalised for the same reason. Evaluation reads other forms of a known letter as that letter (`lookalikes.py`).

The reader accepts what editors commonly produce: a byte order mark at the start, CRLF, blank lines, and white space around
source and target. Any other fault is an error that names the file and the line. The reader never guesses or skips.
"""

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_file
from fittingroom.data.seq2seq.compact import Numbers, Target, TargetGroups, Targets, Texts, smallest

MAX_LINE_BYTES = 16_384
"""Longest accepted line. Reading stops there, so a huge file without line ends does not fill the memory."""
MAX_SYMBOLS = 256
"""Most symbols in a source or a target. A single longer line would slow down its whole batch."""
NUM_MARKS = 2
"""Positions that a model needs besides the symbols of a line, for the marks of its begin and its end."""
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip (or a spreadsheet)",
    b"\xfd7zXZ": "xz",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
}
HIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ufeff]")
"""Control characters except the tab, and the byte order mark. They are invisible, so users would not find these symbols."""
FORM = "write source TAB target, the target's symbols separated by spaces"
NUM_NAMED = 5
"""Number of further bad lines that an error message lists."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Unique sources with their unique targets. Both are in the order in which they first occur in the file."""

    sources: Texts
    targets: TargetGroups
    """At least one target for each source."""

    def __post_init__(self) -> None:
        assert len(self.sources) == len(self.targets), "sources and targets differ in number"

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def num_pairs(self) -> int:
        """Total number of targets."""
        return len(self.targets.flat)

    @property
    def longest_source(self) -> int:
        """Symbols of the longest source."""
        return int(self.sources.lengths.max(initial=0))

    @property
    def longest_target(self) -> int:
        """Symbols of the longest target."""
        return int(self.targets.flat.lengths.max(initial=0))

    def subset(self, positions: Iterable[int] | np.ndarray) -> "Pairs":
        """The sources at these positions and their targets, in the given order."""
        kept = np.fromiter(positions, dtype=np.int64)
        return Pairs(self.sources.take(kept), self.targets.take(kept))


class Line(NamedTuple):
    """A pair, and the number of its line in an editor."""

    number: int
    source: str
    target: Target


def group(lines: Iterable[tuple[str, Target]]) -> Pairs:
    """Make pairs from (source, target) lines. Merges equal sources, and equal targets of the same source."""
    text, ends, hashes = bytearray(), array("q"), array("q")
    table: dict[str, int] = {}
    ids, target_ends, num_symbols = array("I"), array("q"), 0
    for source, target in lines:
        text += source.encode("utf-8", "surrogatepass")
        num_symbols += len(source)
        ends.append(num_symbols)
        hashes.append(hash(source))
        ids.extend([table.setdefault(symbol, len(table)) for symbol in target])
        target_ends.append(len(ids))
    sources = Texts(text.decode("utf-8", "surrogatepass"), np.array(ends))
    del text, ends
    targets = Targets(tuple(table), smallest(ids, len(table)), np.array(target_ends))
    del ids, target_ends
    return _merge(sources, targets, np.array(hashes))


def _merge(sources: Texts, targets: Targets, hashes: Numbers) -> Pairs:
    """Pairs from the source and the target of each line. Only sources that share a hash are looked at one by one."""
    num_lines = len(sources)
    owners, kept = np.arange(num_lines), np.ones(num_lines, dtype=bool)
    order = hashes.argsort(kind="stable")
    same = hashes[order][1:] == hashes[order][:-1]
    repeated = np.zeros(num_lines, dtype=bool)
    repeated[order[1:][same]] = repeated[order[:-1][same]] = True
    first: dict[str, int] = {}
    seen: set[tuple[int, Target]] = set()
    for line in np.flatnonzero(repeated).tolist():
        owners[line] = owner = first.setdefault(sources[line], line)
        pair = (owner, targets[line])
        kept[line] = pair not in seen
        seen.add(pair)
    firsts = owners == np.arange(num_lines)
    places = (np.cumsum(firsts) - 1)[owners[kept]]
    flat = targets.take(np.flatnonzero(kept)[places.argsort(kind="stable")])
    counts = np.bincount(places, minlength=int(firsts.sum()))
    return Pairs(sources.take(np.flatnonzero(firsts)), TargetGroups(flat, np.cumsum(counts, dtype=np.int64)))


def read_pairs(path: Path) -> Pairs:
    """Read the pairs of a TSV file. Raises FittingRoomError as `read_lines` does."""
    return group((source, target) for _, source, target in read_lines(path))


def read_lines(path: Path) -> Iterator[Line]:
    """Read each line that is not blank.

    Raises FittingRoomError that names the file, describes its first bad line, and lists the numbers of the next bad lines.
    """
    faults, num_good = _Faults(path), 0
    check_file(path, "give a TSV file of pairs")
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if number == 1 and (format := _other_format(raw)):
                    faults.add(number, format)
                    break
                if len(raw) > MAX_LINE_BYTES:
                    faults.add(number, f"is longer than {MAX_LINE_BYTES:,} bytes: {FORM}, one pair per line")
                    break  # The rest may be endless: this is not a TSV file.
                try:
                    parsed = _parse(raw.removeprefix(BOM) if number == 1 else raw)
                except _BadLine as error:
                    faults.add(number, str(error))
                else:
                    num_good += parsed is not None
                    if parsed is not None and not faults.number:
                        yield Line(number, *parsed)
    except OSError as error:
        raise FittingRoomError(f"{path} cannot be read ({error.strerror}): give a TSV file of pairs") from error
    faults.demand_none()
    if not num_good:
        raise FittingRoomError(f"{path} holds no pairs: {FORM}, one pair per line")


class _BadLine(ValueError):
    """A fault in a line. The message completes the sentence 'line N ...'."""


def _other_format(start: bytes) -> str | None:
    """What is wrong with a file that starts with these bytes, if every line would be bad for the same reason."""
    for magic, name in PACKED.items():
        if start.startswith(magic):
            return f"is not text but {name}: unpack the file first"
    if start.startswith(UTF_16) or b"\0" in (start[1:2], start[:1]):
        return "is UTF-16 or UTF-32: save the file as UTF-8"
    return None


def _parse(raw: bytes) -> tuple[str, Target] | None:
    """Parse one line into source and target. Returns None if it is blank. Raises _BadLine."""
    try:
        text = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise _BadLine(f"is not UTF-8 (byte {error.start + 1} is 0x{raw[error.start]:02x}): save it as UTF-8") from None
    if "\r" in text:
        place = text.index("\r") + 1
        raise _BadLine(f"has a carriage return (U+000D) at place {place}: save the file with line ends LF or CRLF")
    if hidden := HIDDEN.search(text):
        raise _BadLine(f"holds the hidden character U+{ord(hidden[0]):04X} at place {hidden.start() + 1}: delete it")
    if not text.strip():
        return None
    source, *rest = text.split("\t")
    if len(rest) != 1:
        raise _BadLine(f"has {len(rest) or 'no'} tab{'s' if rest else ''} ({_excerpt(text)}): {FORM}")
    source, target = source.strip(), tuple(rest[0].split())
    for side, symbols in (("source", source), ("target", target)):
        if not symbols:
            raise _BadLine(f"has an empty {side} ({_excerpt(text)}): {FORM}")
        if len(symbols) > MAX_SYMBOLS:
            raise _BadLine(f"has a {side} of {len(symbols):,} symbols: at most {MAX_SYMBOLS}; split or delete it")
    return source, target


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 30 else text[:29] + "…")


class _Faults:
    """The bad lines of a file: the first with its fault, the next few with their numbers."""

    def __init__(self, path: Path) -> None:
        self.path, self.number, self.first, self.others = path, 0, "", []

    def add(self, line: int, fault: str) -> None:
        """Note a bad line."""
        self.number += 1
        if self.number == 1:
            self.first = f"line {line} {fault}"
        elif len(self.others) < NUM_NAMED:
            self.others.append(line)

    def demand_none(self) -> None:
        """Raise FittingRoomError if a line was bad."""
        if not self.number:
            return
        message, more = f"{self.path}, {self.first}", self.number - 1
        if more:
            named = ", ".join(map(str, self.others)) + (", …" if more > NUM_NAMED else "")
            message += f" ({more:,} more bad line{'s' if more > 1 else ''}: {named})"
        raise FittingRoomError(message)


def demand_learnable(pairs: Pairs, where: str) -> Pairs:
    """Return the pairs. Raises FittingRoomError, prefixed with `where`, if there is nothing to learn from them.

    Both sides need at least two different symbols, and the targets must not all be the same.
    """
    for side, inventory in (("source", pairs.sources.symbols()), ("target", pairs.targets.flat.symbols())):
        if len(inventory) < 2:
            named = f"only one {side} symbol, {_excerpt(inventory.pop())}" if inventory else f"no {side} symbols"
            raise FittingRoomError(f"{where}: the training pairs hold {named}: there is nothing to learn; add pairs")
    if _all_equal(pairs.targets.flat):
        named = _excerpt(" ".join(pairs.targets.flat[0]))
        raise FittingRoomError(
            f"{where}: all training pairs have the target {named}: there is nothing to learn; add pairs"
        )
    return pairs


def _all_equal(targets: Targets) -> bool:
    """Whether every target is the same."""
    lengths = targets.lengths
    return len(set(lengths.tolist())) == 1 and bool(
        (targets.ids.reshape(len(lengths), -1) == targets.ids[: lengths[0]]).all()
    )
