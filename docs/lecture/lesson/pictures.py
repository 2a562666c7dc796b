"""Plain pictures of arrays: heat maps, curves, and images with maps. They follow the light or dark colours of the page."""

import base64
import html
import io
import re
import textwrap
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from fittingroom.report.palette import DASHES, LIGHT, MARKERS, series
from fittingroom.report.svg import canvas, drawing, panel, render, variable
from lesson.show import Html, themed

FRAME = (
    "background: VAR(card); border: 1px solid VAR(rule); border-radius: 6px; padding: .6rem; margin: .5rem 0; "
    "overflow-x: auto;"
)
ROW = "display: flex; flex-wrap: wrap; gap: .6rem;"
NUMBERED = 12
"""A heat map of up to this many columns shows its numbers."""
WIDEST = 440
"""Width of a drawing. A phone shows three quarters of it, so text of 12 pixels can still be read there."""


def framed(markup: str, text: str, width: float | None = None) -> Html:
    """A drawing on a card. It is never wider than the page, nor than `width` pixels."""
    limit = f" max-width: {width:.0f}px;" if width else ""
    return Html(f'<div style="{themed(FRAME)}{limit}">{markup}</div>', f"[picture: {text}]")


def matrix(
    values: Any,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    row_title: str = "",
    column_title: str = "",
    title: str = "",
) -> Html:
    """A matrix as a heat map. Rows and columns may have names; small matrices show their numbers."""
    return matrices({title: values}, rows=rows, columns=columns, row_title=row_title, column_title=column_title)


def matrices(
    values: Mapping[str, Any],
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    row_title: str = "",
    column_title: str = "",
    per_row: int = 4,
) -> Html:
    """Several heat maps of one shape under their titles, `per_row` side by side where there is room, in the same colours."""
    arrays = {title: np.asarray(each, dtype=float) for title, each in values.items()}
    high = max(float(each.max()) for each in arrays.values())
    least = min(float(each.min()) for each in arrays.values())
    low = least if least < 0 or least > high / 2 else 0.0  # colours start at zero, unless that hides all differences
    num_rows, num_columns = next(iter(arrays.values())).shape
    left = 14 + 7 * max(map(len, rows or [""])) + (16 if row_title else 0)
    below = 12 + (16 if columns else 0) + (16 if column_title else 0)
    full = min(WIDEST, 680 / min(per_row, len(arrays)))
    side = max(3.0, min(46.0, (full - left - 10) / num_columns))
    if columns:  # names must not overlap
        side = max(side, 7.0 * max(map(len, columns)) + 4)
    width, height = side * num_columns, side * num_rows if num_columns == num_rows or columns else 0
    height = height or min(side * num_rows, 260.0)
    drawn = []
    for title, array in arrays.items():
        says = title or f"heat map: {row_title or 'rows'} and {column_title or 'columns'}"
        with drawing("matrix"):
            figure = canvas(left + width + 10, height + below + 26)
            axes = panel(figure, left, 22, width, height)
            _heat(axes, array, low, high, side)
            axes.set_title(title, fontsize=12, loc="left", pad=4)
            _name(axes, rows, columns, row_title, column_title)
            drawn.append(_fallbacks(render(figure, _key("matrix", says, array), says)))
    across = min(per_row, len(arrays)) * (left + width + 20) + 24
    return framed(f'<div style="{ROW}">{"".join(drawn)}</div>', "heat map", across)


def curves(
    x: Any,
    ys: Mapping[str, Any],
    *,
    x_title: str = "",
    y_title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    bands: Mapping[str, tuple[Any, Any]] | None = None,
    points: bool = True,
) -> Html:
    """One line for each entry of `ys`. `bands` holds lower and upper ends."""
    key = _key("curves", x_title, y_title, *ys, np.asarray([*ys.values()], dtype=float))
    with drawing("curves"):
        figure = canvas(430, 290)
        axes = panel(figure, 66, 12, 350, 230)
        for place, (name, y) in enumerate(ys.items()):
            colour = variable(series(place))
            dash = DASHES[place % len(DASHES)]
            marker = MARKERS[place % len(MARKERS)] if points else None
            axes.plot(x, y, color=colour, linestyle=dash, marker=marker, markersize=5, label=name)
            if bands and name in bands:
                axes.fill_between(x, *bands[name], color=colour, alpha=0.2, linewidth=0)
        if log_x:
            axes.set_xscale("log", base=2)
            axes.set_xticks(list(x), [f"{each:g}" for each in x])
            axes.minorticks_off()
        if log_y:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(x_title)
        axes.set_ylabel(y_title)
        legend = canvas(60 + 7 * max(map(len, ys)), 12 + 19 * len(ys))
        legend.legend(*axes.get_legend_handles_labels(), loc="upper left", borderaxespad=0, frameon=False)
        found = render(figure, key, f"{y_title} over {x_title}")
        names = render(legend, f"{key}-names", f"lines: {', '.join(ys)}")
    # The names are a drawing of their own, which a phone shows below the lines.
    return framed(f'<div style="{ROW}">{_fallbacks(found)}{_fallbacks(names)}</div>', f"curves of {', '.join(ys)}", 680)


