"""Sinusoidal positions against the papers' formulas, written as loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fittingroom.core.errors import FittingRoomError
from fittingroom.models import build_model
from fittingroom.models.layers.positions import sinusoidal_1d, sinusoidal_2d


def paper(position: int, dim: int) -> list[float]:
    """PE(pos, 2i) = sin(pos / 10000^(2i/d)), PE(pos, 2i+1) = cos(pos / 10000^(2i/d))."""
    row = []
    for i in range(dim // 2):
        angle = position / 10000 ** (2 * i / dim)
        row += [math.sin(angle), math.cos(angle)]
    return row


@given(num=st.integers(1, 40), pairs=st.integers(1, 20))
def test_one_dimension_is_the_papers_formula(num: int, pairs: int) -> None:
    expected = torch.tensor([paper(position, 2 * pairs) for position in range(num)])
    torch.testing.assert_close(sinusoidal_1d(num, 2 * pairs), expected, rtol=0, atol=1e-6)


@given(height=st.integers(1, 9), width=st.integers(1, 9), quarters=st.integers(1, 8))
def test_two_dimensions_are_row_and_column(height: int, width: int, quarters: int) -> None:
    half = 2 * quarters
    expected = [paper(row, half) + paper(column, half) for row in range(height) for column in range(width)]
    torch.testing.assert_close(sinusoidal_2d(height, width, 2 * half), torch.tensor(expected), rtol=0, atol=1e-6)


def test_a_shift_is_the_same_rotation_everywhere() -> None:
    table = sinusoidal_1d(30, 8).double().view(30, 4, 2)
    for pair in range(4):
        angle = 3 / 10000 ** (2 * pair / 8)
        turn = torch.tensor(
            [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], dtype=torch.float64
        )
        torch.testing.assert_close(table[3:, pair], table[:-3, pair] @ turn.T, rtol=0, atol=1e-6)


def test_dimensions_without_pairs_are_refused() -> None:
    with pytest.raises(FittingRoomError, match="embed_dim 7 is odd"):
        sinusoidal_1d(4, 7)
    with pytest.raises(FittingRoomError, match="embed_dim 6 is not a multiple of 4"):
        sinusoidal_2d(4, 4, 6)


@pytest.mark.parametrize(
    ("kind", "learned"), [("learned", True), ("sincos2d", False), ("sincos1d", False), ("none", None)]
)
def test_each_kind_is_what_it_says(kind: str, learned: bool | None) -> None:
    model = build_model("vit", {"positions": kind, "depth": 1})
    found = model.pos_embed
    assert isinstance(found, torch.nn.Parameter) == bool(learned)
    assert (found is None) == (learned is None)
    # Without positions a ViT treats patches as a set, so the order of rows changes nothing.
    images = torch.randn(2, 1, 28, 28)
    same = torch.allclose(model.eval()(images), model(images.roll(4, dims=2)), atol=1e-5)
    assert same == (kind == "none")
