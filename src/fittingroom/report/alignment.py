"""Which letters each sequence model attends to: read from a comparison's `alignments.npz`, checked, and packed for the page.

The file's arrays are those of `comparison.alignments`: `words`, and of word `j` `w{j}_references`; for the model at place
`i` of the comparison the keys that start with `m{i}_`. A model whose runs all failed has none. In the page weights are
uint16, little-endian, [layers, heads, phonemes, letters]: 65535 is 1. `alignment.js` reads them.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fittingroom.core.archives import MEND, open_arrays
from fittingroom.core.text import shown, symbol
from fittingroom.explain.findings import END, Alignment
from fittingroom.report import numbers

FILE = "alignments.npz"
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One model's answer to a word: what it wrote, its probability, and its attention."""

    alignment: Alignment
    prob: float


@dataclass(frozen=True, kw_only=True)
class Readings:
    """The answers of the model at `place` in the comparison, one a word."""

    place: int
    answers: list[Reading]


@dataclass(frozen=True, kw_only=True)
class Alignments:
    """What the page shows: words, the right answers to each (symbols separated by spaces; none: unknown), the models."""

    words: list[str]
    references: list[list[str]]
    looks: list[Readings]


def read_alignments(folder: Path, models: Sequence[str]) -> Alignments | None:
    """The folder's alignments.npz, or None where there is none, where it is empty, or where it is of other models.

    Raises FittingRoomError that names the file and the fix where it is damaged.
    """
    path = folder / FILE
    if not path.exists():
        return None
    with open_arrays(path, missing=MEND, damaged=MEND) as archive:
        arrays: Arrays = {name: archive[name] for name in archive.files}
        if "models" in arrays and arrays["models"].tolist() != list(models):
            return None
        words = [str(word) for word in arrays["words"]]
        references = [[str(each) for each in arrays[f"w{number}_references"]] for number in range(len(words))]
        looks = [_readings(arrays, place, words) for place in range(len(models)) if f"m{place}_probs" in arrays]
    return Alignments(words=words, references=references, looks=looks) if words and looks else None


def alignment_section(data: Alignments, models: Sequence[str]) -> dict[str, Any]:
    """What `alignment.html.jinja` needs: `words`, `looks` (title and place of each model), and `data` for the script.

    `models` holds the titles of the comparison's candidates, by place.
    """
    titles = [models[look.place] for look in data.looks]
    return {
        "words": [shown(word) for word in data.words],
        "looks": [{"place": look.place, "title": title} for look, title in zip(data.looks, titles, strict=True)],
        "data": {
            "references": [[shown(each) for each in entries] for entries in data.references],
            "models": [
                {
                    "title": title,
                    "answers": [
                        _answer(answer, entries) for answer, entries in zip(look.answers, data.references, strict=True)
                    ],
                }
                for look, title in zip(data.looks, titles, strict=True)
            ],
        },
    }


def pack(weights: NDArray[np.floating]) -> str:
    """Weights from 0 to 1 as base64 of uint16, little-endian: off by 1/131070 at most."""
    return base64.b64encode(np.rint(65535 * weights).astype("<u2").tobytes()).decode()


def _answer(found: Reading, references: Sequence[str]) -> dict[str, Any]:
    alignment = found.alignment
    written = [each for each in alignment.phonemes if each != END]
    return {
        "letters": [_label(each) for each in alignment.letters],
        "phonemes": [_label(each) for each in alignment.phonemes],
        "percent": numbers.probability(found.prob),
        "right": " ".join(written) in references if references else None,
        "shape": list(alignment.weights.shape),
        "packed": pack(alignment.weights),
    }


def _label(each: str) -> str:
    return "end" if each == END else symbol(each)


def _readings(arrays: Arrays, place: int, words: Sequence[str]) -> Readings:
    probs = arrays[f"m{place}_probs"]
    if probs.shape != (len(words),) or not ((probs >= 0) & (probs <= 1)).all():
        raise ValueError(f"m{place}_probs does not hold {len(words)} probabilities")
    return Readings(
        place=place,
        answers=[
            Reading(alignment=_alignment(arrays, f"m{place}_w{number}", word), prob=float(probs[number]))
            for number, word in enumerate(words)
        ],
    )


def _alignment(arrays: Arrays, name: str, word: str) -> Alignment:
    letters, phonemes = (tuple(map(str, arrays[f"{name}_{side}"])) for side in ("letters", "phonemes"))
    weights = arrays[f"{name}_weights"].astype(np.float32)
    if weights.ndim != 4 or weights.shape[2:] != (len(phonemes), len(letters)) or not weights.size:
        raise ValueError(f"{name}_weights is {weights.shape} for {len(phonemes)} symbols and {len(letters)} letters")
    if not (np.isfinite(weights).all() and weights.min() >= 0 and weights.max() <= 1.001):
        raise ValueError(f"{name}_weights holds values outside 0 to 1")
    return Alignment(word=word, letters=letters, phonemes=phonemes, weights=weights.clip(0, 1))
