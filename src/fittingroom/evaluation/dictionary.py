"""Look up the dictionary's pronunciations of words, and whether the model was trained on these words."""

from collections.abc import Sequence
from dataclasses import dataclass

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq import cmudict
from fittingroom.data.seq2seq.compact import Target
from fittingroom.data.seq2seq.splits import Part, part_of
from fittingroom.data.seq2seq.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A word's dictionary entry."""

    targets: tuple[Target, ...]
    part: Part
    """The part of the data that contains the word. Models are trained only on words of 'train'."""


def references(data: str, target: Vocabulary, words: Sequence[str]) -> dict[str, Reference]:
    """The dictionary entries of `words`. Words that the dictionary lacks are omitted. `data` other than cmudict has no entries.

    If the dictionary cannot be read, the result is empty: answers do not depend on it. Looking up a word does not count as a
    read of the test part, because nothing is scored.
    """
    if data != cmudict.NAME:
        return {}
    keep_stress = any(symbol[-1:].isdigit() for symbol in target.symbols)
    try:
        found = cmudict.look_up(cmudict.find(), words, keep_stress=keep_stress)
    except FittingRoomError:
        return {}
    return {word: Reference(targets=targets, part=part_of(word)) for word, targets in found.items()}
