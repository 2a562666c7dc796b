"""How the pictures of an inspection are made: size, type, colours, and how they are saved.

A picture is WIDTH inches wide. Shown 400 pixels wide, its smallest letters are about nine pixels high.
"""

import io
import math
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize, PowerNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font, get_font_names
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
BOLD = 1.25
"""A bold letter of SIZE is about this much wider than one of SMALL."""
FAMILY = "DejaVu Sans"
"""Comes with matplotlib, so pictures are the same everywhere."""
OTHER_SCRIPTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Malgun Gothic", "Arial Unicode MS",
    "Noto Sans Devanagari", "Noto Sans Thai", "Nirmala UI", "Noto Emoji",
)  # fmt: skip
"""Fonts for letters that FAMILY lacks, where they are installed."""
BOX = "\N{WHITE SQUARE}"
"""Drawn for a character that no font has."""
HEAT = "magma"
"""For amounts: perceptually uniform, and ordered for every kind of colour vision and in grey."""
SIGNED = "PuOr_r"
"""For weights around zero: orange is positive, purple negative, white zero."""
FORMATS = ("png", "svg")
BREAKS = " _-./"
"""A name can be broken behind these."""
MOST_STRETCHED = 2.0
"""A cell is at most this many times as high as wide, or as wide as high; images beyond that leave a margin in it."""


class Picture(Figure):
    """A matplotlib figure that shows itself in a notebook, whether pyplot was imported or not."""

    def draw(self, renderer: Any) -> None:
        """Draw it with our settings, whoever asks: matplotlib makes some parts, such as ticks, only now."""
        with drawing():
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        return render(self, "png")


@contextmanager
def drawing() -> Iterator[None]:
    """Make pictures inside this block: it sets ink and type, and switches off mathematics in class names.

    Settings of the user (a matplotlibrc file, a style) do not apply here, and are back after the block.
    """
    with matplotlib.style.context(_settings(), after_reset=True):
        yield


def _settings() -> dict[Any, Any]:
    ink, quiet = LIGHT["ink"], LIGHT["quiet"]
    return {
        "font.family": _families(),
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


def sheet(height: float, width: float = WIDTH) -> Picture:
    """An empty picture of that size in inches."""
    return Picture(figsize=(width, height), dpi=DPI, facecolor="white")


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at that distance, in inches, from the upper left corner."""
    across, down = figure.get_figwidth(), figure.get_figheight()
    return figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Text with its upper left corner (`ha` and `va` may differ) there, in inches from the figure's upper left corner."""
    style = {"fontsize": SMALL, "va": "top", **style}
    figure.text(left / figure.get_figwidth(), 1 - top / figure.get_figheight(), drawable(text), **style)


def title_height(title: str, width: float = WIDTH) -> float:
    """The inches that `write_title` takes, with the gap below it."""
    return LINE * (1.6 + 1.2 * (len(_title_lines(title, width)) - 1)) if title else 0.0


def write_title(figure: Figure, title: str) -> None:
    """The picture's title at its upper left corner, on two lines if one is too short."""
    for number, line in enumerate(_title_lines(title, figure.get_figwidth())):
        write(figure, MARGIN, MARGIN + number * 1.2 * LINE, line, weight="bold", fontsize=SIZE)


def _title_lines(title: str, width: float) -> list[str]:
    return broken(title, (width - 2 * MARGIN) / BOLD)


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


def shortened(text: str, width: float) -> str:
    """The text, its end cut off with an ellipsis if it is wider than `width` inches."""
    text = drawable(text)
    if len(text) <= 1 or text_width(text) <= width:
        return text
    # Measuring takes time in proportion to the length, so a long text is not cut letter by letter.
    fitting = bisect_right(range(1, len(text)), width, key=lambda length: text_width(f"{text[:length]}…"))
    return f"{text[: max(1, fitting)]}…"


def broken(name: str, width: float, most: int = 2) -> list[str]:
    """A name on at most `most` lines of `width` inches, broken behind one of BREAKS if possible; the last line is cut."""
    lines, rest = [], drawable(name)
    while len(lines) < most - 1 and text_width(rest) > width:
        end = len(rest)
        while end > 1 and text_width(rest[:end]) > width:
            end -= 1
        soft = max(rest.rfind(mark, 0, end) for mark in BREAKS) + 1
        end = soft if 3 * soft > end else end
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return [*lines, shortened(rest, width)]


@cache
def text_width(text: str) -> float:
    """Inches that small text takes on one line."""
    font = FontProperties(
        family=_families(), style="normal", variant="normal", weight="normal", stretch="normal", size=SMALL
    )
    return text_to_path.get_text_width_height_descent(drawable(text), font, ismath=False)[0] / 72


def drawable(text: str) -> str:
    """The text with a box for each character that no font here has; matplotlib would warn about it on every drawing."""
    return "".join(each if each == "\n" or has_glyph(each) else BOX for each in text)


@cache
def has_glyph(character: str) -> bool:
    """Whether one of the fonts can draw the character. False for control characters: some reverse the text."""
    if not character.isprintable() and unicodedata.category(character) != "Zs":
        return False
    fonts = [get_font(findfont(FontProperties(family=family))) for family in _families()]
    return any(font.get_char_index(ord(character)) != 0 for font in fonts)


@cache
def _families() -> list[str]:
    """FAMILY, then the OTHER_SCRIPTS that this machine has."""
    installed = set(get_font_names())
    return [FAMILY, *(name for name in OTHER_SCRIPTS if name in installed)]


def sentences(figure: Figure, top: float, texts: Sequence[str]) -> float:
    """Each text on its own lines over the picture's width. Returns where they end, in inches from the top."""
    for text in texts:
        for line in wrapped(text, figure.get_figwidth() - 2 * MARGIN):
            write(figure, MARGIN, top, line)
            top += LINE
        top += 0.35 * LINE
    return top


def height_of(texts: Sequence[str], width: float = WIDTH) -> float:
    """The inches that `sentences` takes."""
    return sum(LINE * (len(wrapped(text, width - 2 * MARGIN)) + 0.35) for text in texts)


def cell_height(shape: Sequence[int], width: float) -> float:
    """The height of a cell `width` inches wide that an image of this shape (height, width, ...) fills."""
    return width * min(max(shape[0] / shape[1], 1 / MOST_STRETCHED), MOST_STRETCHED)


def show_image(axes: Axes, image: np.ndarray) -> None:
    """A grey or RGB image of bytes. It is smoothed only where it has more pixels than its place."""
    bare(axes)
    axes.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation=_interpolation(axes, image))


