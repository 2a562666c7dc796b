"""Plain pictures of arrays: heat maps, curves, and images with maps. They follow the light or dark colours of the page."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.image import imsave
from matplotlib.ticker import FuncFormatter, NullFormatter

from fittingroom.report.palette import DASHES, LIGHT, MARKERS, series
from fittingroom.report.svg import canvas, drawing, panel, render, variable
from lesson.show import Html, themed

FRAME = "background: VAR(card); border: 1px solid VAR(rule); border-radius: 6px; padding: .6rem; margin: .5rem 0;"
NUMBERED = 12
"""A heat map of up to this many columns shows its numbers."""


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
    """Several heat maps of one shape under their titles. All have the same colours."""
    arrays = {title: np.asarray(each, dtype=float) for title, each in values.items()}
    high = max(float(each.max()) for each in arrays.values())
    least = min(float(each.min()) for each in arrays.values())
    low = least if least < 0 or least > high / 2 else 0.0  # colours start at zero, unless that hides all differences
    num_rows, num_columns = next(iter(arrays.values())).shape
    across = min(per_row, len(arrays))
    down = -(-len(arrays) // across)
    left = 14 + 7 * max(map(len, rows or [""])) + (16 if row_title else 0)
    below = 12 + (16 if columns else 0) + (16 if column_title else 0)
    side = max(3.0, min(46.0, (680 / across - left) / num_columns))
    if columns:  # names must not overlap
        side = max(side, 7.0 * max(map(len, columns)) + 4)
    width, height = side * num_columns, side * num_rows if num_columns == num_rows or columns else 0
    height = height or min(side * num_rows, 260.0)
    with drawing("matrix"):
        figure = canvas(across * (left + width + 10), down * (height + below + 26))
        for number, (title, array) in enumerate(arrays.items()):
            row, column = divmod(number, across)
            axes = panel(figure, left + column * (left + width + 10), 22 + row * (height + below + 26), width, height)
            _heat(axes, array, low, high)
            axes.set_title(title, fontsize=12, loc="left", pad=4)
            _name(axes, rows, columns, row_title, column_title)
        found = render(figure, f"matrix-{abs(hash(tuple(arrays))) % 10**6}", "; ".join(arrays) or "heat map")
    return framed(_fallbacks(found), "heat map", across * (left + width + 10) + 24)


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
    with drawing("curves"):
        figure = canvas(640, 290)
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
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1), frameon=False)
        found = render(figure, f"curves-{abs(hash((*ys, x_title))) % 10**6}", f"{y_title} over {x_title}")
    return framed(_fallbacks(found), f"curves of {', '.join(ys)}", 680)


def intervals(rows: Sequence[tuple[str, float, float, float]], *, x_title: str, zero: bool = True) -> Html:
    """A point and its interval for each row (name, value, low, high). A line marks zero."""
    with drawing("intervals"):
        left = 20 + 7 * max(len(name) for name, *_ in rows)
        figure = canvas(left + 400, 60 + 30 * len(rows))
        axes = panel(figure, left, 10, 380, 30 * len(rows))
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
        for place, (_, value, low, high) in enumerate(rows):
            colour = variable(series(place))
            axes.plot([low, high], [place, place], color=colour, linewidth=2.5)
            axes.plot([value], [place], color=colour, marker=MARKERS[place % len(MARKERS)], markersize=8)
        if zero:
            axes.axvline(0, color=variable("ink"), linewidth=1)
        axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(x_title)
        found = render(figure, f"intervals-{abs(hash(x_title)) % 10**6}", x_title)
    return framed(_fallbacks(found), f"intervals of {', '.join(name for name, *_ in rows)}", left + 424)


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
        layers = [_image(picture if picture.ndim == 3 else colormaps["gray"](_unit(picture)))]
        if maps is not None and maps[number] is not None:
            layers.append(_image(colormaps["viridis"](_unit(np.asarray(maps[number]))), opacity=0.75))
        lines = _grid(cells) if cells else ""
        tiles.append(
            f'<figure style="margin: 0; width: {width}px; color: var(--ink, {LIGHT["ink"]});">'
            f'<div style="position: relative; aspect-ratio: 1;">{"".join(layers)}{lines}</div>'
            f'<figcaption style="font-size: .8em; text-align: center; line-height: 1.2;">{title}</figcaption></figure>'
        )
    row = f'<div style="display: flex; flex-wrap: wrap; gap: .6rem;">{"".join(tiles)}</div>'
    return framed(row, f"{len(tiles)} images")


def _unit(values: Any) -> Any:
    values = np.asarray(values, dtype=float)
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def _image(pixels: Any, opacity: float = 1.0) -> str:
    data = io.BytesIO()
    imsave(data, pixels if pixels.dtype == np.uint8 else np.clip(pixels, 0, 1), format="png")
    text = base64.b64encode(data.getvalue()).decode()
    style = f"position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: pixelated; opacity: {opacity};"
    return f'<img alt="" style="{style}" src="data:image/png;base64,{text}">'


def _grid(cells: tuple[int, int]) -> str:
    rows, columns = cells
    down = "".join(f'<path d="M0 {row}H{columns}"/>' for row in range(rows + 1))
    across = "".join(f'<path d="M{column} 0V{rows}"/>' for column in range(columns + 1))
    style = "position: absolute; inset: 0; width: 100%; height: 100%;"
    return (
        f'<svg style="{style}" viewBox="0 0 {columns} {rows}" stroke="#ff9f73" stroke-width=".04" aria-hidden="true">'
        f"{down}{across}</svg>"
    )


def _heat(axes: Axes, array: Any, low: float, high: float) -> None:
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.imshow(array, vmin=low, vmax=high or 1, cmap="viridis", aspect="auto", interpolation="nearest")
    axes.tick_params(length=0)
    if array.shape[1] <= NUMBERED and array.shape[0] <= NUMBERED:
        middle = (low + high) / 2
        for (row, column), value in np.ndenumerate(array):
            ink = "#000000" if value > middle else "#ffffff"
            axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9, color=ink)


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
