"""Names of any script and length, a user's own settings of matplotlib, and folders that hold one question each."""

import warnings
from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text

from fittingroom.explain.findings import Inspection
from fittingroom.report import plots
from fittingroom.report.inspection import pictures, style
from tests.inspection_fixture import findings, inspection

CLASSES = ("日本語", "😀 bag", "a\udcffb", "$x^2$")


def drawn(found: Inspection) -> dict[str, bytes]:
    return {name: style.render(picture, "png") for name, picture in pictures(found).items()}


def plain() -> Inspection:
    return inspection(findings(attention=None, positions=None, filters=None))


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[union-attr]


def test_letters_that_no_font_has_become_boxes_without_a_warning() -> None:
    found = replace(plain(), class_names=CLASSES, names=["日本語.png", "b\udcff.png", "\u202e.png"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = pictures(found)
        style.render(made["panel"], "png")
        style.render(made["panel"], "svg")
        style.render(plots.confusion(np.eye(4, dtype=int), class_names=CLASSES), "png")
