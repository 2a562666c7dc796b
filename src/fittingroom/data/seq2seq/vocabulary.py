"""Map symbols to ids and back. Four ids are the same in every data set and model: padding, begin, end and unknown."""

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
"""The text for UNK_ID. It contains a space, so it differs from every symbol in the data and never counts as correct."""


@dataclass(frozen=True)
class Vocabulary:
    """The symbols of one side (source or target). Symbol i has id i + 4."""

    symbols: tuple[str, ...]

    def __len__(self) -> int:
        """Number of ids, including the four fixed ones: a model's `src_vocab_size` or `tgt_vocab_size`."""
        return NUM_SPECIAL + len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._ids

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, start=NUM_SPECIAL)}

    def encode(self, symbols: Iterable[str]) -> list[int]:
        """The id of each symbol; UNK_ID for unknown symbols."""
        return [self._ids.get(symbol, UNK_ID) for symbol in symbols]

    def decode(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The symbols up to the first end mark, without begin marks and padding. UNK_ID becomes `UNKNOWN`."""
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
        """Count the symbols in `sequences` that have no id."""
        return Counter(symbol for sequence in sequences for symbol in sequence if symbol not in self._ids)

    def to_list(self) -> list[str]:
        """The symbols as a list for JSON, without the four fixed ids."""
        return list(self.symbols)

    @classmethod
    def from_list(cls, symbols: Any, where: str) -> "Vocabulary":
        """The inverse of `to_list`. Raises FittingRoomError, prefixed with `where`, for invalid, empty or repeated symbols."""
        if not isinstance(symbols, list) or not all(isinstance(symbol, str) and symbol for symbol in symbols):
            raise FittingRoomError(
                f'{where}: expected a list of symbols such as ["a", "b"]: use the file of a finished run'
            )
        twice = [symbol for symbol, count in Counter(symbols).items() if count > 1]
        if twice:
            raise FittingRoomError(
                f"{where}: symbol {twice[0]!r} occurs {symbols.count(twice[0])} times: keep the first one"
            )
        return cls(tuple(symbols))


def build(sequences: Iterable[Iterable[str]]) -> Vocabulary:
    """All symbols of `sequences`, sorted by code point, so that the order of lines does not matter."""
    return Vocabulary(tuple(sorted(set().union(*sequences))))


def build_both(train: Pairs) -> tuple[Vocabulary, Vocabulary]:
    """Build the source and target vocabularies. Pass only training pairs, so that symbols new in validation count as unknown."""
    return build([train.sources.symbols()]), build([train.targets.flat.symbols()])
