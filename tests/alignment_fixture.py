"""Alignments of two models made up from a seed: a Transformer of three layers and two heads, and one with a single map."""

import numpy as np

from fittingroom.explain.findings import END, Alignment
from fittingroom.report.alignment import Alignments, Reading, Readings

WORDS = ["hello", "naïve"]
RIGHT = [["HH AH L OW", "HH EH L OW"], []]
TITLES = ["Transformer", "RNN with attention"]
WRITTEN = [[("HH", "EH", "L", "OW"), ("N", "AA", "IY", "V")], [("HH", "EH", "L"), ("N", "EY", "V")]]
SHAPES = [(3, 2), (1, 1)]


def alignments(seed: int = 0) -> Alignments:
    """Of both models on both words."""
    random = np.random.default_rng(seed)
    looks = [
        Readings(
            place=place,
            answers=[
                Reading(alignment=made_up(random, word, written, shape), prob=prob)
                for word, written, prob in zip(WORDS, answers, (0.75, 0.002), strict=True)
            ],
        )
        for place, (answers, shape) in enumerate(zip(WRITTEN, SHAPES, strict=True))
    ]
    return Alignments(words=WORDS, references=RIGHT, looks=looks)


def made_up(random: np.random.Generator, word: str, written: tuple[str, ...], shape: tuple[int, int]) -> Alignment:
    """Weights of `shape` (layers, heads) whose rows sum to 1."""
    letters, phonemes = (*word, END), (*written, END)
    weights = np.exp(2 * random.normal(size=(*shape, len(phonemes), len(letters))))
    return Alignment(
        word=word,
        letters=letters,
        phonemes=phonemes,
        weights=(weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32),
    )
