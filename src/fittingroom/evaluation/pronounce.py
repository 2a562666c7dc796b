"""Pronounce any word with a sequence model, for `fittingroom pronounce` and the report."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.seq2seq.batches import sequences
from fittingroom.data.seq2seq.lookalikes import Reading, as_known
from fittingroom.data.seq2seq.tsv import MAX_SYMBOLS, NUM_MARKS
from fittingroom.data.seq2seq.vocabulary import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Vocabulary
from fittingroom.evaluation.decoding import Hypothesis, beam_search, greedy
from fittingroom.evaluation.generate import begin
from fittingroom.models.sequence import SequenceModel

BATCH_SIZE = 512
MOST_BEAMS = 100
MARKS = {PAD_ID: "<padding>", BOS_ID: "<begin>", UNK_ID: "<unknown>"}
"""Text for ids that a trained model should not produce inside an answer."""


@dataclass(frozen=True, kw_only=True)
class Pronunciation:
    """One answer to a word."""

    symbols: tuple[str, ...]
    ids: tuple[int, ...]
    """Ids of the symbols, without begin and end marks."""
    log_prob: float
    """Natural logarithm of the probability of all symbols and the end mark."""
    score: float
    """The value that orders the answers: `log_prob`, with a beam divided by the length penalty."""
    finished: bool
    """False if the answer was cut at the model's maximum length."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A word and a model's answers to it."""

    word: str
    """The given word, without surrounding white space."""
    read: tuple[str, ...]
    """The symbols that the model read, in a form that it knows where there is one (`as_known`)."""
    replaced: tuple[tuple[str, str], ...]
    """(given, read) for symbols that were read as others, listed once each. Upper and lower case are not listed."""
    ids: tuple[int, ...]
    """Ids of these symbols and the end mark. Unknown symbols have UNK_ID."""
    unknown: tuple[str, ...]
    """Symbols that the model does not know, listed once each."""
    pronunciations: tuple[Pronunciation, ...]
    """Best first, at least one."""

    @property
    def spelling(self) -> str:
        """The word as the model read it."""
        return "".join(self.read)


def pronounce(
    model: SequenceModel, source: Vocabulary, target: Vocabulary, words: Sequence[str], *, num_beams: int = 1
) -> list[Answer]:
    """Answer each word, in order. One beam gives the `greedy` answer; more beams give up to `num_beams` answers per word.

    Words are read as `as_known` says. Symbols that stay unknown get UNK_ID. `model` must be in evaluation
    mode. Raises FittingRoomError if there are no words, a word is empty or too long, or `num_beams` is out of range.
    """
    if not 1 <= num_beams <= MOST_BEAMS:
        raise FittingRoomError(
            f"{num_beams} beams: choose 1 (which always takes the most likely symbol) to {MOST_BEAMS}"
        )
    if not words:
        raise FittingRoomError("there is no word to pronounce: give at least one")
    for word in words:  # a column of a table may hold numbers or missing values
        if not isinstance(word, str):
            raise FittingRoomError(f"{word!r:.40} is of type {type(word).__name__}: give words as text")
    max_len = longest(model)
    read = [_read(word.strip(), source, max_len) for word in words]
    rows = sequences([[*source.encode(each.symbols), EOS_ID] for each in read])
    found: dict[int, list[Hypothesis]] = {}
    for picked in rows.lengths.argsort(stable=True).split(BATCH_SIZE):  # Similar lengths need little padding.
        written = _write(model, *rows.padded(picked), num_beams=num_beams, max_len=max_len)
        found.update(zip(picked.tolist(), written, strict=True))
    return [
        Answer(
            word=word.strip(),
            read=read[place].symbols,
            replaced=read[place].surprising,
            ids=(*source.encode(read[place].symbols), EOS_ID),
            unknown=tuple(source.unknown([read[place].symbols])),
            pronunciations=tuple(_pronunciation(each, target) for each in found[place]),
        )
        for place, word in enumerate(words)
    ]


def longest(model: SequenceModel) -> int:
    """The most symbols that `model` reads or writes, marks included: its `max_len`, or else enough for any line of pairs."""
    return getattr(getattr(model, "config", None), "max_len", MAX_SYMBOLS + NUM_MARKS)


def _read(word: str, source: Vocabulary, max_len: int) -> Reading:
    if not word:
        raise FittingRoomError("a word is empty: give at least one letter")
    if len(word) >= max_len:  # The end mark takes up one position.
        raise FittingRoomError(
            f"the word {word[:12]!a}... has {len(word)} symbols: this model reads at most {max_len - 1}; give a shorter one"
        )
    return as_known(word, source, max_len - 1)


def _write(
    model: SequenceModel, src: torch.Tensor, src_mask: torch.Tensor, *, num_beams: int, max_len: int
) -> list[list[Hypothesis]]:
    """The hypotheses of each row of the batch, best first."""
    state, first = begin(model, src, src_mask)
    if num_beams == 1:
        found = greedy(model.step, model.reorder, state, first, eos_id=EOS_ID, max_len=max_len)
        return [[each] for each in found]
    return beam_search(model.step, model.reorder, state, first, eos_id=EOS_ID, max_len=max_len, num_beams=num_beams)


def _pronunciation(found: Hypothesis, target: Vocabulary) -> Pronunciation:
    symbols = tuple(MARKS[number] if number in MARKS else target.decode([number])[0] for number in found.ids)
    return Pronunciation(
        symbols=symbols, ids=found.ids, log_prob=found.log_prob, score=found.score, finished=found.finished
    )
