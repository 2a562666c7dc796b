"""Data for the report's pictures of single words. It is in the comparison's folder, so the page needs no models and no torch.

alignments.npz    a few words, the answer of each sequence model, and its attention to the letters
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.comparison.pictures.registry import draws_pictures
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import ComparisonRecord
from fittingroom.core.rundir import write_atomic
from fittingroom.data.seq2seq.compact import Target
from fittingroom.evaluation.dictionary import references
from fittingroom.evaluation.pronounce import pronounce
from fittingroom.explain.alignment import align
from fittingroom.tasks.load import load_run
from fittingroom.tasks.seq2seq.scoring import read_pair_predictions

FILE = "alignments.npz"
NUM_WORDS = 12
LEGIBLE = (4, 12)
"""Least and most letters of a word that the report chooses itself."""
MOST_WORDS = 24
"""The most words of a report: nobody looks through more."""


@draws_pictures("seq2seq")
def write_word_pictures(
    folder: Path, record: ComparisonRecord, tasks: Mapping[tuple[str, int], Any], begins: Callable[[], None]
) -> None:
    """Write `alignments.npz` for up to 12 test words. Call `begins` first if there are any."""
    if words := choose_words(folder, record):
        begins()
        write_alignments(folder, record, list(words), words)


def choose_words(folder: Path, record: ComparisonRecord) -> dict[str, list[Target]]:
    """Up to 12 short test words with their right answers, chosen by the first finished run of each model.

    A third each: words on which models differ, words that all models get wrong, words that all get right. If a group has
    too few words, the later groups fill its places.
    """
    runs = [read_pair_predictions(run)["test"] for run in _first_runs(folder, record).values()]
    if not runs:
        return {}
    places = [n for n, word in enumerate(runs[0].sources) if LEGIBLE[0] <= len(word) <= LEGIBLE[1]]
    num_right = {n: sum(not run.rates.wrong[n] for run in runs) for n in places}
    groups = {"differ": [], "wrong": [], "right": []}
    for n in places:
        groups["wrong" if not num_right[n] else "right" if num_right[n] == len(runs) else "differ"].append(n)
    # The words of a group are in alphabetical order: take evenly spaced ones.
    chosen: list[int] = []
    for left, group in zip((3, 2, 1), groups.values(), strict=True):
        number = min(len(group), (NUM_WORDS - len(chosen)) // left)
        chosen += [group[place * len(group) // number] for place in range(number)]
    references = runs[0].references
    return {runs[0].sources[n]: [tuple(each) for each in references[n]] for n in sorted(chosen)}


def _first_runs(folder: Path, record: ComparisonRecord) -> dict[str, Path]:
    """The folder of each model's first finished run."""
    first: dict[str, Path] = {}
    for row in record.finished():
        first.setdefault(row.candidate, folder / row.folder)
    return first


def write_alignments(
    folder: Path, record: ComparisonRecord, words: Sequence[str], right: Mapping[str, Sequence[Target]] | None = None
) -> Path | None:
    """Write the answers of each model in `record` (comparison.json) for `words`, by its first finished run.

    Arrays of `alignments.npz` for W words and the M models. Model i has L layers and H heads; for word j it has N letters
    and P symbols, both including the end mark:

    words            str (W,)
    models           str (M,)               names by index; a later comparison in this folder may have other models
    w{j}_references  str (R,)               right answers, symbols separated by spaces; empty if unknown
    m{i}_probs       float32 (W,)           probability that the model gives to its answer
    m{i}_w{j}_letters str (N,), m{i}_w{j}_phonemes str (P,)
    m{i}_w{j}_weights float32 (L, H, P, N)  rows sum to 1

    `right` maps a word to its right answers. For other words they come from the CMU dictionary, if the runs were trained
    on it. Returns the path, or None if no run has finished. Raises FittingRoomError for no words or too many.
    """
    if not 1 <= len(words) <= MOST_WORDS:
        raise FittingRoomError(f"{len(words)} words for the report: choose 1 to {MOST_WORDS}")
    first = _first_runs(folder, record)
    if not first:
        return None
    arrays: dict[str, np.ndarray] = {
        "words": np.array([word.strip() for word in words]),
        "models": np.array([each.name for each in record.candidates]),
    }
    known: dict[str, Sequence[Target]] = dict(right or {})
    for place, candidate in enumerate(record.candidates):
        if candidate.name in first:
            found, entries = _ask(first[candidate.name], words)
            arrays |= {f"m{place}_{key}": value for key, value in found.items()}
            known = {**entries, **known}
    for number, word in enumerate(words):
        answers = [" ".join(target) for target in known.get(word.strip(), ())]
        arrays[f"w{number}_references"] = np.array(answers, dtype=np.str_)
    write_atomic(folder / FILE, lambda file: np.savez_compressed(file, **arrays))  # pyright: ignore[reportArgumentType]
    return folder / FILE


def _ask(run: Path, words: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, Sequence[Target]]]:
    """The arrays of one run, and the dictionary's answers for the words that it contains."""
    saved = load_run(run, "seq2seq")
    model, (source, target) = saved.model, saved.task.vocabularies  # pyright: ignore[reportAttributeAccessIssue]
    answers = pronounce(model, source, target, words)
    entries = references(saved.config.data, target, [answer.spelling for answer in answers])
    arrays = {"probs": np.array([math.exp(each.pronunciations[0].log_prob) for each in answers], dtype=np.float32)}
    for number, answer in enumerate(answers):
        found = align(model, answer)
        arrays |= {
            f"w{number}_letters": np.array(found.letters),
            f"w{number}_phonemes": np.array(found.phonemes, dtype=np.str_),
            f"w{number}_weights": found.weights,
        }
    return arrays, {each.word: entries[each.spelling].targets for each in answers if each.spelling in entries}