def show_heat(axes: Axes, values: np.ndarray, scale: Normalize, cmap: str | Colormap = HEAT) -> AxesImage:
    """A map of amounts on a shared colour scale. It is smoothed only where it has more values than its place has pixels."""
    bare(axes)
    return axes.imshow(values, cmap=cmap, norm=scale, interpolation=_interpolation(axes, values))


def _interpolation(axes: Axes, array: np.ndarray) -> str:
    place, figure = axes.get_position(), axes.figure
    across, down = place.width * figure.get_figwidth() * DPI, place.height * figure.get_figheight() * DPI  # type: ignore[union-attr]
    return "antialiased" if array.shape[0] > down or array.shape[1] > across else "nearest"


def outline(axes: Axes, image: np.ndarray) -> None:
    """The outline of the object in the image, as a thin white line over a map; nothing where the ground is not plain.

    The ground is the commonest colour of the border (the median of each channel); it is plain where at least half of the border
    is within 5 % of it. The line runs a quarter of the way from the ground to the colour farthest from it.
    """
    colours = image.reshape(*image.shape[:2], -1).astype(np.float64)
    border = np.concatenate([colours[0], colours[-1], colours[1:-1, 0], colours[1:-1, -1]])
    distance = abs(colours - np.median(border, axis=0)).mean(axis=2)
    farthest = float(distance.max())
    edge = np.concatenate([distance[0], distance[-1], distance[1:-1, 0], distance[1:-1, -1]])
    if farthest > 0 and np.mean(edge <= 0.05 * farthest) >= 0.5:
        level = 0.25 * farthest
        whole = np.where(np.asarray(binary_fill_holes(distance > level)), np.maximum(distance, 2 * level), distance)
        axes.contour(whole, levels=[level], colors=["white"], linewidths=0.7, alpha=0.85)


def bare(axes: Axes) -> None:
    """No ticks and no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def colour_bar(figure: Figure, shown: ScalarMappable, top: float, label: str, extend: str = "neither") -> None:
    """The scale of `shown` as a flat bar across the picture, with its label below."""
    bar = figure.colorbar(
        shown,
        cax=place(figure, MARGIN + 0.35, top, figure.get_figwidth() - 2 * MARGIN - 0.7, 0.11),
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
    """Rounded down to one significant digit, or to two where the first is 1 or 2."""
    digit = 10 ** math.floor(math.log10(value))
    step = digit / 10 if value < 3 * digit else digit
    return math.floor(value / step + 1e-9) * step


COLOUR_BAR = 0.62
"""Inches that a colour bar takes, with its ticks and label."""


def relative(maps: np.ndarray) -> np.ndarray:
    """Each map [..., height, width] divided by its own mean, so that 1 is an average place. A map of zeros stays."""
    mean = maps.mean(axis=(-2, -1), keepdims=True, dtype=np.float64)
    return np.divide(maps, mean, out=np.zeros(maps.shape), where=mean > 0)


def common_scale(maps: Sequence[np.ndarray], power: float = 1.0) -> tuple[Normalize, str]:
    """One scale from 0 for all these maps, and whether its upper end is cut ("max") or not ("neither").

    The highest half per cent of the values is cut if it lies far above the rest. Colours grow with the value to this `power`.
    """
    values = np.concatenate([each.ravel() for each in maps])
    top, peak = float(np.quantile(values, 0.995)), float(values.max(initial=0.0))
    top = top if top > 0 and peak > 1.2 * top else peak
    top = max(top, 1.0)
    scale = Normalize(0.0, top, clip=True) if power == 1 else PowerNorm(power, 0.0, top, clip=True)
    return scale, "max" if peak > top * (1 + 1e-6) else "neither"


def render(figure: Figure, suffix: str) -> bytes:
    """The contents of the picture's file. The same picture gives the same bytes."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None} if suffix == "png" else {"Date": None}
    with drawing():
        figure.savefig(buffer, format=suffix, dpi=DPI, metadata=metadata)
    return buffer.getvalue()


def check_formats(formats: Sequence[str]) -> None:
    """Raise FittingRoomError for a format that is not in FORMATS."""
    wrong = [each for each in formats if each not in FORMATS]
    if wrong:
        raise FittingRoomError(f"pictures cannot be written as '{wrong[0]}': choose png, svg or png,svg")


def save(figure: Figure, folder: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write `folder/name.png` and `.svg`, each complete or not at all. Returns their paths."""
    check_formats(formats)
    make_folder(folder)
    paths = []
    for suffix in formats:
        contents = render(figure, suffix)
        path = folder / f"{name}.{suffix}"
        write_atomic(path, lambda file, contents=contents: file.write(contents))
        paths.append(path)
    return paths
