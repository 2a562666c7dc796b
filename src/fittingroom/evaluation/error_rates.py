"""Error rates of predicted symbol sequences against one or more references, in plain numpy.

The phoneme error rate is (substitutions + deletions + insertions) / reference symbols, summed over all words. Each word is
compared with its closest reference. The word error rate is the share of words that match none of their references.
Grapheme-to-phoneme papers report both rates (Yao and Zweig 2015, arXiv 1506.00196).
"""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Symbols = Sequence[Hashable]
Edit = tuple[Hashable | None, Hashable | None]
"""(reference symbol, predicted symbol). The reference symbol of an insertion is None, as is the predicted one of a deletion."""


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """Per-word counts. Statistics are computed from them."""

    edits: NDArray[np.int64]
    """[words]: edit distance to the closest reference."""
    reference_lengths: NDArray[np.int64]
    """[words]: number of symbols in the closest reference."""
    closest: NDArray[np.int64]
    """[words]: index of the closest reference among the word's references."""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """[words]: True if the prediction matches none of the references."""
        return self.edits > 0

    @property
    def phoneme_error_rate(self) -> float:
        """Edits divided by reference symbols. 0 is perfect; insertions can push it above 1."""
        return float(self.edits.sum() / self.reference_lengths.sum())

    @property
    def word_error_rate(self) -> float:
        """Share of wrong words, 0 to 1."""
        return float(self.wrong.mean())


def error_rates(predictions: Sequence[Symbols], references: Sequence[Sequence[Symbols]]) -> ErrorRates:
    """Compare each prediction with all references of its word. If several are equally close, the first one counts."""
    assert len(predictions) == len(references), "one prediction a word"
    assert all(references), "a word without reference"
    columns = np.zeros((3, len(predictions)), dtype=np.int64)
    for word, (predicted, candidates) in enumerate(zip(predictions, references, strict=True)):
        distances = [edit_distance(reference, predicted) for reference in candidates]
        closest = int(np.argmin(distances))
        columns[:, word] = distances[closest], len(candidates[closest]), closest
    return ErrorRates(*columns)


def edit_distance(reference: Symbols, predicted: Symbols) -> int:
    """The smallest number of substitutions, deletions and insertions that turn one into the other (Levenshtein 1966)."""
    start, stop = 0, min(len(reference), len(predicted))
    while start < stop and reference[start] == predicted[start]:
        start += 1
    end = 0  # equal symbols at both ends cost nothing, and most answers differ in one place
    while end < stop - start and reference[-1 - end] == predicted[-1 - end]:
        end += 1
    reference, predicted = reference[start : len(reference) - end], predicted[start : len(predicted) - end]
    return _table(reference, predicted)[-1][-1] if reference and predicted else len(reference) + len(predicted)


def alignment(reference: Symbols, predicted: Symbols) -> list[Edit]:
    """Align reference and prediction symbol by symbol with the fewest edits. Equal symbols are included.

    Ties are resolved from the end of the words: matches and substitutions first, then deletions, then insertions.
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
    """Count every kind of edit, most frequent first. `references` holds the closest reference of each word."""
    counts = Counter(
        edit
        for reference, predicted in zip(references, predictions, strict=True)
        for edit in alignment(reference, predicted)
        if edit[0] != edit[1]
    )
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def _table(reference: Symbols, predicted: Symbols) -> list[list[int]]:
    """Cell [i][j] is the distance between the first i reference symbols and the first j predicted symbols."""
    table = [list(range(len(predicted) + 1))]
    for wanted in reference:
        above = table[-1]
        row = [above[0] + 1]
        for column, found in enumerate(predicted):
            row.append(min(above[column] + (wanted != found), above[column + 1] + 1, row[column] + 1))
        table.append(row)
    return table
