"""A comparison of sequence models as a finished `fittingroom compare` leaves it, made up from a seed in well under a second.

Two models and two seeds by default. Words are strung together from chunks of spelling and sound; a model gets a chunk wrong
by its skill and the word's difficulty, in ways that real ones do: a like sound, one left out, one too many. The numbers are
invented, but hang together: the error rates in the ledger are those of the predictions.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr

from fittingroom.core.records import CandidateRecord, DataRecord, write_comparison
from fittingroom.tasks.seq2seq.scoring import SequencePredictions
from tests.comparison_fixture import make_record, make_row, write_run

CANDIDATES = tuple(
    CandidateRecord(
        name=name, title=title, model=name, family=family, source=source, num_params=num_params, num_macs=num_macs
    )
    for name, title, family, source, num_params, num_macs in (
        ("transformer", "Transformer", "transformer", "Vaswani 2017", 2_690_000, 24_000_000),
        ("recurrent", "RNN with attention", "recurrent", "Bahdanau 2015", 2_780_000, 31_000_000),
        ("small", "Small RNN", "recurrent", "Bahdanau 2015", 240_000, 2_600_000),
    )
)
ERRORS = {"transformer": 0.045, "recurrent": 0.075, "small": 0.11}
"""Chance of an error at a sound of an average word."""
MOST_SOUNDS = 20
SPEED = {"transformer": 3900.0, "recurrent": 2300.0, "small": 9400.0}
DECODE_SECONDS = {"transformer": 0.9, "recurrent": 0.7, "small": 0.3}
TRAIN_SECONDS, NUM_VAL, NUM_TRAIN = 300.0, 300, 113_263
ONSETS = {
    "b": "B",
    "c": "K",
    "d": "D",
    "f": "F",
    "g": "G",
    "gh": "G",
    "k": "K",
    "l": "L",
    "m": "M",
    "n": "N",
    "ph": "F",
} | {
    "r": "R",
    "s": "S",
    "sch": "SH",
    "t": "T",
    "th": "TH",
    "v": "V",
    "w": "W",
    "z": "Z",
    "ch": "CH",
    "j": "JH",
    "br": "B R",
}
VOWELS = {
    "a": "AE",
    "ai": "EY",
    "e": "EH",
    "ee": "IY",
    "i": "IH",
    "igh": "AY",
    "o": "AA",
    "oa": "OW",
    "u": "AH",
    "ou": "AW",
} | {"oo": "UW", "er": "ER", "y": "IY", "aw": "AO"}
CODAS = {"": "", "n": "N", "s": "S", "st": "S T", "ng": "NG", "ck": "K", "ll": "L", "rd": "R D", "x": "K S", "m": "M"}
ALIKE = {
    "AE": "AA", "AA": "AH", "AH": "IH", "EH": "IY", "EY": "AE", "IY": "EH", "IH": "AY", "AY": "IH", "OW": "AA", "AW": "UW",
    "UW": "AH", "AO": "AA", "ER": "EH", "S": "Z", "Z": "S", "K": "S", "G": "JH", "JH": "G", "TH": "DH", "SH": "S", "CH": "K",
}  # fmt: skip
"""What is written in place of a sound; of one that is not listed, nothing."""


def write_words(
    folder: Path,
    *,
    seed: int = 0,
    num_models: int = 2,
    num_seeds: int = 2,
    num_test: int = 800,
    failed: Sequence[str] = (),
    missing: Sequence[str] = (),
    title: str = "the CMU Pronouncing Dictionary",
) -> Path:
    """Write the comparison into `folder` and return it. `failed` and `missing` hold run names such as 'recurrent-seed1'."""
    random = np.random.default_rng(seed)
    words = {split: make_words(random, size) for split, size in (("val", NUM_VAL), ("test", num_test))}
    hard = {split: random.gamma(1.2, 1 / 1.2, len(found)) for split, found in words.items()}
    traps = {split: random.normal(size=(len(found), MOST_SOUNDS)) for split, found in words.items()}
    rows = []
    for candidate in CANDIDATES[:num_models]:
        for run_seed in range(num_seeds):
            run, name = f"{candidate.name}-seed{run_seed}", candidate.name
            if run in missing:
                continue
            wrong = ERRORS[name] * random.uniform(0.95, 1.05)
            parts = {split: _write(random, found, wrong * hard[split], traps[split]) for split, found in words.items()}
            row = make_row(candidate, run_seed, SPEED[name], TRAIN_SECONDS, random)
            row = replace(row, extras={"decode_seconds": DECODE_SECONDS[name] * random.uniform(0.9, 1.1)})
            rows.append(write_run(folder, "seq2seq", row, parts, random, failed=run in failed, falling=True))
    data = DataRecord(name="cmudict", num_train=NUM_TRAIN, num_val=NUM_VAL, num_test=num_test)
    candidates = CANDIDATES[:num_models]
    write_comparison(folder, make_record("seq2seq", title, data, candidates, num_seeds, rows, TRAIN_SECONDS))
    return folder


def make_words(random: np.random.Generator, size: int) -> list[tuple[str, list[str]]]:
    """Different made-up words, each with one to three right answers, symbols separated by spaces."""
    words: dict[str, list[str]] = {}
    while len(words) < size:
        chunks = []
        for _ in range(random.integers(1, 4)):
            chunks += [_pick(random, table) for table in (ONSETS, VOWELS, CODAS)]
        spelling, sounds = "".join(chunk for chunk, _ in chunks), " ".join(sound for _, sound in chunks if sound)
        others = [sounds.replace("AE", "EY"), sounds.replace("S T", "S")] if random.random() < 0.1 else []
        words.setdefault(spelling, list(dict.fromkeys([sounds, *others])))
    return list(words.items())


def _pick(random: np.random.Generator, table: dict[str, str]) -> tuple[str, str]:
    return list(table.items())[random.integers(len(table))]


def _write(
    random: np.random.Generator, words: list[tuple[str, list[str]]], wrong: Any, traps: Any
) -> SequencePredictions:
    """What a run writes; `wrong` is the chance of an error at each sound of a word, [words].

    `traps` [words, sounds] are normal deviates that all runs share: what one gets wrong, others tend to get wrong as well.
    """
    written, log_probs = [], []
    for (_, answers), chance, trap in zip(words, wrong, traps, strict=True):
        symbols = []
        for sound, shared in zip(answers[0].split(), trap, strict=False):
            lot = ndtr(0.85 * shared + np.sqrt(1 - 0.85**2) * random.normal())
            symbols += [sound] if lot > chance else [ALIKE[sound]] if sound in ALIKE else []
            symbols += ["AH"] if lot > 1 - chance / 8 else []
        written.append(" ".join(symbols))
        log_probs.append(-random.gamma(1.0, 0.15 + 2 * chance + 0.5 * (written[-1] not in answers)))
    return SequencePredictions(
        sources=tuple(spelling for spelling, _ in words),
        predicted=tuple(tuple(text.split()) for text in written),
        references=tuple(tuple(tuple(answer.split()) for answer in answers) for _, answers in words),
        log_probs=np.array(log_probs),
    )
