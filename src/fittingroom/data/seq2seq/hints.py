"""Read a file of pairs and notice what looks like a mistake, although every line can be read.

A header line, fields in spreadsheet quotes, and targets without spaces between their symbols would otherwise go into training
and show up only as a bad score. These are hints, not errors: what looks like a mistake may be meant.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fittingroom.core.text import shown
from fittingroom.data.seq2seq.tsv import Line, Pairs, group, read_lines

SOURCE_TITLES = frozenset({
    "word", "words", "source", "src", "grapheme", "graphemes", "letters", "spelling", "orthography", "text", "input", "token",
    "lemma", "headword", "form",
})  # fmt: skip
TARGET_TITLES = frozenset({
    "phoneme", "phonemes", "phones", "phone", "target", "tgt", "pronunciation", "pronunciations", "transcription",
    "transcriptions", "ipa", "arpabet", "sampa", "x-sampa", "phonetic", "phonetics", "sounds", "output", "label",
})  # fmt: skip
UNSEGMENTED_SHARE = 0.9
"""Targets are not segmented if at least this share of them is one symbol of several letters ..."""
DIFFERENT_SHARE = 0.5
"""... and at least this share of those symbols differ. Otherwise they may be classes, such as NOUN and VERB."""
TITLE_LENGTH = 4
"""A lone symbol of this length on line 1 is taken for a title if no other line holds it."""


@dataclass(frozen=True, kw_only=True)
class PairFile:
    """A file of pairs, and what looks like a mistake in it."""

    pairs: Pairs
    num_lines: int
    """Lines that are not blank."""
    hints: tuple[str, ...]
    """One sentence each, with the name of the file."""


def read_file(path: Path) -> PairFile:
    """Read a TSV file. Raises FittingRoomError as `read_lines` does."""
    watch = _Watch()
    pairs = group((source, target) for _, source, target in watch.lines(read_lines(path)))
    found = (_header(watch.first, pairs), watch.quotes(), unsegmented(pairs))
    hints = tuple(f"{path}{hint}" for hint in found if hint is not None)
    return PairFile(pairs=pairs, num_lines=watch.num_lines, hints=hints)


class _Watch:
    """What is seen while the lines go by: the first line, and lines with quotes."""

    def __init__(self) -> None:
        self.num_lines, self.first = 0, Line(0, "", ())
        self.num_quoted, self.quoted = 0, (0, "")

    def lines(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Pass the lines on."""
        for line in lines:
            self.first = line if self.num_lines == 0 else self.first
            self.num_lines += 1
            if line.source[0] == '"' or line.target[0][0] == '"':
                self._look_at(line)
            yield line

    def _look_at(self, line: Line) -> None:
        field = next((field for field in (line.source, " ".join(line.target)) if _is_quoted(field)), None)
        if field is not None:
            self.num_quoted += 1
            self.quoted = (line.number, field) if self.num_quoted == 1 else self.quoted

    def quotes(self) -> str | None:
        """The hint about spreadsheet quotes."""
        if not self.num_quoted:
            return None
        number, field = self.quoted
        meant = field[1:-1].replace('""', '"')
        more = f" ({self.num_quoted - 1:,} more lines)" if self.num_quoted > 1 else ""
        return f", line {number} has spreadsheet quotes: write {_short(meant)} instead of {_short(field)}{more}"


def _is_quoted(field: str) -> bool:
    return len(field) > 1 and field[0] == field[-1] == '"'


def _header(first: Line, pairs: Pairs) -> str | None:
    """The hint about a header: both columns have usual titles, or the second is a word that no other line holds."""
    titles = (set(first.source.lstrip("#%; ").lower().split()), {symbol.lower() for symbol in first.target})
    usual = titles[0] & SOURCE_TITLES and titles[1] & TARGET_TITLES
    if not usual and not (_is_lone_word(first, pairs) and unsegmented(pairs) is None):
        return None
    return f", line {first.number} looks like a header ({_short(first.source)}, {_short(' '.join(first.target))}): delete it"


def _is_lone_word(first: Line, pairs: Pairs) -> bool:
    """Whether the target is one long symbol where most targets have several, and no other line holds it."""
    symbol, flat = first.target[0], pairs.targets.flat
    if len(first.target) > 1 or len(symbol) < TITLE_LENGTH or not symbol.isalpha() or (flat.lengths == 1).mean() > 0.5:
        return False
    return int((flat.ids == flat.table.index(symbol)).sum()) == 1


def unsegmented(pairs: Pairs) -> str | None:
    """The hint about targets without spaces between their symbols; None if they have them."""
    flat = pairs.targets.flat
    longer = np.array([len(symbol) > 1 for symbol in flat.table])
    single = flat.ids[(flat.ends - 1)[flat.lengths == 1]]
    single = single[longer[single]]
    if len(single) < UNSEGMENTED_SHARE * len(flat) or len(np.unique(single)) < DIFFERENT_SHARE * len(single):
        return None
    example = flat.table[single[0]]
    swapped = (
        " (or are the columns swapped?)" if sum(" " in source for source in pairs.sources) > len(pairs) / 2 else ""
    )
    return (
        f": {len(single):,} of {len(flat):,} targets are one symbol, so there is little to learn: separate the symbols by "
        f"spaces, such as {_short(' '.join(example))} instead of {_short(example)}{swapped}"
    )


def _short(text: str) -> str:
    """The text in quotes, cut and safe to print."""
    return f"'{shown(text if len(text) <= 30 else text[:29] + '…')}'"
