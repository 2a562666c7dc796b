"""The report in a real browser: desktop and phone, light and dark, by mouse and by keyboard."""

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from fittingroom.report.page import write_report
from tests import browsing
from tests.comparison_fixture import write_images

SIZES = {"desktop": (1280, 900), "phone": (375, 812)}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
GROUND = "getComputedStyle(document.documentElement).backgroundColor"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = write_images(tmp_path_factory.mktemp("comparison"), failed=["vit-seed1"])
    return write_report(folder).as_uri()


class Visit(browsing.Visit):
    """The report at a size and in a colour scheme."""

    def __init__(self, browser: Browser, address: str, size: str, scheme: Scheme) -> None:
        width, height = SIZES[size]
        super().__init__(browser, address, viewport={"width": width, "height": height}, color_scheme=scheme)

    def ground(self) -> str:
        return self.page.evaluate(GROUND)

    def num_cards(self) -> int:
        return self.page.locator(".card:visible").count()


@pytest.fixture(scope="module", params=list(product(SIZES, SCHEMES)), ids="-".join)
def visit(request: pytest.FixtureRequest, browser: Browser, report: str) -> Iterator[Visit]:
    size, scheme = request.param
    found = Visit(browser, report, size, scheme)
    yield found
    found.page.context.close()


def test_nothing_is_requested_but_the_file_and_nothing_goes_wrong(visit: Visit, report: str) -> None:
    assert visit.requests == [report]
    assert visit.complaints == []


BEYOND = """[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll, svg, .skip, .hushed, thead")
    && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""


def test_the_page_never_scrolls_sideways(visit: Visit) -> None:
    width = visit.page.evaluate("innerWidth")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    assert visit.page.evaluate(BEYOND) == []


@pytest.mark.parametrize("size", SIZES)
def test_a_long_name_pushes_nothing_out_of_the_window(browser: Browser, tmp_path: Path, size: str) -> None:
    path = write_images(tmp_path, num_test=60, num_val=20) / "comparison.json"
    record = json.loads(path.read_text())
    record["candidates"][1]["title"] = f"CNN ({'a_setting_without_a_space=' * 4}7)"
    path.write_text(json.dumps(record))
    visit = Visit(browser, write_report(tmp_path).as_uri(), size, "light")
    assert visit.page.evaluate(BEYOND) == []
    assert visit.page.locator('.scroll[aria-labelledby="numbers"]').evaluate("e => e.scrollWidth <= e.clientWidth"), (
        "the last column is out of sight"
    )
    visit.page.context.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("num_models", [2, 5, 10])
def test_no_digit_of_a_score_is_cut_off_its_tag(browser: Browser, report: str, size: str, num_models: int) -> None:
    visit = Visit(browser, report, size, "light")
    visit.page.evaluate(
        """count => { const rail = document.querySelector(".rail"), tag = rail.querySelector("li");
        rail.replaceChildren(...Array.from({ length: count }, () => tag.cloneNode(true)));
        rail.querySelectorAll(".tag-score").forEach(e => { e.firstChild.data = "100.00"; }); }""",
        num_models,
    )
    wider = """e => [...e.querySelectorAll(".tag")].filter(tag => [...tag.children].some(
        each => each.offsetLeft < 0 || each.offsetLeft + each.offsetWidth > tag.offsetWidth)).length"""
    assert visit.page.locator(".rail").evaluate(wider) == 0
    assert visit.page.evaluate(BEYOND) == []
    visit.page.context.close()


def test_the_scheme_of_the_system_is_followed(visit: Visit) -> None:
    is_dark = visit.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    channels = [int(number) for number in re.findall(r"\d+", visit.ground())[:3]]
    assert max(channels) < 60 if is_dark else min(channels) > 200


def test_headings_and_figures_are_there_and_seen(visit: Visit) -> None:
    assert visit.page.get_by_role("heading", level=1).is_visible()
    names = visit.page.get_by_role("heading", level=2).all_inner_texts()
    assert names[0] == "Results" and "Failed runs" in names and names[-1] == "Reproduce this comparison"
    figures = visit.page.locator("figure svg[role=img]")
    assert figures.count() == 3 + 1 + 2 + 3
    widths = [figure.evaluate("e => e.getBoundingClientRect().width") for figure in figures.all()]
    assert min(widths) > 300
    assert visit.page.get_by_role("row").count() == 4


def test_figures_take_the_colours_of_the_scheme(visit: Visit) -> None:
    ink = visit.page.evaluate("getComputedStyle(document.body).color")
    label = visit.page.locator("figure svg text", has_text="parameters").first
    assert label.evaluate("e => getComputedStyle(e).fill") == ink


def test_the_button_turns_the_lights_off_and_on(visit: Visit) -> None:
    button = visit.page.locator("#theme")
    before, words = visit.ground(), button.inner_text()
    button.click()
    assert visit.ground() != before
    assert button.inner_text() != words
    button.press("Enter")
    assert visit.ground() == before
    assert visit.page.evaluate("localStorage.length + document.cookie.length") == 0


def test_filters_show_the_images_on_which_a_model_is_right(visit: Visit) -> None:
    total = visit.num_cards()
    assert total == 36
    button = visit.page.get_by_role("button", name="CNN is right")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert 0 < visit.num_cards() < total
    assert visit.num_cards() == int(button.locator(".number").inner_text())
    assert visit.page.get_by_role("status").inner_text() == f"{visit.num_cards()} of {total} images shown"
    shown = visit.page.locator(".card:visible").first
    assert shown.locator("li", has_text="CNN").get_attribute("class") == "right"
    visit.page.get_by_role("button", name="All").click()
    assert visit.num_cards() == total


def test_filters_work_with_the_keyboard_alone(visit: Visit) -> None:
    everything = visit.page.get_by_role("button", name="All")
    everything.focus()
    visit.page.keyboard.press("Tab")
    focused = visit.page.locator(":focus")
    assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    wanted = int(focused.locator(".number").inner_text())
    visit.page.keyboard.press("Space")
    assert visit.num_cards() == wanted < 36
    visit.page.keyboard.press("Shift+Tab")
    visit.page.keyboard.press("Enter")
    assert visit.num_cards() == 36


def test_the_first_tab_offers_to_skip_to_the_content(visit: Visit) -> None:
    visit.page.reload()
    visit.page.keyboard.press("Tab")
    link = visit.page.get_by_role("link", name="Skip to the content")
    assert link.evaluate("e => e === document.activeElement && e.getBoundingClientRect().left >= 0")
    visit.page.keyboard.press("Enter")
    assert visit.page.evaluate("document.activeElement.id") == "content"


def test_without_scripts_the_page_is_whole_and_shows_no_dead_button(browser: Browser, report: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report)
    assert page.locator(".card:visible").count() == 36
    assert page.locator("button:visible").count() == 0
    context.close()


STRICT = "sandbox; default-src 'none'; style-src 'self'"


class _Strict(http.server.SimpleHTTPRequestHandler):
    """Serves a folder as a careful server does: no scripts, no styles inside the page, no data addresses."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", STRICT)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def strict(report: str) -> Iterator[str]:
    """The address of the report on such a server."""
    folder = Path(report.removeprefix("file://")).parent
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Strict, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report.html"
        server.shutdown()


