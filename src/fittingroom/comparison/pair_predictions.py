"""Read what a finished run on pairs wrote: its `predictions.npz`, checked before anything is counted from it.

For each split four arrays, one entry a word: `sources` the spelling, `predicted` the symbols written, separated by spaces,
`references` all right answers, separated by tabs, and `log_probs` of what was written.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.comparison.predictions import SPLITS, open_predictions
from fittingroom.data.seq2seq.tsv import Target
from fittingroom.data.seq2seq.vocabulary import UNKNOWN
from fittingroom.evaluation.error_rates import ErrorRates, confusions, error_rates
from fittingroom.evaluation.statistics import ratio_values

MARK = "\0"
"""Stands for `UNKNOWN`, which holds a space, while symbols are told apart; files of pairs may not hold it."""
ROUNDING = 1e-3
"""A log-probability may be above 0 by that much."""


@dataclass(frozen=True, kw_only=True)
class PairPredictions:
    """One run on one split, an entry a word: the spelling, what was written, all right answers, and log-probabilities."""

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
        """Of each word the reference that what was written is closest to."""
        return [found[place] for found, place in zip(self.references, self.rates.closest, strict=True)]

    @property
    def edits(self) -> dict[tuple[str | None, str | None], int]:
        """How often each kind of edit occurs: (reference, written), None for an insertion or a deletion."""
        wrong = np.flatnonzero(self.rates.wrong)
        closest = self.closest
        found: Any = confusions([self.predicted[word] for word in wrong], [closest[word] for word in wrong])
        return dict(found)


def read_pair_predictions(folder: Path) -> dict[str, PairPredictions]:
    """The predictions of the run in `folder`, by split ('val', 'test'). FittingRoomError where the file is bad."""
    with open_predictions(folder) as archive:
        return {split: _read_split(archive, split) for split in SPLITS}


def _read_split(archive: Any, split: str) -> PairPredictions:
    texts = {name: archive[f"{split}_{name}"] for name in ("sources", "predicted", "references")}
    log_probs = archive[f"{split}_log_probs"].astype(np.float64)
    num_words = texts["sources"].size
    if num_words == 0:
        raise ValueError(f"no {split} words")
    for name, found in {**texts, "log_probs": log_probs}.items():
        if found.shape != (num_words,) or (name in texts and found.dtype.kind != "U"):
            kind = "text" if name in texts else "numbers"
            raise ValueError(f"{split}_{name} is {found.dtype} {found.shape}, expected {kind} for {num_words} words")
    if not np.isfinite(log_probs).all() or log_probs.max() > ROUNDING:
        raise ValueError(f"{split}_log_probs hold values that are no log-probabilities")
    references = tuple(tuple(map(symbols, text.split("\t"))) for text in texts["references"].tolist())
    empty = next((word for word, found in enumerate(references) if not all(found)), None)
    if empty is not None:
        raise ValueError(f"{split}_references has an empty answer for '{texts['sources'][empty]}'")
    return PairPredictions(
        sources=tuple(texts["sources"].tolist()),
        predicted=tuple(map(symbols, texts["predicted"].tolist())),
        references=references,
        log_probs=log_probs,
    )


def symbols(text: str) -> Target:
    """The symbols of a text in which spaces part them; the unknown symbol is one, though it holds a space."""
    if UNKNOWN not in text:
        return tuple(text.split())
    return tuple(UNKNOWN if symbol == MARK else symbol for symbol in text.replace(UNKNOWN, MARK).split())
