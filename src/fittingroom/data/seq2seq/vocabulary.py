"""Symbols to ids and back. Four ids are fixed, the same in every data set and model: padding, begin, end, unknown."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.tsv import Pairs

PAD_ID, BOS_ID, EOS_ID, UNK_ID = range(4)
NUM_SPECIAL = 4
UNKNOWN = "<unknown symbol>"
"""What an unknown id decodes to. It holds a space, so it equals no symbol of any data: an unknown is never right by chance."""


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of one side; symbol i has id i + 4."""

    symbols: tuple[str, ...]

    def __len__(self) -> int:
        """Number of ids, the four fixed ones included: a model's `src_vocab_size` or `tgt_vocab_size`."""
        return NUM_SPECIAL + len(self.symbols)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, start=NUM_SPECIAL)}

    def encode(self, symbols: Iterable[str]) -> list[int]:
        """An id for each symbol, UNK_ID where it is unknown."""
        return [self._ids.get(symbol, UNK_ID) for symbol in symbols]

    def decode(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The symbols of ids up to the first end, without begin and padding; an unknown one is `UNKNOWN`."""
        symbols = []
        for number in ids:
            if number == EOS_ID:
                break
            if number == UNK_ID:
                symbols.append(UNKNOWN)
            elif number not in (PAD_ID, BOS_ID):
                symbols.append(self.symbols[number - NUM_SPECIAL])
        return tuple(symbols)

    def unknown(self, sequences: Iterable[Sequence[str]]) -> Counter[str]:
        """How often each symbol that has no id occurs in `sequences`."""
        return Counter(symbol for sequence in sequences for symbol in sequence if symbol not in self._ids)

    def to_list(self) -> list[str]:
        """The symbols as JSON holds them; the fixed ids are not among them."""
        return list(self.symbols)

    @classmethod
    def from_list(cls, symbols: Any, where: str) -> "Vocabulary":
        """The inverse of `to_list`. Raises FittingRoomError, which begins with `where`, unless given different, filled words."""
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) and symbol for symbol in symbols):
            raise FittingRoomError(
                f'{where}: expected a list of symbols such as ["a", "b"]: use the file of a finished run'
            )
        twice = [symbol for symbol, count in Counter(symbols).items() if count > 1]
        if twice:
            raise FittingRoomError(
                f"{where}: symbol {twice[0]!r} stands {symbols.count(twice[0])} times: keep the first one"
            )
        return cls(tuple(symbols))


def build(sequences: Iterable[Sequence[str]]) -> Vocabulary:
    """All symbols of `sequences`, in the order of their code points: the same for any order of lines."""
    return Vocabulary(tuple(sorted(set().union(*sequences))))


def build_both(train: Pairs) -> tuple[Vocabulary, Vocabulary]:
    """The source's and the target's vocabulary. Give training pairs only: what else occurs is unknown, as it will be in use."""
    return build(train.sources), build(target for targets in train.targets for target in targets)
