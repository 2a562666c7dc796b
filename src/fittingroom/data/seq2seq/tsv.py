"""Pairs of a source (a spelling) and its targets (its pronunciations), and the TSV files that store them.

    source TAB target           one pair per line, UTF-8; the target's symbols are separated by spaces

A source symbol is one code point. This loses nothing: `"".join(symbols)` restores the source. Combining marks are separate
symbols, so a known letter with a new mark is still a known letter. Grapheme clusters (a letter with its marks) would need a
table that grows with each Unicode version, and would turn every rare combination into an unknown symbol. Text is not
normalised for the same reason: the model reads exactly what the file contains.

The reader accepts what editors commonly produce: a byte order mark at the start, CRLF, blank lines, and white space around
source and target. Any other fault is an error that names the file and the line. The reader never guesses or skips.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fittingroom.core.errors import FittingRoomError

Target = tuple[str, ...]
"""The symbols of one target, in order."""

MAX_LINE_BYTES = 16_384
"""Longest accepted line. Reading stops there, so a huge file without line ends does not fill the memory."""
MAX_SYMBOLS = 256
"""Most symbols in a source or a target. A single longer line would slow down its whole batch."""
BOM = b"\xef\xbb\xbf"
HIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ufeff]")
"""Control characters except the tab, and the byte order mark. They are invisible, so users would not find these symbols."""
FORM = "write source TAB target, the target's symbols separated by spaces"
NUM_NAMED = 5
"""Number of further bad lines that an error message lists."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Unique sources with their unique targets. Both are in the order in which they first occur in the file."""

    sources: tuple[str, ...]
    targets: tuple[tuple[Target, ...], ...]
    """At least one target for each source."""

    def __post_init__(self) -> None:
        assert len(self.sources) == len(self.targets), "sources and targets differ in number"

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def num_pairs(self) -> int:
        """Total number of targets."""
        return sum(map(len, self.targets))

    def subset(self, positions: Iterable[int]) -> "Pairs":
        """The sources at these positions and their targets, in the given order."""
        kept = list(positions)
        return Pairs(tuple(self.sources[place] for place in kept), tuple(self.targets[place] for place in kept))


def group(lines: Iterable[tuple[str, Target]]) -> Pairs:
    """Make pairs from (source, target) lines. Merges equal sources, and equal targets of the same source."""
    targets: dict[str, dict[Target, None]] = {}
    for source, target in lines:
        targets.setdefault(source, {})[target] = None
    return Pairs(tuple(targets), tuple(map(tuple, targets.values())))


def read_pairs(path: Path) -> Pairs:
    """Read the pairs of a TSV file. Raises FittingRoomError as `read_lines` does."""
    return group(read_lines(path))


def read_lines(path: Path) -> list[tuple[str, Target]]:
    """Read (source, target) from each line that is not blank.

    Raises FittingRoomError that names the file, describes its first bad line, and lists the numbers of the next bad lines.
    """
    lines, faults = [], {}
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    faults[number] = f"is longer than {MAX_LINE_BYTES:,} bytes: {FORM}, one pair a line"
                    break  # The rest may be endless: this is not a TSV file.
                try:
                    line = _parse(raw.removeprefix(BOM) if number == 1 else raw)
                except _BadLine as error:
                    faults[number] = str(error)
                else:
                    lines += [line] if line else []
    except OSError as error:
        raise FittingRoomError(f"{path} cannot be read ({error.strerror}): give a TSV file of pairs") from error
    if faults:
        raise FittingRoomError(_complaint(path, faults))
    if not lines:
        raise FittingRoomError(f"{path} holds no pairs: {FORM}, one pair a line")
    return lines


class _BadLine(ValueError):
    """A fault in a line. The message completes the sentence 'line N ...'."""


def _parse(raw: bytes) -> tuple[str, Target] | None:
    """Parse one line into source and target. Returns None if it is blank. Raises _BadLine."""
    try:
        text = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise _BadLine(f"is not UTF-8 (byte {error.start + 1} is 0x{raw[error.start]:02x}): save it as UTF-8") from None
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


def _complaint(path: Path, faults: dict[int, str]) -> str:
    first, *others = faults
    message = f"{path}, line {first} {faults[first]}"
    if others:
        named = ", ".join(map(str, others[:NUM_NAMED])) + (", …" if len(others) > NUM_NAMED else "")
        message += f" ({len(others):,} more bad line{'s' if len(others) > 1 else ''}: {named})"
    return message


def demand_learnable(pairs: Pairs, where: str) -> Pairs:
    """Return the pairs. Raises FittingRoomError, prefixed with `where`, unless both sides have at least two different symbols."""
    sides: dict[str, Iterable[Sequence[str]]] = {
        "source": pairs.sources,
        "target": (target for targets in pairs.targets for target in targets),
    }
    for side, sequences in sides.items():
        inventory: set[str] = set().union(*sequences)
        if len(inventory) < 2:
            named = f"only one {side} symbol, {_excerpt(inventory.pop())}" if inventory else f"no {side} symbols"
            raise FittingRoomError(f"{where}: the training pairs hold {named}: there is nothing to learn; add pairs")
    return pairs
