"""Figures as SVG text that takes its colours and typeface from the page around it.

matplotlib writes fixed colours. So figures are drawn in stand-in colours, which turn into `var(--name)` afterwards: one
drawing serves the light and the dark scheme. The same pass makes ids unique, because a page has several figures.

Where a content security policy forbids styles, the attributes of each element show the drawing in the light colours: every
property is an attribute too, and only colours are repeated as a style.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fittingroom.report.palette import LIGHT, NAMES

NAMESPACE = "http://www.w3.org/2000/svg"
LINK = "{http://www.w3.org/1999/xlink}href"
STAND_IN = re.compile(r"#(f[de])00([0-9a-f]{2})")
SHORT_FONT = re.compile(r"font: (?:(\d+) )?([\d.]+px)[^;]*")
FONT = re.compile(r"font-family: [^;]*(; )?")
FONT_SIZE = 12
ElementTree.register_namespace("", NAMESPACE)


def variable(name: str) -> str:
    """The stand-in for the page's colour `name` of `palette.NAMES`."""
    return f"#fe00{NAMES.index(name):02x}"


def level(share: float) -> str:
    """The stand-in for a colour `share` (0 to 1) of the way from an empty confusion cell to a full one."""
    return f"#fd00{round(100 * share):02x}"


@contextmanager
def drawing(key: str) -> Iterator[None]:
    """Make and render a figure inside this block: it sets the ink and the salt of ids, and switches off mathematics in names.

    Settings of the user (a matplotlibrc file, a style) do not apply here, and are back after the block.
    """
    with matplotlib.style.context(_settings(key), after_reset=True), warnings.catch_warnings():
        # The reader's fonts draw the text: what matplotlib's own font lacks does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def _settings(key: str) -> dict[Any, Any]:
    ink, quiet = variable("ink"), variable("quiet")
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": key,
        "text.parse_math": False,
        "font.size": FONT_SIZE,
        "text.color": ink,
        "axes.labelcolor": ink,
        "axes.edgecolor": quiet,
        "axes.facecolor": "none",
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "grid.color": variable("rule"),
        "grid.linewidth": 0.8,
        "xtick.color": quiet,
        "ytick.color": quiet,
        "xtick.labelcolor": ink,
        "ytick.labelcolor": ink,
        "ytick.major.size": 0,
    }


def panel(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in pixels from the figure's upper left corner (72 to the inch, one SVG unit each)."""
    full_width, full_height = figure.get_size_inches() * 72
    return figure.add_axes(
        (left / full_width, 1 - (top + height) / full_height, width / full_width, height / full_height)
    )


def canvas(width: float, height: float) -> Figure:
    """An empty, transparent figure of that many SVG units."""
    return Figure(figsize=(width / 72, height / 72), facecolor="none")


def render(figure: Figure, key: str, description: str) -> str:
    """The figure as one `<svg>` element, the same for the same drawing. `description` is what a screen reader says."""
    text = io.StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(text.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith(("}metadata", "}style")):
                parent.remove(child)
    linked = _linked_ids(root)
    for element in root.iter():
        _adopt(element, key, linked)
    root.attrib.pop("version", None)
    width, height = root.attrib["viewBox"].split()[2:]
    root.attrib |= {"width": width, "height": height, "font-family": "sans-serif"}
    root.attrib |= {"role": "img", "aria-label": description, "class": "drawing"}
    return re.sub(r">\s*\n\s*<", "><", ElementTree.tostring(root, encoding="unicode"))


def _linked_ids(root: ElementTree.Element) -> set[str]:
    values = [value for element in root.iter() for value in element.attrib.values() if "#" in value]
    return {found for value in values for found in re.findall(r"#([\w-]+)", value)}


def _adopt(element: ElementTree.Element, key: str, linked: set[str]) -> None:
    """Page colours for stand-ins, the page's font, ids with the figure's key or, where nothing uses them, none."""
    name = element.attrib.pop("id", None)
    if name in linked:
        element.set("id", f"{key}-{name}")
    if LINK in element.attrib:
        element.set("href", element.attrib.pop(LINK).replace("#", f"#{key}-"))
    if "clip-path" in element.attrib:
        element.set("clip-path", element.attrib["clip-path"].replace("#", f"#{key}-"))
    if "style" in element.attrib:
        _set_properties(element, FONT.sub("", SHORT_FONT.sub(_font, element.attrib.pop("style"))))


def _set_properties(element: ElementTree.Element, style: str) -> None:
    """Each property as an attribute, in a light colour. Colours follow the page by a style, which wins where it is allowed."""
    colours = []
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, value = (part.strip() for part in declaration.split(":", 1))
        element.set(name, STAND_IN.sub(_light_colour, value))
        if STAND_IN.search(value):
            colours.append(f"{name}: {STAND_IN.sub(_page_colour, value)}")
    if colours:
        element.set("style", "; ".join(colours))


def _font(match: re.Match[str]) -> str:
    weight, size = match.groups()
    return f"font-size: {size}" + (f"; font-weight: {weight}" if weight else "")


def _page_colour(match: re.Match[str]) -> str:
    kind, number = match.group(1), int(match.group(2), 16)
    if kind == "fe":
        return f"var(--{NAMES[number]})"
    return f"color-mix(in oklab, var(--cell-full) {number}%, var(--cell-empty))"


def _light_colour(match: re.Match[str]) -> str:
    kind, number = match.group(1), int(match.group(2), 16)
    if kind == "fe":
        return LIGHT[NAMES[number]]
    ends = [[int(LIGHT[name][at : at + 2], 16) for at in (1, 3, 5)] for name in ("cell-empty", "cell-full")]
    mixed = (round(low + (high - low) * number / 100) for low, high in zip(*ends, strict=True))
    return f"#{''.join(f'{channel:02x}' for channel in mixed)}"
