"""The map in the terminal: every script keeps its columns, no line is too long, shades follow the weights."""

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.cli.alignment import BLOCKS, alignment_lines
from fittingroom.cli.text_width import for_terminal, padded, text_width
from fittingroom.core.text import named, shown, symbol
from fittingroom.explain.findings import END, Alignment

SYMBOLS = st.sampled_from(
    ["a", "'", " ", "é", "你", "か", "한", "\u0301", "\x1b", "\u200d", "\udcff", "\U0001f600", "ﬁ"]
)


def aligned(letters: tuple[str, ...], phonemes: tuple[str, ...], weights: np.ndarray | None = None) -> Alignment:
    shape = (2, 2, len(phonemes), len(letters))
    found = np.random.default_rng(0).random(shape, dtype=np.float32) if weights is None else weights
    return Alignment(
        word="".join(letters[:-1]), letters=letters, phonemes=phonemes, weights=found / found.sum(-1, keepdims=True)
    )


def test_shades_stand_under_their_letter_and_follow_the_weights() -> None:
    last = np.array([[[[6.0, 3.0, 1.0], [0.5, 1.0, 8.5]]]], dtype=np.float32)
    found = aligned(("h", "i", END), ("AY", END), last.repeat(2, axis=1))
    assert alignment_lines(found, 80) == [
        "     h   i   end",
        "AY   ▓▓▓ ░░░",
        "end          ███",
        "attention from ░ 17 %, ▒ 34 %, ▓ 51 %, █ 68 % (highest 85 %): mean of the 2 heads of layer 1, the last",
    ]


def test_only_the_last_layer_is_shown() -> None:
    weights = np.zeros((2, 1, 1, 2), dtype=np.float32)
    weights[0, 0, 0], weights[1, 0, 0] = (1, 0), (0, 1)
    lines = alignment_lines(aligned(("a", END), ("AH",), weights), 80)
    assert lines[1] == "AH      ███" and lines[-1].endswith("attention of layer 2, the last")


@pytest.mark.thorough
@given(
    letters=st.lists(SYMBOLS, min_size=1, max_size=30),
    phonemes=st.lists(SYMBOLS, max_size=4),
    width=st.integers(30, 90),
)
def test_every_script_keeps_its_columns_and_the_width(letters: list[str], phonemes: list[str], width: int) -> None:
    found = aligned((*letters, END), (*phonemes, END))
    lines = alignment_lines(found, width)[:-1]
    num_rows = len(phonemes) + 2
    assert len(lines) % num_rows == 0 and all(text_width(line) <= width for line in lines)
    assert all(character.isprintable() for line in lines for character in line)
    cell = max(4, 1 + max(text_width(symbol(letter)) for letter in letters))
    for first in range(0, len(lines), num_rows):
        for line in lines[first + 1 : first + num_rows]:
            margin = max(text_width(symbol(each)) for each in [*phonemes, "end"]) + 2
            shades = line[len(line) - max(0, text_width(line) - margin) :]  # shades are one cell each
            parts = [shades[start : start + cell].rstrip() for start in range(0, len(shades), cell)]
            assert all(part in ("", *(shade * (cell - 1) for shade in BLOCKS)) for part in parts)


def test_a_terminal_without_blocks_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    lines = alignment_lines(aligned(("a", "b", END), ("AH", END)), 80)
    assert all(line.isascii() for line in lines) and "###" in "".join(lines)
    assert for_terminal("naïve") == r"na\xefve"


def test_what_cannot_be_seen_is_named() -> None:
    assert shown("a\x1b[2J\udcff") == r"a\x1b[2J\udcff"
    assert (symbol(" "), symbol("\u0301"), symbol("é")) == ("␣", "◌\u0301", "é")
    assert named("é") == "é (U+00E9)" and named(" ") == "␣ (U+0020)" and named("\u0301") == "◌\u0301 (U+0301)"


@given(st.text(alphabet=st.one_of(SYMBOLS, st.characters()), max_size=8), st.integers(0, 30))
def test_padding_fills_cells_not_characters(text: str, width: int) -> None:
    assert text_width(padded(text, width)) == max(width, text_width(text)) and padded(text, width).startswith(text)
