"""Equation, code and picture side by side. The code is read from the package's source, so there is no second copy of it."""

import html
import inspect
import textwrap
from typing import Any

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from fittingroom.report.palette import LIGHT

STYLE = """
.lesson-row { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center; margin: .5rem 0; }
.lesson-row > * { flex: 1 1 auto; min-width: 0; max-width: 100%; }
.lesson-equation { text-align: center; font-size: 1.1em; overflow-x: auto; color: VAR(ink); }
.lesson-code { background: VAR(card); color: VAR(ink); border: 1px solid VAR(rule); border-radius: 6px; margin: .5rem 0; }
.lesson-code p { margin: 0; padding: .35rem .8rem; font-size: .8em; color: VAR(quiet); border-bottom: 1px solid VAR(rule); }
.lesson-code pre { margin: 0; padding: .6rem .8rem; overflow-x: auto; background: none; color: inherit; border: 0;
  font-size: .82em; line-height: 1.4; }
.lesson-code .k, .lesson-code .kn, .lesson-code .kc, .lesson-code .ow { color: VAR(series-0); font-weight: 600; }
.lesson-code .s, .lesson-code .s1, .lesson-code .s2, .lesson-code .sd { color: VAR(right); }
.lesson-code .c1 { color: VAR(quiet); font-style: italic; }
.lesson-code .nf, .lesson-code .nc { color: VAR(accent); font-weight: 600; }
.lesson-code .mi, .lesson-code .mf { color: VAR(series-5); }
"""
"""`VAR(ink)` becomes the site's colour, or the light one where no site defines it (a notebook)."""


class Html:
    """Something that shows itself in a notebook. `text` is what a terminal shows."""

    def __init__(self, markup: str, text: str) -> None:
        self.markup, self.text = markup, text

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return self.text


def themed(markup: str) -> str:
    """`VAR(name)` as a CSS variable of the page, with the light colour for pages that do not define it."""
    for name, colour in LIGHT.items():
        markup = markup.replace(f"VAR({name})", f"var(--{name}, {colour})")
    return markup


def source(*parts: Any) -> Html:
    """The source code of functions or classes, read from the package."""
    texts = [textwrap.dedent(inspect.getsource(part)).rstrip() for part in parts]
    blocks = "".join(_block(part, text) for part, text in zip(parts, texts, strict=True))
    return Html(f"<style>{themed(STYLE)}</style>{blocks}", "\n\n\n".join(texts))


def side_by_side(equation: str, code: Any, picture: Any = None) -> Html:
    """An equation (LaTeX), the code that is this equation, and a picture of it, in one row; on a phone one below another."""
    shown = source(*(code if isinstance(code, tuple) else (code,)))
    drawn = "" if picture is None else f"<div>{picture._repr_html_()}</div>"
    row = f'<div class="lesson-equation">{_mathml(equation)}</div>{drawn}'
    return Html(f'<div class="lesson-row">{row}</div>{shown._repr_html_()}', f"{equation}\n\n{shown!r}")


def _block(part: Any, text: str) -> str:
    where = part.__qualname__ if part.__module__ == "__main__" else f"{part.__module__}.{part.__qualname__}"
    code = highlight(text, PythonLexer(), HtmlFormatter(nowrap=True))
    name = html.escape(where).replace(".", ".<wbr>").replace("_", "_<wbr>")  # where a narrow page may break the line
    return f'<div class="lesson-code"><p>{name}</p><pre tabindex="0">{code}</pre></div>'


def _mathml(equation: str) -> str:
    """MathML, which browsers draw without a script. Without docutils, LaTeX for the notebook's own MathJax."""
    try:
        from docutils.utils.math.latex2mathml import tex2mathml
    except ImportError:
        return f"$$ {html.escape(equation)} $$"
    return tex2mathml(equation, as_block=True)
