"""What `fittingroom pronounce --explain --out` writes: pictures of every layer and head, and a page to click through."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from fittingroom import __version__
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import make_folder, write_text
from fittingroom.core.text import shown
from fittingroom.explain.findings import Alignment
from fittingroom.report.alignment import Alignments, alignment_section
from fittingroom.report.assets import asset, environment, script_hash
from fittingroom.report.palette import DARK, LIGHT, css_variables

NAME_LENGTH = 40
"""Symbols of a word in the name of its picture: file systems allow 255 bytes."""


def write_alignment_files(out: Path, model: str, data: Alignments) -> list[Path]:
    """Write what `out` asks for and return the paths: a picture of one word (.png, .svg), a page (.html), or a folder of all.

    `data` is of one model, called `model`. Raises FittingRoomError for several words in one picture, and where it cannot write.
    """
    suffix = out.suffix.lower() if not out.is_dir() else ""
    if suffix == ".html":
        return [_write_page(out, model, data)]
    words = [answer.alignment for answer in data.looks[0].answers]
    if suffix in (".png", ".svg"):
        if len(words) > 1:
            raise FittingRoomError(
                f"--out {out} is one picture for {len(words)} words: name a folder, or a page (x.html)"
            )
        return [_write_picture(out.with_suffix(suffix), model, words[0])]
    make_folder(out)
    paths = [_write_page(out / "alignments.html", model, data)]
    for name, word in zip(_file_names(words), words, strict=True):
        paths.append(_write_picture(out / f"{name}.png", model, word))
    return paths


def render_alignment_page(titles: Sequence[str], data: Alignments) -> str:
    """The page as text, which needs nothing else; `titles` are the names of the models by their place."""
    titles = [shown(title) for title in titles]
    script = asset("script.js") + asset("alignment.js")
    page = environment().get_template("alignment_page.html.jinja")
    return page.render(
        titles=titles,
        version=__version__,
        alignment=alignment_section(data, titles),
        light=css_variables(LIGHT),
        dark=css_variables(DARK),
        style=Markup(asset("style.css") + asset("alignment.css")),
        script=Markup(script),
        script_hash=script_hash(script),
    )


def _write_page(path: Path, model: str, data: Alignments) -> Path:
    write_text(path, render_alignment_page([model], data))
    return path


def _write_picture(path: Path, model: str, word: Alignment) -> Path:
    # matplotlib takes a second to import: a page needs none.
    from fittingroom.report.inspection.alignment import alignment
    from fittingroom.report.inspection.style import save

    return save(alignment(word, model), path.parent, path.stem, [path.suffix.removeprefix(".")])[0]


def _file_names(words: Sequence[Alignment]) -> list[str]:
    """A name for each word's picture, fit for every file system; where two are the same, the later ones are numbered."""
    names: list[str] = []
    for found in words:
        short = "".join(letter if letter.isalnum() else "-" for letter in found.word[:NAME_LENGTH])
        number = 2
        name = short
        while name.casefold() in [each.casefold() for each in names]:
            name, number = f"{short}-{number}", number + 1
        names.append(name)
    return names
