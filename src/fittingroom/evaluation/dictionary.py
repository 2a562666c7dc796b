"""What a dictionary says of a word that a model is asked for, and whether the model has learnt from that word."""

from collections.abc import Sequence
from dataclasses import dataclass

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.splits import Part, part_of
from fittingroom.data.seq2seq.tsv import Target
from fittingroom.data.seq2seq.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A word's entry."""

    targets: tuple[Target, ...]
    part: Part
    """Of the data: a model has learnt from words of 'train' alone."""


def references(data: str, target: Vocabulary, words: Sequence[str]) -> dict[str, Reference]:
    """The entries of those of `words` that a run's `data` holds: of the CMU dictionary; none of other data.

    Where the dictionary cannot be read there are none: answers do not depend on it. That a word is looked up by name is no
    read of the test part, for nothing is scored.
    """
    if data != cmudict.NAME:
        return {}
    keep_stress = any(symbol[-1:].isdigit() for symbol in target.symbols)
    try:
        found = cmudict.look_up(cmudict.find(), words, keep_stress=keep_stress)
    except FittingRoomError:
        return {}
    return {word: Reference(targets=targets, part=part_of(word)) for word, targets in found.items()}
