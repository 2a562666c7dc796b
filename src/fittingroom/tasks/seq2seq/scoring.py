"""Scoring of sequence models: word and phoneme error rates, from what each run writes for each word.

predictions.npz holds four arrays for each part, one entry a word: `sources` the spelling, `predicted` the symbols written,
separated by spaces, `references` all right answers, separated by tabs, and `log_probs` of what was written.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.records import DataRecord, RunRow
from fittingroom.data.seq2seq.compact import Target
from fittingroom.data.seq2seq.vocabulary import UNKNOWN
from fittingroom.evaluation.error_rates import ErrorRates, confusions, error_rates
from fittingroom.evaluation.metric import Metric
from fittingroom.evaluation.statistics import accuracy_interval, rate_interval, ratio_values
from fittingroom.tasks.scoring import Column, ProtocolFacts, Scoring, mean_extra, register_scoring

MARK = "\0"
"""Takes the place of `UNKNOWN`, which holds a space, while symbols are told apart. No file of pairs may hold it."""
ROUNDING = 1e-3
"""A log-probability may be above 0 by that much."""
MOST_CONFUSIONS = 12


@dataclass(frozen=True, kw_only=True)
class SequencePredictions:
    """One run on one part, an entry a word: the spelling, what was written, all right answers, and log-probabilities."""

    sources: tuple[str, ...]
    predicted: tuple[Target, ...]
    """Symbols; none where the model stopped at once."""
    references: tuple[tuple[Target, ...], ...]
    log_probs: NDArray[np.float64]

    @cached_property
    def rates(self) -> ErrorRates:
        """Edits, lengths and closest references by word."""
        return error_rates(self.predicted, self.references)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether what was written is one of the right answers, [words]."""
        return ~self.rates.wrong

    @property
    def edit_values(self) -> NDArray[np.float64]:
        """Numbers whose mean over words is the phoneme error rate, linearised, [words]."""
        return ratio_values(self.rates.edits, self.rates.reference_lengths)

    @property
    def closest(self) -> list[Target]:
        """For each word, the reference that is closest to what was written."""
        return [found[place] for found, place in zip(self.references, self.rates.closest, strict=True)]

    @property
    def edits(self) -> dict[tuple[str | None, str | None], int]:
        """How often each kind of edit occurs: (reference, written), None for an insertion or a deletion."""
        wrong = np.flatnonzero(self.rates.wrong)
        closest = self.closest
        found: Any = confusions([self.predicted[word] for word in wrong], [closest[word] for word in wrong])
        return dict(found)


WORD_ERRORS = Metric(
    name="word_error_rate",
    title="word error rate",
    higher_is_better=False,
    values=lambda predictions: predictions.rates.wrong,
    interval=accuracy_interval,  # Wilson's is the same whether right or wrong words are counted.
    largest=1.0,
    wins="makes the fewest word errors",
    beyond="below",
    alone="gets {score} of the test words wrong",
    noun="word errors",
)
PHONEME_ERRORS = Metric(
    name="phoneme_error_rate",
    title="phoneme error rate",
    higher_is_better=False,
    values=lambda predictions: predictions.edit_values,
    interval=rate_interval,
    wins="makes the fewest phoneme errors",
    beyond="below",
    alone="gets {score} of the test phonemes wrong",
    noun="phoneme errors",
)


