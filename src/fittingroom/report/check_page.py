"""What `fittingroom data check --html` writes: one page with thumbnails of everything that was found."""

import base64
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape
from PIL import Image

from fittingroom import __version__
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.files import check_writable
from fittingroom.core.rundir import write_text
from fittingroom.core.text import sentence_case, shown
from fittingroom.report.assets import asset, environment, script_hash
from fittingroom.report.palette import DARK, LIGHT, css_variables

if TYPE_CHECKING:  # torch, which pages do without
    from fittingroom.data.images.check import ImageCheck
    from fittingroom.data.images.guard.findings import Finding

MOST_SETS, MOST_IN_SET = 48, 6
"""Sets that are shown of each finding, and pictures of each set: a page should stay below some megabytes."""
MARK = b'<meta name="generator" content="fittingroom'
"""By this a page of ours is known, which may be replaced."""
SMALL = 48
"""Pictures with more pixels a side are stored as JPEG: their details need not be exact."""


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One picture on the page."""

    source: str
    width: int
    height: int
    name: str
    label: str
    part: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """Pictures that belong together, and what is to be said about them."""

    pictures: list[Thumbnail]
    more: int
    """Pictures of the set that are not shown."""
    detail: str


def check_page_path(path: Path) -> None:
    """Raise FittingRoomError if a page cannot be written to `path`, or would replace a file that is no page of ours."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise FittingRoomError(f"--html {path}: give a .html file, such as check.html")
    check_writable(path, "--html")
    try:
        with path.open("rb") as file:
            ours = MARK in file.read(4096)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FittingRoomError(f"--html {path} cannot be replaced ({error.strerror}): give another file") from error
    if not ours:
        raise FittingRoomError(
            f"--html {path} exists and is not a page of fittingroom: give another file, or delete it"
        )


def write_check_page(check: "ImageCheck", path: Path) -> Path:
    """Write the page and return its path. Raises FittingRoomError as `check_page_path` does."""
    check_page_path(path)
    write_text(path, render_check_page(check))
    return path


def render_check_page(check: "ImageCheck") -> str:
    """The page as text, which needs nothing else."""
    script = asset("script.js")
    scan = check.scan
    return (
        environment()
        .get_template("check.html.jinja")
        .render(
            title=shown(scan.title),
            source=shown(scan.source),
            version=__version__,
            num_images=len(scan.found),
            num_classes=len(scan.class_names),
            ok=check.ok,
            remarks=[shown(sentence_case(each)) for each in check.remarks],
            notes=[shown(note) for note in scan.notes],
            problems=[shown(each) for each in scan.problems],
            unreadable=[(shown(each.name), shown(each.fault)) for each in scan.found if each.fault],
            findings=[_finding(check, each) for each in check.findings],
            light=css_variables(LIGHT),
            dark=css_variables(DARK),
            style=Markup(asset("style.css") + asset("check.css")),
            script=Markup(script),
            script_hash=script_hash(script),
        )
    )


def _finding(check: "ImageCheck", found: "Finding") -> dict[str, Any]:
    cards = []
    for number, places in enumerate(found.sets[:MOST_SETS]):
        detail = found.details[number] if number < len(found.details) else ""
        cards.append(_card(check, places, detail))
    return {
        "kind": found.kind,
        "title": found.title,
        "advice": _with_options(found.advice),
        "number": found.number,
        "cards": cards,
        "left": len(found.sets) - len(cards),
        "lines": [] if found.sets else [shown(each) for each in found.details],
    }


def _with_options(text: str) -> Markup:
    """The text with options such as --html as code, which is never broken over two lines."""
    return Markup(
        re.sub(r"--[a-z][a-z-]*", lambda option: f"<code>{option[0]}</code>", str(escape(sentence_case(text))))
    )


def _card(check: "ImageCheck", places: Sequence[int], detail: str) -> Card:
    pictures = [_thumbnail(check, place) for place in places[:MOST_IN_SET]]
    return Card(pictures=pictures, more=len(places) - len(pictures), detail=shown(detail))


def _thumbnail(check: "ImageCheck", place: int) -> Thumbnail:
    each, pixels = check.scan.good[place], _pixels(check.scan.show, place)
    return Thumbnail(
        source=image_address(pixels),
        width=pixels.shape[1],
        height=pixels.shape[0],
        name=shown(each.name),
        label=shown(each.label),
        part="" if each.part == "all" else each.part,
    )


def _pixels(show: Callable[[int], np.ndarray], place: int) -> np.ndarray:
    """The picture; a grey square if its file has gone since it was checked."""
    try:
        return show(place)
    except FittingRoomError:
        return np.full((SMALL, SMALL), 128, np.uint8)


def image_address(pixels: np.ndarray) -> str:
    """The picture as `data:image/...;base64,...`."""
    small = max(pixels.shape[:2]) <= SMALL
    file = io.BytesIO()
    picture = Image.fromarray(pixels)
    picture.save(file, **({"format": "PNG", "optimize": True} if small else {"format": "JPEG", "quality": 82}))
    return f"data:image/{'png' if small else 'jpeg'};base64,{base64.b64encode(file.getvalue()).decode()}"
