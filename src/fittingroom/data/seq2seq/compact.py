"""Sequences of texts and of targets in a few arrays. A Python list of two million pairs takes gigabytes, these take 100 MB.

Both behave like tuples: `texts[3]`, `len(texts)`, iteration, and comparison with a tuple.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

Target = tuple[str, ...]
"""The symbols of one target, in order."""
T = TypeVar("T")
CHUNK = 100_000
"""Sequences that are copied at a time, so that the indices of all symbols never lie in memory at once."""
Numbers = NDArray[np.integer[Any]]


class Compact(Sequence[T], Generic[T]):
    """A sequence whose items are made when they are read."""

    ends: Numbers
    """Where each item ends in the symbols of all items."""

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[T, ...]: ...
    def __getitem__(self, place: int | slice) -> T | tuple[T, ...]:
        if isinstance(place, slice):
            return tuple(self._item(each) for each in range(len(self))[place])
        return self._item(range(len(self))[place])

    def __iter__(self) -> Iterator[T]:
        return map(self._item, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(_equal, self, other))

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self[:3]!r}{', ...' if len(self) > 3 else ''})"

    def _item(self, place: int) -> T:
        raise NotImplementedError

    def _bounds(self, place: int) -> tuple[int, int]:
        return int(self.ends[place - 1]) if place else 0, int(self.ends[place])

    @property
    def lengths(self) -> Numbers:
        """The length of each item."""
        return np.diff(self.ends, prepend=0)


class Texts(Compact[str]):
    """Texts in one string. A symbol is a code point."""

    def __init__(self, text: str, ends: Numbers) -> None:
        self.text, self.ends = text, ends

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Texts":
        """Pack texts."""
        kept = list(texts)
        return cls("".join(kept), np.cumsum([len(each) for each in kept], dtype=np.int64))

    def take(self, places: Numbers) -> "Texts":
        """The texts at these places, in the given order."""
        chunks = ["".join(map(self._item, places[start : start + CHUNK].tolist())) for start in _chunks(places)]
        return Texts("".join(chunks), np.cumsum(self.lengths[places], dtype=np.int64))

    def symbols(self) -> set[str]:
        """All different symbols."""
        return set(self.text)

    def _item(self, place: int) -> str:
        start, end = self._bounds(place)
        return self.text[start:end]


class Targets(Compact[Target]):
    """Targets as numbers into a table of symbols."""

    def __init__(self, table: tuple[str, ...], ids: Numbers, ends: Numbers) -> None:
        self.table, self.ids, self.ends = table, ids, ends

    def take(self, places: Numbers) -> "Targets":
        """The targets at these places, in the given order. The table stays as it is."""
        starts, lengths = self.ends - self.lengths, self.lengths
        chunks = [self.ids[:0]]
        for start in _chunks(places):
            chosen = places[start : start + CHUNK]
            chunks.append(self.ids[_spread(starts[chosen], lengths[chosen])])
        return Targets(self.table, np.concatenate(chunks), np.cumsum(lengths[places], dtype=np.int64))

    def symbols(self) -> set[str]:
        """All different symbols that occur."""
        return {self.table[number] for number in np.flatnonzero(np.bincount(self.ids, minlength=1)).tolist()}

    def _item(self, place: int) -> Target:
        start, end = self._bounds(place)
        return tuple(map(self.table.__getitem__, self.ids[start:end].tolist()))


class TargetGroups(Compact[tuple[Target, ...]]):
    """The targets of each source: neighbours in `flat`."""

    def __init__(self, flat: Targets, ends: Numbers) -> None:
        self.flat, self.ends = flat, ends

    def take(self, places: Numbers) -> "TargetGroups":
        """The groups at these places, in the given order."""
        lengths = self.lengths
        targets = self.flat.take(_spread((self.ends - lengths)[places], lengths[places]))
        return TargetGroups(targets, np.cumsum(lengths[places], dtype=np.int64))

    def _item(self, place: int) -> tuple[Target, ...]:
        start, end = self._bounds(place)
        return self.flat[start:end]


def smallest(numbers: Any, most: int) -> Numbers:
    """The numbers, 0 to `most`, in the smallest type that holds them."""
    return np.asarray(numbers).astype(np.min_scalar_type(most))


def _chunks(places: Numbers) -> range:
    return range(0, len(places), CHUNK)


def _spread(starts: Numbers, lengths: Numbers) -> Numbers:
    """`start, start + 1, ...` for each of the spans, one after the other."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _equal(one: Any, other: Any) -> bool:
    return one == other
