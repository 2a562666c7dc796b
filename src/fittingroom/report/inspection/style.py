"""How the pictures of what networks look at are made: size, type, colours, and how they are saved.

A picture is WIDTH inches wide; shown at 400 pixels its smallest letters are about nine pixels high.
"""

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FixedLocator, FormatStrFormatter, MaxNLocator
from scipy.ndimage import binary_fill_holes

from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import make_folder, write_atomic
from fittingroom.report.palette import LIGHT

WIDTH = 6.0
"""Inches."""
MARGIN = 0.14
"""Inches."""
SIZE, SMALL = 11.0, 10.0
"""Points."""
LINE = 0.185
"""Inches from one line of small text to the next."""
DPI = 150
FAMILY = "DejaVu Sans"
"""Comes with matplotlib, so pictures are the same everywhere."""
HEAT = "magma"
"""Amounts: even to the eye, and in order in every kind of colour vision and in grey."""
SIGNED = "PuOr_r"
"""Weights around zero: orange is positive, purple negative, white zero."""
FORMATS = ("png", "svg")


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook, whether pyplot was imported or not."""

    def _repr_png_(self) -> bytes:
        return render(self, "png")


@contextmanager
def drawing() -> Iterator[None]:
    """A picture is made inside of this: its ink and type, and no mathematics in the names of classes."""
    with matplotlib.rc_context(_settings()):
        yield


def _settings() -> dict[Any, Any]:
    ink, quiet = LIGHT["ink"], LIGHT["quiet"]
    return {
        "font.family": FAMILY,
        "font.size": SMALL,
        "axes.titlesize": SMALL,
        "axes.labelsize": SMALL,
        "text.color": ink,
        "text.parse_math": False,
        "axes.labelcolor": ink,
        "axes.edgecolor": quiet,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "xtick.color": quiet,
        "ytick.color": quiet,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "svg.hashsalt": "fittingroom",
    }


def sheet(height: float) -> Picture:
    """An empty picture of that height in inches."""
    return Picture(figsize=(WIDTH, height), dpi=DPI, facecolor="white")


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at that distance, in inches, from the upper left corner."""
    total = figure.get_figheight()
    return figure.add_axes((left / WIDTH, 1 - (top + height) / total, width / WIDTH, height / total))


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Text whose upper left corner (`ha`, `va` may differ) lies there, in inches from the upper left corner."""
    style = {"fontsize": SMALL, "va": "top", **style}
    figure.text(left / WIDTH, 1 - top / figure.get_figheight(), text, **style)


def wrapped(text: str, width: float = WIDTH - 2 * MARGIN) -> list[str]:
    """The lines of small text that fill `width` inches."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@cache
def text_width(text: str) -> float:
    """Inches that small text takes on one line."""
    font = FontProperties(family=FAMILY, size=SMALL)
    return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 72


def sentences(figure: Figure, top: float, texts: Sequence[str]) -> float:
    """Each text on lines of its own over the picture's width; returns where they end, in inches from the top."""
    for text in texts:
        for line in wrapped(text):
            write(figure, MARGIN, top, line)
            top += LINE
        top += 0.35 * LINE
    return top


def height_of(texts: Sequence[str]) -> float:
    """The inches that `sentences` takes."""
    return sum(LINE * (len(wrapped(text)) + 0.35) for text in texts)


def show_image(axes: Axes, image: np.ndarray) -> None:
    """A grey or RGB image of bytes, nothing smoothed."""
    bare(axes)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def show_heat(axes: Axes, values: np.ndarray, scale: Normalize, cmap: str = HEAT) -> AxesImage:
    """A map of amounts on a shared colour scale, nothing smoothed."""
    bare(axes)
    return axes.imshow(values, cmap=cmap, norm=scale, interpolation="nearest")


def outline(axes: Axes, image: np.ndarray) -> None:
    """Where the thing in the image ends, as a thin line over a map: a quarter of the way from darkest to brightest."""
    grey = (image if image.ndim == 2 else image.mean(axis=2)).astype(np.float64)
    low, high = float(grey.min()), float(grey.max())
    if high > low:
        level = low + 0.25 * (high - low)
        whole = np.where(np.asarray(binary_fill_holes(grey > level)), np.maximum(grey, 2 * level - low), grey)
        axes.contour(whole, levels=[level], colors=["white"], linewidths=0.7, alpha=0.85)


def bare(axes: Axes) -> None:
    """No ticks and no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def colour_bar(figure: Figure, shown: AxesImage, top: float, label: str, extend: str = "neither") -> None:
    """The scale of `shown` as a flat bar over the picture's width, its label below."""
    bar = figure.colorbar(
        shown,
        cax=place(figure, MARGIN + 0.35, top, WIDTH - 2 * MARGIN - 0.7, 0.11),
        orientation="horizontal",
        extend=extend,
    )
    bar.outline.set_visible(False)  # type: ignore[operator]
    if isinstance(shown.norm, PowerNorm):
        top = float(shown.norm.vmax or 1.0)
        bar.set_ticks(FixedLocator([0.0, *(_round(top * share**2) for share in (0.25, 0.5, 0.75, 1.0))]))
    else:
        bar.set_ticks(MaxNLocator(7))
    bar.ax.minorticks_off()
    bar.ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    bar.ax.tick_params(labelsize=SMALL, length=2.5, pad=2)
    bar.set_label(label, fontsize=SMALL, labelpad=2)


def _round(value: float) -> float:
    """Downwards to one digit that counts, or two where the first is a 1 or a 2."""
    digit = 10 ** math.floor(math.log10(value))
    step = digit / 10 if value < 3 * digit else digit
    return math.floor(value / step + 1e-9) * step


COLOUR_BAR = 0.62
"""Inches that a colour bar with its ticks and label takes."""


def relative(maps: np.ndarray) -> np.ndarray:
    """Each map [..., height, width] divided by its own mean, so that 1 is an average place; a map of zeros stays."""
    mean = maps.mean(axis=(-2, -1), keepdims=True, dtype=np.float64)
    return np.divide(maps, mean, out=np.zeros(maps.shape), where=mean > 0)


def common_scale(maps: Sequence[np.ndarray], power: float = 1.0) -> tuple[Normalize, str]:
    """One scale from 0 for all these maps, and which ends of it are cut: the highest half per cent, if they lie far out.

    Colours grow with the value to that `power`.
    """
    values = np.concatenate([each.ravel() for each in maps])
    top, peak = float(np.quantile(values, 0.995)), float(values.max(initial=0.0))
    top = top if top > 0 and peak > 1.2 * top else peak
    top = max(top, 1.0)
    scale = Normalize(0.0, top, clip=True) if power == 1 else PowerNorm(power, 0.0, top, clip=True)
    return scale, "max" if peak > top * (1 + 1e-6) else "neither"


def render(figure: Figure, suffix: str) -> bytes:
    """The picture as a file's contents; the same picture gives the same bytes."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None} if suffix == "png" else {"Date": None}
    with drawing():
        figure.savefig(buffer, format=suffix, dpi=DPI, metadata=metadata)
    return buffer.getvalue()


def save(figure: Figure, folder: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write `folder/name.png` and `.svg`, whole or not at all; returns their paths."""
    wrong = [each for each in formats if each not in FORMATS]
    if wrong:
        raise FittingRoomError(f"pictures cannot be written as '{wrong[0]}': choose png, svg or png,svg")
    make_folder(folder)
    paths = []
    for suffix in formats:
        contents = render(figure, suffix)
        path = folder / f"{name}.{suffix}"
        write_atomic(path, lambda file, contents=contents: file.write(contents))
        paths.append(path)
    return paths