def intervals(rows: Sequence[tuple[str, float, float, float]], *, x_title: str, zero: bool = True) -> Html:
    """A point and its interval for each row (name, value, low, high). A line marks zero."""
    num_lines = len(textwrap.wrap(x_title, 64))
    lines = textwrap.wrap(x_title, len(x_title) // num_lines + 8)  # of about the same length
    with drawing("intervals"):
        figure = canvas(WIDEST, 36 + 44 * len(rows) + 16 * len(lines))
        axes = panel(figure, 10, 4, WIDEST - 24, 44 * len(rows))
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        axes.spines["left"].set_visible(False)
        for place, (name, value, low, high) in enumerate(rows):
            colour = variable(series(place))
            axes.plot([low, high], [place, place], color=colour, linewidth=2.5)
            axes.plot([value], [place], color=colour, marker=MARKERS[place % len(MARKERS)], markersize=8)
            ground = {"facecolor": variable("card"), "edgecolor": "none", "pad": 1}
            ends = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            axes.annotate(name, (0, place), (0, 12), bbox=ground, **ends)  # the ground hides lines behind the name
        if zero:
            axes.axvline(0, color=variable("ink"), linewidth=1)
        axes.set_yticks([])
        axes.set_ylim(len(rows) - 0.6, -0.75)
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.set_xlabel("\n".join(lines))
        found = render(figure, _key("intervals", x_title, np.asarray([row[1:] for row in rows])), x_title)
    return framed(_fallbacks(found), f"intervals of {', '.join(name for name, *_ in rows)}", WIDEST + 24)


def images(
    pictures: Any,
    *,
    titles: Sequence[str] = (),
    maps: Any = None,
    width: int = 96,
    cells: tuple[int, int] | None = None,
) -> Html:
    """Grey or RGB images in a row. `maps` lie over them as colour, where not None; `cells` (rows, columns) draws patches."""
    tiles = []
    for number, picture in enumerate(np.asarray(pictures)):
        title = titles[number] if number < len(titles) else ""
        has_map = maps is not None and maps[number] is not None
        says = f"{title or f'image {number + 1}'}{', with a map over it' if has_map else ''}"
        layers = [_image(picture if picture.ndim == 3 else colormaps["gray"](_unit(picture)), says)]
        if maps is not None and maps[number] is not None:
            layers.append(_image(colormaps["viridis"](_unit(np.asarray(maps[number]))), "", opacity=0.75))
        lines = _grid(cells) if cells else ""
        tiles.append(
            f'<figure style="margin: 0; width: {width}px; color: var(--ink, {LIGHT["ink"]});">'
            f'<div style="position: relative; aspect-ratio: 1;">{"".join(layers)}{lines}</div>'
            f'<figcaption style="font-size: .8em; text-align: center; line-height: 1.2;">{title}</figcaption></figure>'
        )
    row = f'<div style="{ROW}">{"".join(tiles)}</div>'
    return framed(row, f"{len(tiles)} images")


def _unit(values: Any) -> Any:
    values = np.asarray(values, dtype=float)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _image(pixels: Any, says: str, opacity: float = 1.0) -> str:
    data = io.BytesIO()
    imsave(data, pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1), format="png")
    text = base64.b64encode(data.getvalue()).decode()
    style = f"position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; opacity: {opacity};"
    return f'<img alt="{html.escape(says)}" style="{style}" src="data:image/png;base64,{text}">'


def _grid(cells: tuple[int, int]) -> str:
    rows, columns = cells
    down = "".join(f'<path d="M0 {row}H{columns}"/>' for row in range(rows + 1))
    across = "".join(f'<path d="M{column} 0V{rows}"/>' for column in range(columns + 1))
    style = "position: absolute; inset: 0; width: 100%; height: 100%;"
    return (
        f'<svg style="{style}" viewBox="0 0 {columns} {rows}" stroke="#ff9f73" stroke-width=".04" aria-hidden="true">'
        f"{down}{across}</svg>"
    )


def _heat(axes: Axes, array: Any, low: float, high: float, side: float) -> None:
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    shown = axes.imshow(array, vmin=low, vmax=high or 1, cmap="viridis", aspect="auto", interpolation="nearest")
    axes.tick_params(length=0)
    if array.shape[1] <= NUMBERED and array.shape[0] <= NUMBERED:
        texts = {place: f"{value:.2f}" for place, value in np.ndenumerate(array)}
        size = min(12.0, max(9.0, 1.45 * side / max(map(len, texts.values()))))
        for (row, column), text in texts.items():
            ink = _ink(shown.to_rgba(array[row, column]))
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)


def _ink(ground: Any) -> str:
    """Black or white, whichever has more contrast to the colour below it (WCAG's relative luminance)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in ground[:3]]
    return "#000000" if np.dot(linear, [0.2126, 0.7152, 0.0722]) > 0.179 else "#ffffff"


def _key(kind: str, *parts: Any) -> str:
    """A name for the ids of a drawing: the same in every build, and another one for other values."""
    values = [part.tobytes() if isinstance(part, np.ndarray) else str(part).encode() for part in parts]
    return f"{kind}-{zlib.crc32(b'|'.join(values))}"


def _name(
    axes: Axes, rows: Sequence[str] | None, columns: Sequence[str] | None, row_title: str, column_title: str
) -> None:
    axes.set_yticks(range(len(rows)) if rows else [], rows or [])
    axes.set_xticks(range(len(columns)) if columns else [], columns or [])
    axes.set_ylabel(row_title)
    axes.set_xlabel(column_title)


def _fallbacks(svg: str) -> str:
    """Light colours where the page defines none. The drawing shrinks with the page."""
    svg = re.sub(r"var\(--([\w-]+)\)", lambda found: f"var(--{found.group(1)}, {LIGHT[found.group(1)]})", svg)
    return re.sub(
        r'width="([\d.]+)" height="([\d.]+)"',
        r'style="max-width: 100%; height: auto; display: block" width="\1"',
        svg,
        count=1,
    )
