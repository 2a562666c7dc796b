"""Read a file of pairs and notice what looks like a mistake, although every line can be read.

A header line, fields in spreadsheet quotes, and targets without spaces between their symbols would otherwise go into training
and show up only as a bad score. These are hints, not errors: what looks like a mistake may be meant.
"""

import re
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
ENCLOSED = {
    '"': ('"', "spreadsheet quotes"),
    "/": ("/", "slashes around the target"),
    "[": ("]", "brackets around the target"),
}
"""By the first letter of a field: its last letter, and what both are. Dictionaries put phonemes in slashes or brackets."""
VARIANT = re.compile(r"(.+)\(\d+\)")
"""How some dictionaries mark another pronunciation of a word: `tomato(2)`."""
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
    found = (_header(watch.first, pairs), *watch.hints(pairs), unsegmented(pairs))
    hints = tuple(f"{path}{hint}" for hint in found if hint is not None)
    return PairFile(pairs=pairs, num_lines=watch.num_lines, hints=hints)


class _Seen:
    """How many lines have a fault, and the first of them: its number, and what to write instead of what."""

    def __init__(self, what: str) -> None:
        self.what, self.num, self.number, self.given, self.meant = what, 0, 0, "", ""

    def add(self, number: int, given: str, meant: str) -> None:
        """Note a line."""
        self.num += 1
        if self.num == 1:
            self.number, self.given, self.meant = number, given, meant

    @property
    def hint(self) -> str | None:
        """The hint; None if no line has the fault."""
        if not self.num:
            return None
        more = f" ({self.num - 1:,} more lines)" if self.num > 1 else ""
        return f", line {self.number} has {self.what}: write {_short(self.meant)} instead of {_short(self.given)}{more}"


class _Watch:
    """What is seen while the lines go by: the first line, lines with quotes, slashes or brackets, and numbered variants."""

    def __init__(self) -> None:
        self.num_lines, self.first = 0, Line(0, "", ())
        self.enclosed = {start: _Seen(what) for start, (_, what) in ENCLOSED.items()}
        self.variants = _Seen("a numbered variant, which counts as another word and may be in another part")

    def lines(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Pass the lines on."""
        for line in lines:
            self.first = line if self.num_lines == 0 else self.first
            self.num_lines += 1
            if line.source[0] == '"' or line.target[0][0] in ENCLOSED:
                self._look_at(line)
            if line.source[-1] == ")" and (variant := VARIANT.fullmatch(line.source)):
                self.variants.add(line.number, line.source, variant[1])
            yield line

    def _look_at(self, line: Line) -> None:
        target = " ".join(line.target)
        for field in (line.source, target):
            start, end = field[0], ENCLOSED.get(field[0], ("",))[0]
            if len(field) > 1 and field[-1] == end and (start == '"' or (field is target and len(field) > 2)):
                meant = field[1:-1].replace('""', '"') if start == '"' else field[1:-1].strip()
                self.enclosed[start].add(line.number, field, meant)
                return

    def hints(self, pairs: Pairs) -> list[str | None]:
        """A hint for each kind of fault. A number in parentheses is one only if the word also occurs without it."""
        word = self.variants.meant
        is_word = self.variants.num > 0 and any(source == word for source in pairs.sources)
        return [*(seen.hint for seen in self.enclosed.values()), self.variants.hint if is_word else None]


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
