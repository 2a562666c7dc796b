"""Read a text with the symbols that training knows: `don’t` as `don't`, a decomposed `é` as the composed one, `A` as `a`.

Keyboards, word processors and file systems write the same letter in different ways. A model knows only the way of its training
data, and would read the others as unknown symbols. Symbols that training knows stay as they are, with one exception: a letter
before an unknown accent becomes the composed letter if training had it.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from fittingroom.data.seq2seq.vocabulary import Vocabulary

LOOK_ALIKES = (
    "'’‘ʼʻ′ʹ´`＇ꞌ",
    "-‐‑‒–—−﹣－",
    '"“”„‟«»″＂',
    " \u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
)
"""Characters that are used for each other. The first one that training knows is taken."""


@dataclass(frozen=True)
class Reading:
    """A text as a model reads it."""

    symbols: tuple[str, ...]
    """The symbols, known ones where possible."""
    replaced: tuple[tuple[str, str], ...] = ()
    """(given, read) for each change, once each. What was left out was read as an empty text."""

    @property
    def surprising(self) -> tuple[tuple[str, str], ...]:
        """The changes, without those of upper and lower case."""
        return tuple((given, read) for given, read in self.replaced if given.casefold() != read.casefold())


def as_known(text: str, vocabulary: Vocabulary, most: int | None = None) -> Reading:
    """The text in symbols of `vocabulary`. What has no known form stays as it is.

    If the result would have more than `most` symbols, the text is not changed.
    """
    if all(symbol in vocabulary for symbol in text):
        return Reading(tuple(text))
    symbols: list[str] = []
    replaced: dict[tuple[str, str], None] = {}
    for cluster in _clusters(text):
        read = _known_form(cluster, vocabulary)
        symbols += read
        if read != cluster:
            replaced[cluster, read] = None
    if not symbols or (most is not None and len(symbols) > most):
        return Reading(tuple(text))
    return Reading(tuple(symbols), tuple(replaced))


def _known_form(cluster: str, vocabulary: Vocabulary) -> str:
    """The first form of the cluster whose symbols are all known; without one, the known forms of its single symbols."""
    for form in _forms(cluster, vocabulary):
        if all(symbol in vocabulary for symbol in form):
            return form
    if len(cluster) > 1:
        return "".join(_known_form(symbol, vocabulary) for symbol in cluster)
    return cluster


def _forms(cluster: str, vocabulary: Vocabulary) -> Iterator[str]:
    """The ways to write a cluster, closest first: as it is, in lower case, in upper case."""
    for cased in dict.fromkeys((cluster, cluster.lower(), cluster.upper())):
        for form in ("", "NFC", "NFD", "NFKC", "NFKD"):
            written = unicodedata.normalize(form, cased) if form else cased
            yield written
            yield "".join(_look_alike(symbol, vocabulary) for symbol in written)
    if all(unicodedata.category(symbol) == "Cf" for symbol in cluster):
        yield ""  # invisible, such as a soft hyphen


def _look_alike(symbol: str, vocabulary: Vocabulary) -> str:
    group = _groups().get(symbol, "")
    return symbol if symbol in vocabulary else next((other for other in group if other in vocabulary), symbol)


@cache
def _groups() -> dict[str, str]:
    return {symbol: group for group in LOOK_ALIKES for symbol in group}


def _clusters(text: str) -> Iterator[str]:
    """The text in pieces that normalisation does not join: letters with their marks, Korean syllables with their parts."""
    start = 0
    for place in range(1, len(text) + 1):
        if place == len(text) or not _continues(text[place]):
            yield text[start:place]
            start = place


def _continues(symbol: str) -> bool:
    return unicodedata.category(symbol) in ("Mn", "Mc", "Me") or "\u1160" <= symbol <= "\u11ff"
