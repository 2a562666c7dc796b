"""Every colour can be seen on both grounds, and told from its neighbours with every kind of colour vision."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from fittingroom.report.palette import DARK, INK_CHANGES_AT, LIGHT, MARKER_PATHS, MARKERS, NUM_SERIES

SCHEMES = [pytest.param(LIGHT, id="light"), pytest.param(DARK, id="dark")]
Colours = dict[str, str]
Vector = NDArray[np.float64]

# sRGB to OKLab, Ottosson 2020 (bottosson.github.io/posts/oklab).
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.793617785, -0.0040720468],
        [1.9779984951, -2.428592205, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.808675766],
    ]
)
# Severity 1.0 of Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency".
VISIONS = {
    "usual": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour: str) -> Vector:
    parts = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(rgb: Vector) -> float:
    return float(rgb @ [0.2126, 0.7152, 0.0722])


def contrast(a: Vector, b: Vector) -> float:
    """The ratio of WCAG 2, 1 to 21."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def oklab(rgb: Vector) -> Vector:
    return TO_LAB @ np.cbrt(TO_CONES @ np.clip(rgb, 0, 1))


def mixed(full: str, empty: str, share: float) -> Vector:
    """What `color-mix(in oklab, ...)` shows, linear."""
    lab = share * oklab(linear(full)) + (1 - share) * oklab(linear(empty))
    return np.clip(np.linalg.inv(TO_CONES) @ (np.linalg.inv(TO_LAB) @ lab) ** 3, 0, 1)


@pytest.mark.parametrize("colours", SCHEMES)
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_text_and_marks_stand_out_from_their_ground(colours: Colours, ground: str) -> None:
    for name in ("ink", "quiet", "accent", "right", "wrong"):
        assert contrast(linear(colours[name]), linear(colours[ground])) >= 4.5, name
    for number in range(NUM_SERIES):
        assert contrast(linear(colours[f"series-{number}"]), linear(colours[ground])) >= 3, number


@pytest.mark.parametrize("colours", SCHEMES)
@pytest.mark.parametrize("vision", VISIONS)
def test_the_first_three_series_differ_for_every_eye(colours: Colours, vision: str) -> None:
    seen = [oklab(VISIONS[vision] @ linear(colours[f"series-{number}"])) for number in range(3)]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 0.1


@pytest.mark.parametrize("colours", SCHEMES)
def test_numbers_in_cells_are_readable_at_every_level(colours: Colours) -> None:
    for percent in range(101):
        ink = "cell-ink-high" if percent / 100 >= INK_CHANGES_AT else "cell-ink-low"
        ground = mixed(colours["cell-full"], colours["cell-empty"], percent / 100)
        assert contrast(linear(colours[ink]), ground) >= 4.4, percent


def test_both_schemes_name_the_same_colours_and_each_series_has_a_shape() -> None:
    assert list(LIGHT) == list(DARK)
    assert len(MARKERS) == len(MARKER_PATHS) == NUM_SERIES
