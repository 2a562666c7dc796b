"""Error rates of predicted symbol sequences against one or several references: plain numpy.

The phoneme error rate is (substitutions + deletions + insertions) / reference symbols, summed over all words, each against
its closest reference; the word error rate the share of words that equal none of their references. Both are what
grapheme-to-phoneme papers report (Yao and Zweig 2015, arXiv 1506.00196).
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Symbols = Sequence[Hashable]
Edit = tuple[Hashable | None, Hashable | None]
"""(reference symbol, predicted symbol): None as the first is an insertion, as the second a deletion."""


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """One number a word, so that statistics can draw words anew."""

    edits: NDArray[np.int64]
    """[words]: edit distance to the closest reference."""
    reference_lengths: NDArray[np.int64]
    """[words]: symbols of that reference."""
    closest: NDArray[np.int64]
    """[words]: which of the word's references that is, from 0."""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """[words]: whether the prediction equals none of the references."""
        return self.edits > 0

    @property
    def phoneme_error_rate(self) -> float:
        """Edits over reference symbols: 0 is perfect; insertions may carry it above 1."""
        return float(self.edits.sum() / self.reference_lengths.sum())

    @property
    def word_error_rate(self) -> float:
        """Share of wrong words, 0 to 1."""
        return float(self.wrong.mean())


def error_rates(predictions: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> ErrorRates:
    """Compare each prediction with all references of its word. Of equally close references the first counts."""
    assert len(predictions) == len(references), "one prediction a word"
    assert all(references), "a word without reference"
    columns = np.zeros((3, len(predictions)), dtype=np.int64)
    for word, (predicted, candidates) in enumerate(zip(predictions, references, strict=True)):
        distances = [edit_distance(reference, predicted) for reference in candidates]
        closest = int(np.argmin(distances))
        columns[:, word] = distances[closest], len(candidates[closest]), closest
    return ErrorRates(*columns)


def edit_distance(reference: Symbols, predicted: Symbols) -> int:
    """Fewest substitutions, deletions and insertions, one each, that turn one into the other (Levenshtein 1966)."""
    return 0 if list(reference) == list(predicted) else _table(reference, predicted)[-1][-1]


def alignment(reference: Symbols, predicted: Symbols) -> list[Edit]:
    """Symbol by symbol, who stands for whom in a cheapest alignment, equal symbols included.

    Where several are cheapest, read from the end: a pair of symbols goes before a deletion, that before an insertion.
    """
    table = _table(reference, predicted)
    row, column, pairs = len(reference), len(predicted), []
    while row or column:
        cost = table[row][column]
        if row and column and cost == table[row - 1][column - 1] + (reference[row - 1] != predicted[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((reference[row], predicted[column]))
        elif row and cost == table[row - 1][column] + 1:
            row -= 1
            pairs.append((reference[row], None))
        else:
            column -= 1
            pairs.append((None, predicted[column]))
    return pairs[::-1]


def confusions(predictions: Sequence[Symbols], references: Sequence[Symbols]) -> list[tuple[Edit, int]]:
    """Every kind of edit and how often it occurs, the most frequent first; give each word's closest reference."""
    counts = Counter(
        edit
        for reference, predicted in zip(references, predictions, strict=True)
        for edit in alignment(reference, predicted)
        if edit[0] != edit[1]
    )
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def _table(reference: Symbols, predicted: Symbols) -> list[list[int]]:
    """Cell [i][j]: distance of the first i reference symbols and the first j predicted ones."""
    table = [list(range(len(predicted) + 1))]
    for wanted in reference:
        above = table[-1]
        row = [above[0] + 1]
        for column, found in enumerate(predicted):
            row.append(min(above[column] + (wanted != found), above[column + 1] + 1, row[column] + 1))
        table.append(row)
    return table
