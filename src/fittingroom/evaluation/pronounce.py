"""Ask a sequence model for words it may never have seen: `fittingroom pronounce`, and what the report shows of single words."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.batches import sequences
from fittingroom.data.seq2seq.tsv import MAX_SYMBOLS
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Vocabulary
from fittingroom.evaluation.decoding import Hypothesis, beam_search, greedy
from fittingroom.evaluation.generate import begin
from fittingroom.models.sequence import SequenceModel

BATCH_SIZE = 512
MOST_BEAMS = 100
MARKS = {PAD_ID: "<padding>", BOS_ID: "<begin>", UNK_ID: "<unknown>"}
"""What no trained model should write; shown where one does."""


@dataclass(frozen=True, kw_only=True)
class Pronunciation:
    """One answer to a word."""

    symbols: tuple[str, ...]
    ids: tuple[int, ...]
    """Of the symbols, without begin and end marks."""
    log_prob: float
    """Of all symbols and of the end mark, natural logarithm."""
    finished: bool
    """False: cut where the model can write no more."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A word and what a model makes of it."""

    word: str
    """As given, without white space around it."""
    read: tuple[str, ...]
    """Its symbols as the model read them: lower case where only that is known."""
    ids: tuple[int, ...]
    """Of those symbols and the end mark; UNK_ID for unknown ones."""
    unknown: tuple[str, ...]
    """Symbols that the model does not know, each once."""
    pronunciations: tuple[Pronunciation, ...]
    """Best first, at least one."""

    @property
    def spelling(self) -> str:
        """The word as it was read."""
        return "".join(self.read)


def pronounce(
    model: SequenceModel, source: Vocabulary, target: Vocabulary, words: Sequence[str], *, num_beams: int = 1
) -> list[Answer]:
    """An answer to each word, in order. One beam: the likeliest symbol each time; more: as many answers from `beam_search`.

    A letter that is unknown in upper case but known in lower case is read as that; other unknown symbols get the unknown id.
    `model` is in evaluation mode. Raises FittingRoomError for no words, an empty or too long one, and a bad `num_beams`.
    """
    if not 1 <= num_beams <= MOST_BEAMS:
        raise FittingRoomError(f"{num_beams} beams: choose 1 (the likeliest symbol each time) to {MOST_BEAMS}")
    if not words:
        raise FittingRoomError("there is no word to pronounce: give at least one")
    max_len = longest(model)
    read = [_read(word.strip(), source, max_len) for word in words]
    rows = sequences([[*source.encode(symbols), EOS_ID] for symbols in read])
    found: dict[int, list[Hypothesis]] = {}
    for picked in rows.lengths.argsort(stable=True).split(BATCH_SIZE):  # words of like length: little padding
        written = _write(model, *rows.padded(picked), num_beams=num_beams, max_len=max_len)
        found.update(zip(picked.tolist(), written, strict=True))
    return [
        Answer(
            word=word.strip(),
            read=read[place],
            ids=(*source.encode(read[place]), EOS_ID),
            unknown=tuple(source.unknown([read[place]])),
            pronunciations=tuple(_pronunciation(each, target) for each in found[place]),
        )
        for place, word in enumerate(words)
    ]


def longest(model: SequenceModel) -> int:
    """The most symbols that `model` reads or writes, marks included: its positions, or what data may hold where it has none."""
    return getattr(getattr(model, "config", None), "max_len", MAX_SYMBOLS)


def _read(word: str, source: Vocabulary, max_len: int) -> tuple[str, ...]:
    if not word:
        raise FittingRoomError("a word is empty: give at least one letter")
    if len(word) >= max_len:  # the end mark takes a place too
        raise FittingRoomError(
            f"the word {word[:12]!a}... has {len(word)} symbols: this model reads at most {max_len - 1}; give a shorter one"
        )
    return tuple(_known(symbol, source) for symbol in word)


def _known(symbol: str, source: Vocabulary) -> str:
    lower = symbol.lower()
    return lower if UNK_ID in source.encode([symbol]) and UNK_ID not in source.encode([lower]) else symbol


def _write(
    model: SequenceModel, src: torch.Tensor, src_mask: torch.Tensor, *, num_beams: int, max_len: int
) -> list[list[Hypothesis]]:
    """Of each row of the batch its hypotheses, best first."""
    state, first = begin(model, src, src_mask)
    if num_beams == 1:
        found = greedy(model.step, model.reorder, state, first, eos_id=EOS_ID, max_len=max_len)
        return [[each] for each in found]
    return beam_search(model.step, model.reorder, state, first, eos_id=EOS_ID, max_len=max_len, num_beams=num_beams)


def _pronunciation(found: Hypothesis, target: Vocabulary) -> Pronunciation:
    symbols = tuple(MARKS[number] if number in MARKS else target.decode([number])[0] for number in found.ids)
    return Pronunciation(symbols=symbols, ids=found.ids, log_prob=found.log_prob, finished=found.finished)
