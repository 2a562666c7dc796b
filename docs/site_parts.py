"""What the site needs beyond Sphinx: equations as MathML, generated pages, docstrings as they are written here."""

import argparse
import html
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
ROOT = HERE.parent
GENERATED = HERE / "_generated"
FROM_ROOT = {"contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md"}
"""Pages of the repository's root that the site shows too."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_block_math, None))
    app.add_directive("verdict-figure", VerdictFigure)
    app.add_directive("attention-explorer", AttentionExplorer)
    app.connect("builder-inited", _generate)
    app.connect("source-read", _adapt_links)
    app.connect("doctree-read", _keep_together)
    app.connect("autodoc-process-docstring", _docstring)
    return {"parallel_read_safe": True}


def _inline_math(self: Any, node: Any) -> None:
    self.body.append(f'<span class="math">{tex2mathml(node.astext())}</span>')
    raise nodes.SkipNode


def _block_math(self: Any, node: Any) -> None:
    self.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


class VerdictFigure(SphinxDirective):
    """The differences between the networks after 20 epochs, with their intervals, computed from the records."""

    def run(self) -> list[nodes.Node]:
        """The figure, and below it the sentence of the verdict."""
        from lesson import pictures, records

        found = records.ladder(20)
        rows = [
            (f"{each.a} − {each.b}", 100 * each.difference, 100 * each.low, 100 * each.high) for each in found.contrasts
        ]
        drawn = pictures.intervals(rows, x_title="test accuracy on Fashion-MNIST: difference in points, 95 % interval")
        sentence = f"<p><strong>{html.escape(found.headline)}</strong> {html.escape(found.sentence)}</p>"
        return [nodes.raw("", drawn._repr_html_() + sentence, format="html")]


class AttentionExplorer(SphinxDirective):
    """The attention explorer of the included networks: a page beside the others, in a frame."""

    def run(self) -> list[nodes.Node]:
        """Write the page, and show it where the directive stands."""
        from lesson import explorer

        page = explorer.attention_page(["vit", "hybrid", "cnn"], [3, 9, 12, 14, 17, 24])
        folder = Path(self.env.app.outdir)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "explorer.html").write_text(page, encoding="utf-8")
        frame = '<iframe class="explorer" src="explorer.html" loading="lazy" sandbox="allow-scripts" title="Attention"></iframe>'
        return [nodes.raw("", frame, format="html")]


def _generate(app: Sphinx) -> None:
    """Write the pages that have no source of their own. They are not in the repository."""
    GENERATED.mkdir(exist_ok=True)
    for name, path in FROM_ROOT.items():
        _write(GENERATED / f"{name}.md", _from_root((ROOT / path).read_text(encoding="utf-8")))
    _write(GENERATED / "cli.md", command_line())


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # an unchanged file is not read again
        path.write_text(text, encoding="utf-8")


def _from_root(text: str) -> str:
    """A page of the root with links that hold in `_generated`."""
    for name, path in FROM_ROOT.items():
        text = text.replace(f"]({path})", f"]({name}.md)")
    return text.replace("](docs/", "](../").replace("](src/", "](../../src/").replace("](README.md", "](../index.md")


OUTSIDE = re.compile(r"(!?)\[([^\]]*)\]\(((?:\.\./)+[^)\s#]+)(#[^)]*)?\)")


def _adapt_links(app: Sphinx, docname: str, source: list[str]) -> None:
    """Links to folders, code and Markdown outside `docs/` become plain text: the site has no page for them."""
    folder = (HERE / docname).parent

    def adapted(found: re.Match[str]) -> str:
        image, text, link = found[1], found[2], found[3]
        target = (folder / link).resolve()
        if image or target.is_relative_to(HERE):
            return found[0]
        if target.name == "README.md" and target.parent == ROOT:
            return f"[{text}](/index.md)"
        return text if target.is_dir() or target.suffix in (".md", ".py") else found[0]

    source[0] = OUTSIDE.sub(adapted, source[0])


LOOSE = re.compile(r"(?<=\d) (?=[%±]|to [+−-]?\d)|(?<=±) (?=\d)|(?<=\d to) (?=[+−-]?\d)")
"""Spaces between a number and its percent sign or deviation, and inside an interval."""


LONGEST_WHOLE = 26
"""Letters of the longest word of code that a phone shows in one piece, beside other text or in a table."""


def _keep_together(app: Sphinx, doctree: nodes.document) -> None:
    """No line of text breaks at these spaces, nor inside an option: site.css keeps the words of the class `options` whole."""
    for text in list(doctree.findall(nodes.Text)):
        if LOOSE.search(text) and not isinstance(text.parent, nodes.literal | nodes.literal_block | nodes.raw):
            text.parent.replace(text, nodes.Text(LOOSE.sub("\N{NO-BREAK SPACE}", text)))
    for code in doctree.findall(nodes.literal):
        words = code.astext().split()
        if any(word.startswith("--") for word in words) and max(map(len, words)) <= LONGEST_WHOLE:
            code["classes"].append("options")


def command_line() -> str:
    """The reference of all commands, from the parser of the program."""
    from fittingroom.cli.main import build_parser

    parser = build_parser()
    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    summaries = {action.dest: action.help for action in commands._choices_actions}
    parts = ["# Command line", "", "Every command also has `--help`. Errors are one line and end with exit code 2.", ""]
    for name, command in commands.choices.items():
        parts += [f"## {name}", "", _escaped(command.description or summaries[name] or ""), ""]
        parts += ["```text", _usage(command), "```", ""]
        for action in command._actions:
            if action.help and action.help != argparse.SUPPRESS and not isinstance(action, argparse._HelpAction):
                parts += [f"{_names(action)}\n: {_escaped(command._get_formatter()._expand_help(action))}", ""]
        if command.epilog:
            parts += ["```text", command.epilog.strip("\n"), "```", ""]
    return "\n".join(parts)


def _usage(command: argparse.ArgumentParser) -> str:
    formatter = argparse.HelpFormatter(command.prog, width=88)
    formatter.add_usage(command.usage, command._actions, command._mutually_exclusive_groups, prefix="")
    return formatter.format_help().rstrip()


def _names(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if not action.option_strings:
        return f"`{metavar or action.dest}`"
    value = "" if action.nargs == 0 else f" {metavar or action.dest.upper()}"
    return ", ".join(f"`{name}{value}`" for name in action.option_strings)


CODE = re.compile(r"(`[^`]*`|(?<![\w-])--[a-z][\w-]*)")
"""Code in a text of the program: what is between backticks, and options. As text, their hyphens would become a dash."""


def _escaped(text: str) -> str:
    """Text of the program as Markdown that reads the same, with its code as code."""
    pieces = CODE.split(" ".join(text.split()))
    pieces[::2] = [re.sub(r"([\\*_<>\[\]$|~#])", r"\\\1", piece) for piece in pieces[::2]]
    pieces[1::2] = [piece if piece.startswith("`") else f"`{piece}`" for piece in pieces[1::2]]
    return "".join(pieces)


def _docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Docstrings here are plain text with `code` and indented examples: as reStructuredText, with nothing else special."""
    found: list[str] = []
    inside = False
    for line in lines:
        is_code = line.startswith("    ")
        if is_code and not inside:
            found += ["", ".. code-block:: python", ""]
        elif inside and not is_code and line.strip():
            found.append("")
        inside = is_code or (inside and not line.strip())
        found.append(line if is_code else _plain(line))
    lines[:] = found


def _plain(line: str) -> str:
    pieces = re.split(r"(`[^`]*`)", line)
    return "".join(
        f"`{piece}`" if piece.startswith("`") else re.sub(r"([*|\\])|_(?=\W|$)", lambda hit: "\\" + hit[0], piece)
        for piece in pieces
    )
