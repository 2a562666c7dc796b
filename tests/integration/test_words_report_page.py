"""The report on sequence models in a real browser: search, filters, more words; by mouse, by keyboard, on a phone."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from fittingroom.report.page import write_report
from fittingroom.report.sections.seq2seq import NUM_STANDING
from tests import browsing
from tests.words_fixture import write_words

SIZES = {"desktop": (1280, 900), "phone": (375, 812)}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_words(tmp_path_factory.mktemp("pairs"), num_seeds=1, num_test=400)


@pytest.fixture(scope="module")
def report(folder: Path) -> str:
    return write_report(folder).as_uri()


@pytest.fixture(scope="module")
def right(folder: Path) -> dict[str, tuple[bool, ...]]:
    """Of each test word, whether Transformer and RNN have it right, straight from their files."""
    found: dict[str, tuple[bool, ...]] = {}
    for name in ("transformer", "recurrent"):
        with np.load(folder / f"runs/{name}-seed0/predictions.npz") as archive:
            columns = (archive[f"test_{key}"].tolist() for key in ("sources", "predicted", "references"))
            for word, written, answers in zip(*columns, strict=True):
                found[word] = (*found.get(word, ()), written in answers.split("\t"))
    return found


class Visit(browsing.Visit):
    """The report with its gallery of words."""

    @property
    def search(self) -> Locator:
        return self.page.get_by_role("searchbox")

    def wait(self) -> None:
        self.search.wait_for()

    def words(self) -> list[str]:
        return self.page.locator(".word:visible h3").all_inner_texts()

    def status(self) -> str:
        return self.page.get_by_role("status").inner_text()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def counted(self, name: str) -> int:
        return int(self.button(name).locator(".number").inner_text())

    def all_words(self) -> list[str]:
        """Those that filter and search leave, all steps shown."""
        while self.button("Show more words").is_visible():
            self.button("Show more words").click()
        return self.words()


@pytest.fixture(scope="module")
def window(browser: Browser, report: str) -> Iterator[Visit]:
    found = Visit(browser, report)
    yield found
    found.page.context.close()


@pytest.fixture(params=list(product(SIZES, SCHEMES)), ids="-".join)
def visit(request: pytest.FixtureRequest, browser: Browser, report: str) -> Iterator[Visit]:
    size, scheme = request.param
    width, height = SIZES[size]
    found = Visit(browser, report, viewport={"width": width, "height": height}, color_scheme=scheme)
    yield found
    assert found.complaints == []
    assert found.requests == [report]
    found.page.context.close()


@pytest.fixture
def desk(window: Visit, report: str) -> Iterator[Visit]:
    """The page on a desktop, opened anew."""
    window.open(report)
    yield window
    assert window.complaints == []


def test_the_page_never_scrolls_sideways_whatever_is_shown(visit: Visit) -> None:
    visit.button("All words").click()
    visit.button("Show more words").click()
    width = visit.page.evaluate("innerWidth")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    beyond = """[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, svg, .skip, .hushed, thead")
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    assert visit.page.evaluate(beyond) == []


def test_headings_figures_and_tables_are_there_and_seen(visit: Visit) -> None:
    names = visit.page.get_by_role("heading", level=2).all_inner_texts()
    assert names[0] == "Results" and "Frequent errors" in names and names[-1] == "Reproduce this comparison"
    figures = visit.page.locator("figure svg[role=img]")
    assert figures.count() == 3 + 2 + 2
    assert min(figure.evaluate("e => e.getBoundingClientRect().width") for figure in figures.all()) > 300
    table = visit.page.get_by_role("table", name=re.compile("RNN with attention"))
    assert table.get_by_role("columnheader").all_inner_texts() == ["Right", "Written", "Times"]
    assert table.get_by_role("row").count() > 5 and table.get_by_role("row").nth(1).is_visible()


def test_marks_of_errors_differ_by_shape(desk: Visit) -> None:
    desk.all_words()
    styles = {
        kind: desk.page.locator(f".word {kind}").first.evaluate(
            "e => [getComputedStyle(e).borderTopStyle, getComputedStyle(e, '::before').content]"
        )
        for kind in ("em", "ins", "del")
    }
    assert styles == {"em": ["none", "none"], "ins": ["dashed", '"+"'], "del": ["dotted", '"−"']}


def test_filters_show_what_they_say(desk: Visit, right: dict[str, tuple[bool, ...]]) -> None:
    wanted = {
        "With an error": {word for word, found in right.items() if not all(found)},
        "Transformer right, RNN with attention wrong": {
            word for word, found in right.items() if found == (True, False)
        },
        "RNN with attention right, Transformer wrong": {
            word for word, found in right.items() if found == (False, True)
        },
        "No model is right": {word for word, found in right.items() if not any(found)},
    }
    for name, words in wanted.items():
        desk.button(name).click()
        assert desk.button(name).get_attribute("aria-pressed") == "true"
        assert desk.page.locator(".choices [aria-pressed=true]").count() == 1
        assert desk.counted(name) == len(words)
        shown = desk.all_words()
        assert set(shown) == words and len(shown) == len(words)
        assert desk.status() == f"{len(words)} of {len(words)} words shown"


def test_words_are_shown_step_by_step(desk: Visit) -> None:
    total = desk.counted("With an error")
    assert len(desk.words()) == 24 and desk.status() == f"24 of {total} words shown"
    first = desk.words()
    desk.button("Show more words").click()
    assert len(desk.words()) == 48 and desk.words()[:24] == first
    assert desk.page.locator(":focus h3").inner_text() == desk.words()[24]


def test_a_search_finds_words_that_every_model_has_right(desk: Visit, right: dict[str, tuple[bool, ...]]) -> None:
    word = next(word for word, found in right.items() if all(found) and len(word) > 5)
    desk.search.fill(word.upper())
    assert desk.words()[0] == word
    assert desk.button("All words").get_attribute("aria-pressed") == "true"
    desk.search.fill("")
    assert desk.button("With an error").get_attribute("aria-pressed") == "true"
    assert desk.status() == f"24 of {desk.counted('With an error')} words shown"


def test_a_search_holds_within_a_filter(desk: Visit, right: dict[str, tuple[bool, ...]]) -> None:
    desk.search.fill("st")
    desk.button("No model is right").click()
    assert set(desk.all_words()) == {word for word, found in right.items() if not any(found) and "st" in word}


def test_words_that_begin_so_come_before_those_that_hold_it(desk: Visit) -> None:
    desk.search.fill("sch")
    begins = [word.startswith("sch") for word in desk.all_words()]
    assert begins == sorted(begins, reverse=True) and any(begins) and not all(begins)


def test_nothing_found_is_said_and_a_typed_tag_is_text(desk: Visit) -> None:
    desk.search.fill("<img src=x>")
    assert desk.status() == "No word here contains “<img src=x>”"
    assert desk.words() == [] and desk.page.locator("#words-shown img").count() == 0


def test_everything_works_with_the_keyboard_alone(desk: Visit) -> None:
    desk.search.focus()
    desk.page.keyboard.type("ing")
    expect(desk.page.get_by_role("status")).to_contain_text("words shown")
    assert desk.page.locator(":focus").evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.press("Space")
    assert desk.button("With an error").get_attribute("aria-pressed") == "true"


def test_without_scripts_the_first_words_stand_there_and_no_dead_button(browser: Browser, report: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report)
    assert page.locator(".word:visible").count() == NUM_STANDING
    assert page.locator("button:visible, input:visible").count() == 0
    context.close()