def test_under_a_strict_policy_verdict_table_and_figures_can_be_read(browser: Browser, strict: str) -> None:
    page = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900}).new_page()
    page.goto(strict)
    assert page.locator("body").evaluate("e => getComputedStyle(e).maxWidth") == "none", "the styles are blocked"
    assert page.locator(".verdict").is_visible() and "beat" in page.locator(".verdict").inner_text()
    row = page.get_by_role("row").nth(2)
    assert "Multiply-adds" not in row.inner_text(), "names of columns stand in the head only"
    assert "±" in row.inner_text() and re.search(r"\d\.\d\d to \d", row.inner_text())
    assert page.locator("button:visible").count() == 0
    filled = """e => [...e.querySelectorAll("path, rect, use")].filter(x => x.closest("defs") === null)
        .map(x => getComputedStyle(x)).filter(s => s.fill === "rgb(0, 0, 0)" && s.stroke === "none").length"""
    for figure in page.locator("figure svg[role=img]").all():
        assert figure.evaluate(filled) == 0, "black boxes"
        assert figure.bounding_box()["width"] < 500  # pyright: ignore[reportOptionalSubscript]
        assert figure.locator("text").first.evaluate("e => getComputedStyle(e).fontSize") in ("10px", "12px")
    assert max(mark.bounding_box()["width"] for mark in page.locator(".swatch").all()) < 20  # pyright: ignore[reportOptionalSubscript]
    page.context.close()


def test_on_a_phone_each_row_is_a_card_that_names_its_numbers(browser: Browser, report: str) -> None:
    visit = Visit(browser, report, "phone", "light")
    row = visit.page.get_by_role("row").nth(2)
    assert "Multiply-adds" in row.inner_text()
    assert row.evaluate("e => e.scrollWidth <= innerWidth")
    visit.page.context.close()


def test_printed_it_is_dark_on_light_whatever_the_scheme(browser: Browser, report: str, tmp_path: Path) -> None:
    visit = Visit(browser, report, "desktop", "dark")
    visit.page.emulate_media(media="print", color_scheme="dark")
    assert min(int(number) for number in re.findall(r"\d+", visit.ground())[:3]) > 200
    assert not visit.page.locator("#theme").is_visible()
    visit.page.context.close()
