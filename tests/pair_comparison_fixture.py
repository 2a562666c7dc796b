"""A comparison of sequence models as a finished `fittingroom compare` leaves it, made up from a seed in well under a second.

Two models and two seeds by default. Words are strung together from chunks of spelling and sound; a model gets a chunk wrong
by its skill and the word's difficulty, in ways that real ones do: a like sound, one left out, one too many. The numbers are
invented, but hang together: the error rates in the ledger are those of the predictions.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr

from fittingroom.evaluation.error_rates import error_rates

MODELS: tuple[dict[str, Any], ...] = (
    {"name": "transformer", "family": "transformer", "title": "Transformer", "num_params": 2_690_000},
    {"name": "recurrent", "family": "recurrent", "title": "RNN with attention", "num_params": 2_780_000},
    {"name": "small", "family": "recurrent", "title": "Small RNN", "num_params": 240_000},
)
NUM_MACS = {"transformer": 24_000_000, "recurrent": 31_000_000, "small": 2_600_000}
SOURCES = {"transformer": "Vaswani 2017", "recurrent": "Bahdanau 2015", "small": "Bahdanau 2015"}
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


def write_pair_comparison(
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
    for model in MODELS[:num_models]:
        for run_seed in range(num_seeds):
            run = f"{model['name']}-seed{run_seed}"
            if run in missing:
                continue
            wrong = ERRORS[model["name"]] * random.uniform(0.95, 1.05)
            arrays: dict[str, Any] = {}
            for split, found in words.items():
                written = _write(random, found, wrong * hard[split], traps[split])
                arrays |= {f"{split}_{key}": value for key, value in written.items()}
            row = _ledger_row(random, model, run_seed, arrays, failed=run in failed)
            _write_run(folder / "runs" / run, row, arrays, random)
            rows.append(row)
    facts = _comparison(rows, num_models, num_seeds, num_test, title)
    (folder / "comparison.json").write_text(json.dumps(facts, indent=2) + "\n")
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


def _write(random: np.random.Generator, words: list[tuple[str, list[str]]], wrong: Any, traps: Any) -> dict[str, Any]:
    """The four arrays of a split; `wrong` is the chance of an error at each sound of a word, [words].

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
    return {
        "sources": np.array([spelling for spelling, _ in words]),
        "predicted": np.array(written),
        "references": np.array(["\t".join(answers) for _, answers in words]),
        "log_probs": np.array(log_probs, dtype=np.float32),
    }


def _ledger_row(
    random: np.random.Generator, model: dict[str, Any], seed: int, arrays: dict[str, Any], failed: bool
) -> dict[str, Any]:
    name = model["name"]
    row = {"run": f"{name}-seed{seed}", "folder": f"runs/{name}-seed{seed}", "model": name, "seed": seed}
    row |= {"num_params": model["num_params"], "num_macs": NUM_MACS[name], "config_hash": f"c0ffee{seed:06d}"}
    if failed:
        return row | {"status": "failed", "error": "loss became NaN at step 140: try a lower --set optim.lr"}
    speed = SPEED[name] * random.uniform(0.97, 1.03)
    costs = {"train_seconds": TRAIN_SECONDS + random.uniform(-0.4, 0.4), "pairs_per_second": speed}
    costs |= {
        "decode_seconds": DECODE_SECONDS[name] * random.uniform(0.9, 1.1),
        "epochs": speed * TRAIN_SECONDS / 121_233,
    }
    costs |= {"peak_memory_bytes": int(random.integers(600, 700)) * 2**20, "steps": int(speed * TRAIN_SECONDS / 256)}
    return row | {"status": "finished", "error": None} | costs | _scores(arrays)


def _scores(arrays: dict[str, Any]) -> dict[str, float]:
    scores = {}
    for split in ("val", "test"):
        references = [
            [answer.split() for answer in text.split("\t")] for text in arrays[f"{split}_references"].tolist()
        ]
        found = error_rates([text.split() for text in arrays[f"{split}_predicted"].tolist()], references)
        scores[f"{split}_word_error_rate"] = found.word_error_rate
        scores[f"{split}_phoneme_error_rate"] = found.phoneme_error_rate
    return scores


def _write_run(folder: Path, row: dict[str, Any], arrays: dict[str, Any], random: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text(_metrics(row, random))
    if row["status"] == "finished":
        np.savez(folder / "predictions.npz", **arrays)


def _metrics(row: dict[str, Any], random: np.random.Generator) -> str:
    lines = ["step,epoch,seconds,lr,train_loss,val_loss,val_word_error_rate,val_phoneme_error_rate"]
    steps, last = row.get("steps", 140), row.get("val_word_error_rate", 0.5)
    evaluated = {round(steps * part / 8 / 20) * 20 for part in range(1, 8)} | {steps}
    for step in [*range(20, steps, 20), steps]:
        done = step / steps
        rate = 0.001 * min(done / 0.1, (1 - done) / 0.9)
        loss = 3.4 * np.exp(-12 * done) + 0.2 + last * (1.4 - done) + random.normal(0, 0.02)
        words = last + (1 - last) * (np.exp(-7 * done) - np.exp(-7))
        cells = [step, f"{step * 256 / 121_233:.4f}", f"{done * TRAIN_SECONDS:.6g}", f"{rate:.6g}", f"{loss:.6g}"]
        cells += [f"{loss + 0.05:.6g}", f"{words:.6g}", f"{words / 4.2:.6g}"] if step in evaluated else ["", "", ""]
        lines.append(",".join(map(str, cells)))
    return "\n".join(lines) + "\n"


def _comparison(
    rows: list[dict[str, Any]], num_models: int, num_seeds: int, num_test: int, title: str
) -> dict[str, Any]:
    models = MODELS[:num_models]
    names = ",".join(model["name"] for model in models)
    sizes = {"num_train": NUM_TRAIN, "num_val": NUM_VAL, "num_test": num_test}
    return {
        "kind": "pairs",
        "title": title,
        "command": f"fittingroom compare --data cmudict --models {names} --seeds {num_seeds} --budget 300s",
        "created": "2026-01-01T12:00:00+00:00",
        "version": "0.1.0",
        "budget": {"kind": "seconds", "value": 300, "text": "at most 300 s of training each"},
        "data": {"name": "cmudict", **sizes, "num_source_symbols": 28, "num_target_symbols": 39},
        "seeds": list(range(num_seeds)),
        "models": [
            {**model, "num_macs": NUM_MACS[model["name"]], "source": SOURCES[model["name"]]} for model in models
        ],
        "jobs": 1,
        "plans": {},
        "runs": rows,
        "protocol": ["Every model is trained from scratch.", "The test words are read once by each run."],
        "environment": {"machine": "2 cores, x86_64", "python": "3.11.9", "torch": "2.13.0", "precision": "bf16"},
    }
