"""The site builds without a warning, needs no network, and its links lead somewhere. Lessons are slides and notebooks, too."""

import importlib.util
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browsing import Visit

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXTERNAL = re.compile(r'(?:<script[^>]+src|<link[^>]+href|<img[^>]+src|<iframe[^>]+src)="(https?:[^"]+)"')
LINK = re.compile(r'(?:href|src)="([^"#?:]*)(?:\?[^"#]*)?(?:#([^"]*))?"')
LESSON = """<!doctype html><link rel="stylesheet" href="{styles}/slides.css"><script src="{styles}/slides.js"></script>
<article><section id="attention"><h1>Attention</h1><p>It begins.</p>
<section id="first"><h2>First</h2><p style="height: 3000px">Long</p></section>
<section id="last"><h2>Last</h2></section></section></article><footer>Foot</footer>"""


@pytest.fixture(scope="module")
def downloads() -> ModuleType:
    """The extension of the site that writes notebooks."""
    spec = importlib.util.spec_from_file_location("downloads", DOCS / "downloads.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def slides(browser: Browser, tmp_path: Path) -> Iterator[Visit]:
    """A small lesson, opened as slides."""
    path = tmp_path / "lesson.html"
    path.write_text(LESSON.format(styles=(DOCS / "_static").as_uri()), encoding="utf-8")
    visit = Visit(browser, f"{path.as_uri()}?slides")
    yield visit
    assert visit.complaints == []
    visit.page.context.close()


def shown(visit: Visit) -> tuple[str, str]:
    """The heading that can be seen, and the count."""
    (heading,) = [each.inner_text() for each in visit.page.locator("h1, h2").all() if each.is_visible()]
    return heading, visit.page.locator(".slide-bar span").inner_text()


def test_arrow_keys_turn_slides_and_stop_at_both_ends(slides: Visit) -> None:
    assert shown(slides) == ("Attention", "1 / 3") and not slides.page.locator("footer").is_visible()
    seen = []
    for key in ("ArrowLeft", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        slides.page.keyboard.press(key)
        seen.append(shown(slides)[0])
    assert seen == ["Attention", "First", "Last", "Last", "First"]


def test_page_down_scrolls_a_long_slide_before_it_turns(slides: Visit) -> None:
    slides.page.get_by_label("next slide").click()
    slides.page.keyboard.press("PageDown")
    assert shown(slides)[0] == "First"
    slides.page.evaluate("scrollTo(0, 9e9)")
    slides.page.keyboard.press("PageDown")
    assert shown(slides) == ("Last", "3 / 3")


def test_the_address_names_the_slide_and_escape_leaves_for_its_section(slides: Visit) -> None:
    slides.page.keyboard.press("ArrowRight")
    assert slides.page.url.endswith("?slides#first")
    slides.page.reload()
    assert shown(slides)[0] == "First"
    slides.page.keyboard.press("Escape")
    slides.page.wait_for_url("**/lesson.html#first")
    assert slides.page.locator("footer").is_visible() and not slides.page.locator(".slide-bar").count()


def test_a_notebook_installs_first_and_links_only_to_what_lies_beside_it(downloads: ModuleType) -> None:
    lesson = DOCS / "lecture" / "08_homework.py"
    made = downloads.notebook(lesson)
    nbformat.validate(made)
    first, text = made.cells[0].source, "\n".join(each.source for each in made.cells)
    assert "%pip install" in first and "fittingroom.zip" in first and "git clone" not in first
    assert set(re.findall(r"\]\(([^)]+)\)", text)) == {"10_data.ipynb", "09_hybrids.ipynb", "homework.ipynb"}
    assert nbformat.writes(made) == nbformat.writes(downloads.notebook(lesson))


def test_with_a_repository_the_notebook_clones_it_and_the_page_links_to_colab(downloads: ModuleType) -> None:
    first = downloads.notebook(DOCS / "lecture" / "01_attention.py", "me/shoes").cells[0].source
    assert "https://github.com/me/shoes {clone}" in first and "zip" not in first.replace("import zipfile", "")
    line = downloads.links("lecture/01_attention", "me/shoes")
    assert "colab.research.google.com/github/me/shoes/blob/gh-pages/download/01_attention.ipynb" in line
    assert "colab" not in downloads.links("lecture/01_attention")


@pytest.mark.slow
def test_a_downloaded_notebook_finds_its_files_where_nothing_is_installed(
    downloads: ModuleType, tmp_path: Path
) -> None:
    """The first cell of a lesson, in another folder; pip is asked to leave the environment as it is."""
    downloads.write_kit(tmp_path / "fittingroom.zip")
    cell = downloads.notebook(DOCS / "lecture" / "01_attention.py").cells[0].source
    script = cell.replace("%pip install --quiet {clone}", "pass") + "\nimport lesson; print(lesson.records.RESULTS)"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == str(tmp_path / "fittingroom" / "results"), done.stderr
    package = tmp_path / "fittingroom"
    built = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(tmp_path / "there")]
    subprocess.run([*built, str(package)], check=True, timeout=300)
    assert (tmp_path / "there" / "fittingroom" / "weights" / "vit" / "model.safetensors").exists()


@pytest.mark.slow
def test_the_site_builds_without_a_warning_needs_no_network_and_has_no_dead_link(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-D", "nb_execution_mode=off"]
    done = subprocess.run([*command, "docs", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    pages = {page: page.read_text(encoding="utf-8") for page in sorted(tmp_path.rglob("*.html"))}
    assert len(pages) > 35 and (tmp_path / "searchindex.js").exists()
    external = {str(page): EXTERNAL.findall(text) for page, text in pages.items()}
    assert {page: found for page, found in external.items() if found} == {}
    dead = {(page.name, link) for page, text in pages.items() for link in dead_links(page, text, pages)}
    assert dead == set()
    with zipfile.ZipFile(tmp_path / "download" / "fittingroom.zip") as archive:
        assert {"pyproject.toml", "docs/lecture/lesson/check.py"} <= set(archive.namelist())


def dead_links(page: Path, text: str, pages: dict[Path, str]) -> list[str]:
    """Links of a page to files or headings that the site does not have."""
    found = []
    for address, heading in LINK.findall(text):
        target = (page.parent / unquote(address)).resolve() if address else page
        there = pages.get(target)
        no_heading = heading and there is not None and f'id="{unquote(heading)}"' not in there
        if not target.exists() or no_heading:
            found.append(f"{address}#{heading}")
    return found