@register_scoring
class Seq2SeqScoring(Scoring[SequencePredictions]):
    """Words to the sequences of symbols that they stand for."""

    task = "seq2seq"
    items, item, batch_items = "words", "word", "pairs"
    metrics = (WORD_ERRORS, PHONEME_ERRORS)
    extras = (Column("words_per_second", "Words/s", "Words\n/s", "words written per second"),)
    counting = (
        "A word is wrong unless it equals one of its right answers. Phoneme errors are phonemes that are replaced, left out or "
        "added, per phoneme of the closest right answer. Words per second are measured while writing the test words."
    )
    seed_decides = "initial weights, order and dropout"
    final_step = "writing the test words"

    def to_arrays(self, predictions: SequencePredictions) -> dict[str, Any]:
        """Symbols are joined by spaces, several references by tabs."""
        return {
            "sources": np.array(predictions.sources, dtype=np.str_),
            "predicted": np.array([" ".join(each) for each in predictions.predicted], dtype=np.str_),
            "references": np.array(["\t".join(map(" ".join, each)) for each in predictions.references], dtype=np.str_),
            "log_probs": np.asarray(predictions.log_probs, dtype=np.float32),
        }

    def from_arrays(self, arrays: Mapping[str, Any], split: str, data: DataRecord) -> SequencePredictions:
        """Raises ValueError where the arrays do not fit each other or hold what no model writes."""
        texts = {name: arrays[name] for name in ("sources", "predicted", "references")}
        log_probs = arrays["log_probs"].astype(np.float64)
        num_words = texts["sources"].size
        if num_words == 0:
            raise ValueError(f"no {split} words")
        for name, found in {**texts, "log_probs": log_probs}.items():
            if found.shape != (num_words,) or (name in texts and found.dtype.kind != "U"):
                kind = "text" if name in texts else "numbers"
                raise ValueError(
                    f"{split}_{name} is {found.dtype} {found.shape}, expected {kind} for {num_words} words"
                )
        if not np.isfinite(log_probs).all() or log_probs.max() > ROUNDING:
            raise ValueError(f"{split}_log_probs hold values that are not log-probabilities")
        references = tuple(tuple(map(symbols, text.split("\t"))) for text in texts["references"].tolist())
        empty = next((word for word, found in enumerate(references) if not all(found)), None)
        if empty is not None:
            raise ValueError(f"{split}_references has an empty answer for '{texts['sources'][empty]}'")
        return SequencePredictions(
            sources=tuple(texts["sources"].tolist()),
            predicted=tuple(map(symbols, texts["predicted"].tolist())),
            references=references,
            log_probs=log_probs,
        )

    def same_items(self, one: SequencePredictions, other: SequencePredictions, split: str) -> bool:
        """The same words in the same order with the same right answers."""
        return (one.sources, one.references) == (other.sources, other.references)

    def scores(self, predictions: SequencePredictions) -> dict[str, float]:
        """Word and phoneme error rate."""
        rates = predictions.rates
        return {WORD_ERRORS.name: rates.word_error_rate, PHONEME_ERRORS.name: rates.phoneme_error_rate}

    def details(self, tests: Sequence[SequencePredictions], data: DataRecord) -> dict[str, Any]:
        """`confusions`: the most frequent edits, [reference, written, count], summed over seeds, and how many edits in all."""
        if not tests:
            return {}
        counts: Counter[tuple[str | None, str | None]] = Counter()
        for test in tests:
            counts.update(test.edits)
        ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        most = [[reference, written, count] for (reference, written), count in ordered[:MOST_CONFUSIONS]]
        return {"confusions": {"num_edits": counts.total(), "most": most}}

    def summarise_extras(self, rows: Sequence[RunRow], tests: Sequence[SequencePredictions]) -> dict[str, float | None]:
        """Seconds for writing the test words, and how many words that is per second."""
        seconds, num_test = mean_extra(rows, "decode_seconds"), self.num_items(tests[0]) if tests else 0
        return {"decode_seconds": seconds, "words_per_second": num_test / seconds if seconds else None}

    def usual_split(self, facts: ProtocolFacts) -> str:
        """As the user's three files say, or by a hash of the spelling."""
        if facts.task.get("three_files"):
            return (
                "The three files say which word is in which part. Training words that also occur in the validation or test "
                "file are left out."
            )
        return (
            "A hash of the spelling decides the part of a word: it is the same for every seed, and holds all right answers "
            "to the word."
        )

    def scoring_rules(self) -> list[str]:
        """How words are written and what counts as an error."""
        return [
            "Words are written greedily, always with the most likely symbol: no beam search, dictionary or language model.",
            "A word is wrong unless it equals one of its right answers. Phoneme errors are substitutions, deletions and "
            "insertions against the closest right answer, divided by its phonemes, both summed over all words.",
        ]

    def _same_parts(self) -> str:
        return " The words of each part are the same for all seeds."


def read_pair_predictions(folder: Path) -> dict[str, SequencePredictions]:
    """The parts of a run's predictions.npz. Raises FittingRoomError where the file is bad."""
    return Seq2SeqScoring().load(folder, DataRecord(name=""))


def symbols(text: str) -> Target:
    """The symbols of a text that spaces separate. The unknown symbol is one, though it holds a space."""
    if UNKNOWN not in text:
        return tuple(text.split())
    return tuple(UNKNOWN if symbol == MARK else symbol for symbol in text.replace(UNKNOWN, MARK).split())
