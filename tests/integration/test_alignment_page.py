"""The page of alignments in a real browser: clicks, taps and keys, and the letters that they shade against numpy."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Locator

from fittingroom.core.rundir import write_text
from fittingroom.report.alignment_page import render_alignment_page
from fittingroom.report.palette import DARK, LIGHT
from tests import browsing
from tests.alignment_fixture import TITLES, alignments

TRANSFORMER, RECURRENT = 0, 1
COLOUR = """(e, what) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    pen.fillStyle = getComputedStyle(e)[what];
    pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "alignments.html"
    write_text(path, render_alignment_page(TITLES, alignments()))
    return path.as_uri()


class Visit(browsing.Visit):
    """The page with its two panels."""

    def __init__(self, browser: Browser, address: str, **settings: Any) -> None:
        super().__init__(browser, address, **{"reduced_motion": "reduce", **settings})

    def wait(self) -> None:
        self.page.locator("#alignment").wait_for()

    def panel(self, model: int) -> Locator:
        return self.page.locator(".aligned").nth(model)

    def symbol(self, model: int, place: int) -> Locator:
        return self.panel(model).locator(".aligned-phonemes label").nth(place)

    def choose(self, model: int, what: str, words: str) -> None:
        self.panel(model).locator(f"[data-choice={what}]").get_by_text(words, exact=True).click()

    def shown(self, model: int) -> dict[str, Any]:
        return self.page.evaluate("window.fittingroomAlignment.shown()")[model]

    def values(self, model: int) -> NDArray[np.float64]:
        return np.array(self.shown(model)["values"])

    def assert_shown(self, model: int, expected: NDArray[np.floating]) -> None:
        """The values, the percent beneath the letters, and that the colour of the letters is in their order."""
        np.testing.assert_allclose(self.values(model), expected, atol=2e-5)
        letters = self.panel(model).locator(".aligned-letters li")
        percents = [float(re.sub(r"[^0-9.]", "", each)) for each in letters.locator("small").all_inner_texts()]
        np.testing.assert_allclose(percents, 100 * expected, atol=0.51)
        # The more looked at, the further from the colour of the letter least looked at.
        grounds = np.array([_rgb(letter, "backgroundColor") for letter in letters.locator("b").all()])
        distance = np.linalg.norm(grounds - grounds[int(expected.argmin())], axis=1)
        order = np.argsort(expected, kind="stable")
        assert (np.diff(distance[order]) > -0.01).all() and distance.max() > 0.3


@pytest.fixture(scope="module")
def window(browser: Browser, address: str) -> Iterator[Visit]:
    found = Visit(browser, address)
    yield found
    found.page.context.close()


@pytest.fixture
def visit(window: Visit, address: str) -> Iterator[Visit]:
    """The page, opened anew."""
    window.open(address)
    yield window
    assert window.complaints == []
    assert window.requests == [address]


def weights(model: int, word: int = 0) -> NDArray[np.floating]:
    return alignments().looks[model].answers[word].alignment.weights


def test_a_click_on_a_symbol_shades_its_letters_in_that_model_alone(visit: Visit) -> None:
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[-1].mean(axis=0)[0])
    visit.symbol(TRANSFORMER, 2).click()
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[-1].mean(axis=0)[2])
    visit.assert_shown(RECURRENT, weights(RECURRENT)[0, 0, 0])
    visit.symbol(RECURRENT, 3).click()
    visit.assert_shown(RECURRENT, weights(RECURRENT)[0, 0, 3])
    assert "When it stopped, it looked most at" in visit.panel(RECURRENT).locator(".aligned-told").inner_text()


def test_layer_and_head_choose_their_array_and_mean_is_the_mean(visit: Visit) -> None:
    visit.symbol(TRANSFORMER, 1).click()
    visit.choose(TRANSFORMER, "layer", "1")
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[0].mean(axis=0)[1])
    visit.choose(TRANSFORMER, "head", "2")
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[0, 1, 1])
    visit.choose(TRANSFORMER, "layer", "2")
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[1, 1, 1])
    visit.choose(TRANSFORMER, "head", "mean")
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[1].mean(axis=0)[1])
    for what in ("layer", "head"):
        assert not visit.panel(RECURRENT).locator(f"[data-choice={what}]").is_visible()


