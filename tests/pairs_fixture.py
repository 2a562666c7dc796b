"""Pairs that are made up: words of a few scripts with a rule that says how they are written in symbols."""

import random
from pathlib import Path
from typing import Any

GREEK, HANGUL = "αβγδεζηθικλμνξοπρστυφχψω", "가나다라마바사아자차카타파하"
ARABIC = [letter + mark for letter in "بتثجحدرزسشصعفقكلمنهي" for mark in ("", "\u064e", "\u064f", "\u0650")]

TINY: dict[str, dict[str, Any]] = {
    "transformer": {"embed_dim": 16, "depth_encoder": 1, "depth_decoder": 1, "num_heads": 2},
    "recurrent": {"embed_dim": 16, "hidden_dim": 16, "depth": 1},
}


def made_up(letters: str | list[str], num: int, seed: int = 0) -> list[tuple[str, str]]:
    """Different words of two to six letters, each written as the code points of its symbols, marks apart."""
    draw, words = random.Random(seed), {}
    while len(words) < num:
        word = "".join(draw.choice(letters) for _ in range(draw.randint(2, 6)))
        words[word] = " ".join(f"{ord(symbol):X}" for symbol in word)
    return list(words.items())


def write_tsv(path: Path, pairs: list[tuple[str, str]]) -> Path:
    """The pairs as a file."""
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs), encoding="utf-8")
    return path
