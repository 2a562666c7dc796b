"""What pages are made of: templates, style sheets, scripts, and the hash by which a page knows its own script."""

import base64
import hashlib
import re
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fittingroom.core.text import sentence_case
from fittingroom.report.palette import LIGHT, MARKER_PATHS, NUM_SERIES, series


@cache
def environment() -> Environment:
    """Templates: everything is escaped, and a missing value is an error."""
    loader = PackageLoader("fittingroom.report")
    found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    light_series = [LIGHT[series(place)] for place in range(NUM_SERIES)]
    found.globals |= {"marker_paths": MARKER_PATHS, "num_series": NUM_SERIES, "light_series": light_series}
    found.filters["capitalize_first"] = sentence_case
    found.filters["together"] = together
    return found


def together(text: str) -> Markup:
    """The text, escaped, that is broken neither before %, nor in '3 of 4', nor within an option such as --image-size."""
    escaped = str(escape(re.sub(r" (?=%)|(?<=\d) (?=of \d)|(?<=\d of) (?=\d)", "\N{NO-BREAK SPACE}", text)))
    return Markup(re.sub(r"(?<!\S)--[a-z][a-z-]*", lambda option: f'<span class="option">{option[0]}</span>', escaped))


def asset(name: str) -> str:
    """The text of a file beside the templates."""
    return resources.files("fittingroom.report").joinpath("templates", name).read_text(encoding="utf-8")


def script_hash(script: str) -> str:
    """What a content security policy calls this script: 'sha256-' and this."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
