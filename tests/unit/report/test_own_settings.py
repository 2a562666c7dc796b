"""The user's matplotlib settings change no picture of ours, and are untouched afterwards."""

from collections.abc import Iterator
from typing import Any

import matplotlib
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from fittingroom.core.records import Summary
from fittingroom.report.figures import cost_figures
from fittingroom.report.inspection import pictures, style
from fittingroom.report.plots import curves
from tests.inspection_fixture import findings, inspection

ODD: Any = {
    "image.origin": "lower", "text.usetex": True, "font.family": "serif", "font.size": 30, "font.weight": "bold",
    "axes.facecolor": "red", "axes.grid": True, "axes.grid.axis": "both", "axes.titlelocation": "left", "axes.xmargin": 0.4,
    "lines.linewidth": 9, "savefig.bbox": "tight", "savefig.facecolor": "green", "savefig.dpi": 10, "figure.dpi": 20,
    "xtick.labelsize": 40, "xtick.minor.visible": True, "image.cmap": "jet", "legend.frameon": False,
    "axes.formatter.use_locale": True, "path.sketch": (5, 100, 1), "svg.fonttype": "none", "axes.unicode_minus": False,
    "figure.autolayout": True, "image.interpolation": "bilinear", "patch.force_edgecolor": True, "contour.linewidth": 8,
}  # fmt: skip


@pytest.fixture
def odd_settings() -> Iterator[None]:
    with matplotlib.rc_context(ODD):
        before = dict(matplotlib.rcParams)
        yield
        assert dict(matplotlib.rcParams) == before


def panel_bytes(suffix: str) -> bytes:
    style.text_width.cache_clear()
    return style.render(pictures(inspection(findings(positions=None, filters=None)))["panel"], suffix)


@pytest.fixture(scope="module")
def plain() -> dict[str, bytes]:
    return {suffix: panel_bytes(suffix) for suffix in ("png", "svg")}


@pytest.mark.thorough
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_the_same_with_any_settings(plain: dict[str, bytes], suffix: str, odd_settings: None) -> None:
    assert panel_bytes(suffix) == plain[suffix]


@pytest.mark.thorough
def test_a_notebook_that_draws_the_picture_itself_gets_the_same(odd_settings: None) -> None:
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        expected = _drawn()
    assert _drawn() == expected


def _drawn() -> bytes:
    style.text_width.cache_clear()
    canvas = FigureCanvasAgg(curves({"epoch": [1.0, 2.0], "val_loss": [0.6, 0.5], "val_accuracy": [0.5, 0.6]}))
    canvas.draw()
    return bytes(canvas.buffer_rgba())


@pytest.mark.thorough
def test_a_figure_of_the_report_is_the_same_with_any_settings(summary: Summary) -> None:
    expected = cost_figures(summary)
    with matplotlib.rc_context(ODD):
        assert cost_figures(summary) == expected