def test_another_word_brings_its_letters_symbols_and_verdict(visit: Visit) -> None:
    answers = [visit.panel(model).locator(".aligned-answer") for model in (TRANSFORMER, RECURRENT)]
    assert "right" in (answers[0].get_attribute("class") or "") and "wrong" in (answers[1].get_attribute("class") or "")
    assert [answer.locator(".judged").text_content() for answer in answers] == ["is right: ", "is wrong: "], "for ears"
    assert visit.page.locator("#alignment-dictionary").inner_text() == "Right: HH AH L OW | HH EH L OW"
    visit.choose(TRANSFORMER, "layer", "1")
    visit.page.locator(".aligned-words").get_by_text("naïve").click()
    assert visit.panel(0).locator(".aligned-letters b").all_inner_texts() == [*"naïve", "end"]
    assert visit.panel(0).locator(".aligned-phonemes label").all_inner_texts() == ["N", "AA", "IY", "V", "end"]
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER, 1)[0].mean(axis=0)[0])  # the layer stays
    assert answers[0].get_attribute("class") == "aligned-answer " and not answers[0].locator("svg").is_visible()
    assert answers[0].inner_text().split() == ["N", "AA", "IY", "V", "under", "1", "%"]
    assert visit.page.locator("#alignment-dictionary").inner_text() == ""


def test_arrow_keys_go_from_symbol_to_symbol(visit: Visit) -> None:
    visit.symbol(TRANSFORMER, 0).click()
    for key, place in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1)):
        visit.page.keyboard.press(key)
        assert visit.shown(TRANSFORMER)["phoneme"] == place
        visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[-1].mean(axis=0)[place])
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("ArrowLeft")
    assert visit.shown(TRANSFORMER)["layer"] == 1
    outline = visit.panel(0).locator("[data-choice=layer] input:checked + span")
    assert outline.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_a_tap_on_a_phone_works_and_nothing_is_wider_than_the_screen(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    visit.symbol(TRANSFORMER, 3).tap()
    visit.assert_shown(TRANSFORMER, weights(TRANSFORMER)[-1].mean(axis=0)[3])
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    box = visit.symbol(TRANSFORMER, 3).bounding_box()
    assert box and min(box["width"], box["height"]) >= 36 and visit.complaints == []
    visit.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_stand_out_from_their_ground_in_both_schemes(browser: Browser, address: str, scheme: Any) -> None:
    visit = Visit(browser, address, color_scheme=scheme)
    colours = LIGHT if scheme == "light" else DARK
    for place in range(5):
        visit.symbol(TRANSFORMER, place).click()
        for letter in visit.panel(TRANSFORMER).locator(".aligned-letters b").all():
            ground, ink = _rgb(letter, "backgroundColor"), _rgb(letter, "color")
            assert _contrast(ground, ink) >= 4.5
    paper = _rgb(visit.page.locator("body"), "backgroundColor")
    np.testing.assert_allclose(255 * paper, [int(colours["paper"][place : place + 2], 16) for place in (1, 3, 5)])
    visit.page.context.close()


def test_without_scripts_the_page_says_so(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.get_by_text("needs scripts").is_visible() and not page.locator("#alignment").is_visible()
    context.close()


def test_every_control_has_a_name_and_ids_are_single(visit: Visit) -> None:
    assert visit.page.get_by_role("radio", name="Layer 2").count() == 1
    assert visit.page.get_by_role("group", name="Written").count() == 2
    assert visit.page.get_by_role("article", name="RNN with attention").count() == 1
    ids = visit.page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_the_page_is_one_small_file(address: str) -> None:
    assert len(Path(address.removeprefix("file://")).read_bytes()) < 60_000


def _rgb(element: Locator, what: str) -> NDArray[np.float64]:
    """A computed colour as the screen shows it, 0 to 1: mixed ones are named in another space."""
    return np.array(element.evaluate(COLOUR, what)) / 255


def _contrast(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Of WCAG 2."""
    light, dark = sorted((_luminance(each) for each in (first, second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: NDArray[np.float64]) -> float:
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
