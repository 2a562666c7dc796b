"""Pairs of a source (a spelling) and its targets (its pronunciations), and the TSV files that hold them.

    source TAB target           one pair a line, UTF-8; the target's symbols are separated by spaces

A source symbol is one code point. That loses nothing: `"".join(symbols)` is the source again, combining marks are symbols
of their own, and a letter met with a new mark is still a known letter. A grapheme cluster (letter and marks as one) would
need a table that grows with Unicode's versions, and would make every rare combination an unknown symbol. For the same
reason text is not normalised: what stands in the file is what the model reads.

Accepted in silence, since editors make them: a byte order mark at the start, CRLF, blank lines, white space around source
and target. Everything else that is wrong is refused with file and line number; nothing is guessed or skipped.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fittingroom.core.errors import FittingRoomError

Target = tuple[str, ...]
"""The symbols of one target, in order."""

MAX_LINE_BYTES = 16_384
"""No word needs more. Reading stops there, so a file without line ends costs no memory."""
MAX_SYMBOLS = 256
"""Of a source, and of a target: one longer line would make every batch it stands in slow."""
BOM = b"\xef\xbb\xbf"
HIDDEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ufeff]")
"""Control characters (but for the tab) and a byte order mark: no one sees them, so no one would find the odd symbol."""
FORM = "write source TAB target, the target's symbols separated by spaces"
NUM_NAMED = 5
"""Bad lines whose numbers a message names."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """Different sources in the order of their first line, each with all its different targets in the same order."""

    sources: tuple[str, ...]
    targets: tuple[tuple[Target, ...], ...]
    """Of each source, at least one."""

    def __post_init__(self) -> None:
        assert len(self.sources) == len(self.targets), "sources and targets differ in number"

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def num_pairs(self) -> int:
        """Targets of all sources together."""
        return sum(map(len, self.targets))

    def subset(self, positions: Iterable[int]) -> "Pairs":
        """The sources at these positions with their targets, in that order."""
        kept = list(positions)
        return Pairs(tuple(self.sources[place] for place in kept), tuple(self.targets[place] for place in kept))


def group(lines: Iterable[tuple[str, Target]]) -> Pairs:
    """Pairs from (source, target) lines: equal sources become one, equal targets of a source too."""
    targets: dict[str, dict[Target, None]] = {}
    for source, target in lines:
        targets.setdefault(source, {})[target] = None
    return Pairs(tuple(targets), tuple(map(tuple, targets.values())))


def read_pairs(path: Path) -> Pairs:
    """The pairs of a TSV file. Raises FittingRoomError as `read_lines` does."""
    return group(read_lines(path))


def read_lines(path: Path) -> list[tuple[str, Target]]:
    """(source, target) of each line that is not blank.

    Raises FittingRoomError that names the file, its first bad line and what is wrong there, and the numbers of the next ones.
    """
    lines, faults = [], {}
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(raw) > MAX_LINE_BYTES:
                    faults[number] = f"is longer than {MAX_LINE_BYTES:,} bytes: {FORM}, one pair a line"
                    break  # It may go on for ever: the file is something else.
                try:
                    line = _parse(raw.removeprefix(BOM) if number == 1 else raw)
                except _BadLine as error:
                    faults[number] = str(error)
                else:
                    lines += [line] if line else []
    except OSError as error:
        raise FittingRoomError(f"{path} cannot be read ({error.strerror}): name a TSV file of pairs") from error
    if faults:
        raise FittingRoomError(_complaint(path, faults))
    if not lines:
        raise FittingRoomError(f"{path} holds no pairs: {FORM}, one pair a line")
    return lines


class _BadLine(ValueError):
    """What is wrong with a line, in words that follow its number."""


def _parse(raw: bytes) -> tuple[str, Target] | None:
    """Source and target of one line, or None where it is blank. Raises _BadLine."""
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
    """The pairs themselves. Raises FittingRoomError, which begins with `where`, unless each side has two symbols or more."""
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
