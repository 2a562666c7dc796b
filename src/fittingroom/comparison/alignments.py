"""What the report shows of single words, kept in the comparison's folder so that the page needs neither models nor torch.

alignments.npz    a few words, what each sequence model wrote for them, and which letters it looked at
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import write_atomic
from fittingroom.data.pairs import Target
from fittingroom.evaluation.pronounce import pronounce
from fittingroom.evaluation.reference import references
from fittingroom.evaluation.saved import load_sequence_run
from fittingroom.explain.alignment import align

FILE = "alignments.npz"
MOST_WORDS = 24
"""A page with more is no longer looked through."""


def write_alignments(
    folder: Path, record: dict[str, Any], words: Sequence[str], right: Mapping[str, Sequence[Target]] | None = None
) -> Path | None:
    """Write `alignments.npz`: the first finished run of each model of `record` (comparison.json) is asked for `words`.

    W words; of the model at place i: layers L, heads H, and of word j letters N and symbols P (both with the end mark):

    words            str (W,)
    w{j}_references  str (R,)               right answers, symbols with spaces between them; none: unknown
    m{i}_probs       float32 (W,)           probability that the model gives its answer
    m{i}_w{j}_letters str (N,), m{i}_w{j}_phonemes str (P,)
    m{i}_w{j}_weights float32 (L, H, P, N)  rows sum to 1

    `right` maps a word to its right answers; without it the CMU dictionary is asked, if the runs learned from that. Returns the
    path, or None where no run has finished. Raises FittingRoomError for no words or too many.
    """
    if not 1 <= len(words) <= MOST_WORDS:
        raise FittingRoomError(f"{len(words)} words for the report: choose 1 to {MOST_WORDS}")
    first: dict[str, Path] = {}
    for row in record["runs"]:
        if row["status"] == "finished":
            first.setdefault(row["model"], folder / row["folder"])
    if not first:
        return None
    arrays: dict[str, np.ndarray] = {"words": np.array([word.strip() for word in words])}
    known: dict[str, Sequence[Target]] = dict(right or {})
    for place, model in enumerate(record["models"]):
        if model["name"] in first:
            found, entries = _ask(first[model["name"]], words)
            arrays |= {f"m{place}_{key}": value for key, value in found.items()}
            known = {**entries, **known}
    for number, word in enumerate(words):
        answers = [" ".join(target) for target in known.get(word.strip(), ())]
        arrays[f"w{number}_references"] = np.array(answers, dtype=np.str_)
    write_atomic(folder / FILE, lambda file: np.savez_compressed(file, **arrays))  # pyright: ignore[reportArgumentType]
    return folder / FILE


def _ask(run: Path, words: Sequence[str]) -> tuple[dict[str, np.ndarray], dict[str, Sequence[Target]]]:
    """The arrays of one run, and what the dictionary holds of the words."""
    model, source, target, config = load_sequence_run(run)
    answers = pronounce(model, source, target, words)
    entries = references(config, target, [answer.spelling for answer in answers])
    arrays = {"probs": np.array([math.exp(each.pronunciations[0].log_prob) for each in answers], dtype=np.float32)}
    for number, answer in enumerate(answers):
        found = align(model, answer)
        arrays |= {
            f"w{number}_letters": np.array(found.letters),
            f"w{number}_phonemes": np.array(found.phonemes, dtype=np.str_),
            f"w{number}_weights": found.weights,
        }
    return arrays, {each.word: entries[each.spelling].targets for each in answers if each.spelling in entries}
