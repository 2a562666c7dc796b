"""Each lesson as a notebook to download, with a first cell that installs what the lesson needs.

The site writes the notebooks and `fittingroom.zip`, the files that they need, into `download/`. A line below the title of a
lesson links to them and to its slides.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
FOLDER = "download"
KIT = ("pyproject.toml", "README.md", "LICENSE", "src", "docs/lecture/lesson", "results")
"""What lessons need from the repository: the package, their pictures and checks, and the records they read."""
LESSON = re.compile(r"lecture/\d\d_\w+|notebooks/homework")
"""The pages that are notebooks."""

UNPACK = """\
        if not Path("fittingroom.zip").exists():
            raise FileNotFoundError("put fittingroom.zip, which the page of this lesson links, beside this notebook")
        with zipfile.ZipFile("fittingroom.zip") as archive:
            archive.extractall(clone)"""
CLONE = """\
        !git clone --quiet --depth 1 https://github.com/{repository} {{clone}}"""
INSTALL = """\
# In a clone of the repository this cell does nothing. Elsewhere, as on Colab, it installs what the lesson needs.
import importlib.util
import sys
import zipfile
from pathlib import Path

if importlib.util.find_spec("lesson") is None:
    clone = Path("fittingroom").resolve()
    if not clone.exists():
{fetch}
    %pip install --quiet {{clone}}
    sys.path.insert(0, str(clone / "docs" / "lecture"))"""


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_config_value("repository", "", "html", str)
    app.connect("html-page-context", _add_links)
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True}


def notebook(path: Path, repository: str = "") -> nbformat.NotebookNode:
    """A lesson as a notebook that runs outside the repository, too.

    `repository` is OWNER/NAME on GitHub. Without it, the first cell takes the files from `fittingroom.zip`.
    """
    found = jupytext.read(path)
    fetch = CLONE.format(repository=repository) if repository else UNPACK
    found.cells.insert(0, nbformat.v4.new_code_cell(INSTALL.format(fetch=fetch)))
    for number, cell in enumerate(found.cells):
        cell["id"] = f"cell-{number}"  # not a random one: the same lesson gives the same file
        if cell.cell_type == "markdown":
            cell.source = _links_between_lessons(cell.source)
    return found


def links(page: str, repository: str = "") -> str:
    """The line below the title of a lesson: its slides, the notebook, its files, and Colab if the site knows its repository."""
    name = page.rpartition("/")[2] + ".ipynb"
    found = ['<a href="?slides">Slides</a>', f'<a href="../{FOLDER}/{name}" download>Notebook</a>']
    if repository:
        address = f"https://colab.research.google.com/github/{repository}/blob/gh-pages/{FOLDER}/{name}"
        found.append(f'<a href="{address}">Open in Colab</a>')
    else:
        found.append(f'<a href="../{FOLDER}/fittingroom.zip" download>Files for Colab</a>')
    return f'<p class="lesson-links">{" · ".join(found)}</p>'


def write_kit(path: Path) -> None:
    """Pack the files that the notebooks need, in the folders of the repository."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in KIT:
            source = ROOT / part
            for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
                if file.is_file() and "__pycache__" not in file.parts:
                    archive.write(file, file.relative_to(ROOT))


def _links_between_lessons(text: str) -> str:
    """Links to lessons lead to their notebooks. Other pages are not beside the notebook: their links become text."""
    text = re.sub(r"\]\((?:[./\w]+/)?(\d\d_\w+|homework)\.(?:py|ipynb)\)", r"](\1.ipynb)", text)
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)\s]+\.(?:md|json)(?:#[^)]*)?\)", r"\1", text)


def _add_links(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if doctree is None or not LESSON.fullmatch(page):
        return
    app.add_js_file("slides.js")
    app.add_css_file("slides.css")
    context["body"] = context["body"].replace("</h1>", "</h1>\n" + links(page, app.config.repository), 1)


def _write(app: Sphinx, error: Exception | None) -> None:
    if error is not None or app.builder.name != "html":
        return
    folder = Path(app.outdir) / FOLDER
    folder.mkdir(exist_ok=True)
    for path in [*sorted((ROOT / "docs" / "lecture").glob("[0-9][0-9]_*.py")), ROOT / "docs/notebooks/homework.py"]:
        text = nbformat.writes(notebook(path, app.config.repository))
        (folder / f"{path.stem}.ipynb").write_text(text, encoding="utf-8")
    write_kit(folder / "fittingroom.zip")
