"""Diagrams carry the names of the code, code is shown from its source, and colours follow the page."""

import inspect
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from lesson import diagrams, pictures, show

from fittingroom.models import transformer, vit
from fittingroom.models.layers import attention, blocks, tokens
from fittingroom.report.palette import DARK, LIGHT

STYLE = Path(__file__).parents[3] / "docs" / "_static" / "site.css"
LABEL = re.compile(r"[a-z]+(?:_[a-zA-Z0-9]+)+")


@pytest.mark.parametrize(
    ("drawn", "modules"),
    [
        ("scaled_dot_product_attention", [attention]),
        ("multi_head_attention", [attention]),
        ("transformer", [transformer, attention, tokens]),
        ("vit", [vit, blocks]),
    ],
)
def test_the_labels_of_a_diagram_are_names_in_the_code(drawn: str, modules: list[ModuleType]) -> None:
    markup = getattr(diagrams, drawn)()._repr_html_()
    labels = {label for text in re.findall(r"<text[^>]*>([^<]*)</text>", markup) for label in LABEL.findall(text)}
    code = "".join(inspect.getsource(module) for module in modules)
    assert len(labels) >= 2
    assert sorted(label for label in labels if not re.search(rf"\b{label}\b", code)) == []


@pytest.mark.parametrize("drawn", ["transformer", "vit"])
def test_the_boxes_of_a_block_are_its_attributes(drawn: str) -> None:
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", getattr(diagrams, drawn)()._repr_html_())
    module = transformer.DecoderBlock if drawn == "transformer" else blocks.Block
    parts = re.findall(r"self\.(\w+) = ", inspect.getsource(module))
    assert set(parts) - {"drop_path"} <= set(texts)


def test_every_colour_of_a_drawing_is_one_of_the_page_with_the_light_one_as_fallback() -> None:
    drawn = diagrams.vit()._repr_html_() + pictures.curves([1, 2], {"a": [1, 2]})._repr_html_()
    for name, fallback in re.findall(r"var\(--([\w-]+), (#\w+)\)", drawn):
        assert LIGHT[name] == fallback
    assert not re.search(r"var\(--[\w-]+\)", drawn) and "VAR(" not in drawn


def test_the_site_defines_the_colours_of_the_package_for_light_and_dark() -> None:
    style = STYLE.read_text(encoding="utf-8")
    for colours in (LIGHT, DARK):
        assert all(f"--{name}: {colour};" in style for name, colour in colours.items())


def test_source_is_what_the_package_holds() -> None:
    shown = show.source(attention.causal_mask)
    assert repr(shown) == inspect.getsource(attention.causal_mask).rstrip()
    assert "fittingroom.models.layers.attention.causal_mask" in shown._repr_html_().replace("<wbr>", "")


def test_an_equation_becomes_mathml() -> None:
    assert "<math" in show.side_by_side(r"\frac{a}{b}", attention.causal_mask)._repr_html_()


@pytest.mark.thorough
def test_a_small_matrix_shows_its_numbers_and_a_large_one_does_not() -> None:
    small, large = (pictures.matrix(np.full((side, side), 0.25))._repr_html_() for side in (3, 30))
    assert small.count("0.25") == 9 and "0.25" not in large
