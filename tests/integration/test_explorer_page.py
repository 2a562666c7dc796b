"""The explorer in a real browser: real clicks, taps and keys, and the arrays that they bring up against numpy."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

from fittingroom.report.page import write_report
from tests.comparison_fixture import CLASS_NAMES, write_images
from tests.explorer_fixture import CNN, GRID, HYBRID, VIT, Arrays, explorer_arrays, write_explorer
from tests.explorer_visit import Visit, assert_drawn, patches, rollout, viridis, weights


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    return explorer_arrays()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, arrays: Arrays) -> str:
    folder = write_images(tmp_path_factory.mktemp("comparison"), num_seeds=1)
    write_explorer(folder, arrays)
    return write_report(folder).as_uri()


@pytest.fixture(scope="module")
def window(browser: Browser, report: str) -> Iterator[Visit]:
    found = Visit(browser, report)
    yield found
    found.page.context.close()


@pytest.fixture
def visit(window: Visit, report: str) -> Iterator[Visit]:
    """The page, opened anew."""
    window.open(report)
    yield window
    assert window.complaints == []
    assert window.requests == [report]


def test_clicks_on_head_layer_and_patch_bring_up_their_array(visit: Visit, arrays: Arrays) -> None:
    found = weights(arrays, VIT, 0)
    before = visit.values()
    visit.choose("layers", "2")
    visit.choose("heads", "1")
    visit.point(2, 4)
    assert_drawn(visit, patches(found[1, 0, 1 + 2 * GRID + 4]))
    assert not np.allclose(visit.values(), before)
    visit.choose("heads", "2")
    assert_drawn(visit, patches(found[1, 1, 1 + 2 * GRID + 4]))
    visit.point(6, 0)
    assert_drawn(visit, patches(found[1, 1, 1 + 6 * GRID]))
    visit.choose("layers", "3")
    assert_drawn(visit, patches(found[2, 1, 1 + 6 * GRID]))
    visit.choose("heads", "mean")
    assert_drawn(visit, patches(found[2].mean(axis=0)[1 + 6 * GRID]))


def test_every_corner_patch_is_hit_and_the_map_can_be_clicked_too(visit: Visit) -> None:
    for canvas in ("image", "map"):
        for row, column in ((0, 0), (0, 6), (6, 0), (6, 6), (3, 2)):
            visit.point(row, column, canvas)
            assert visit.shown()["query"] == [row, column]


def test_images_and_models_change_what_is_shown(visit: Visit, arrays: Arrays) -> None:
    visit.choose("heads", "1")
    visit.point(1, 1)
    visit.choose_image(4)
    assert visit.shown()["index"] == arrays["index"][4]
    assert_drawn(visit, patches(weights(arrays, VIT, 4)[2, 0, 1 + GRID + 1]))
    visit.choose_model(HYBRID)
    assert visit.shown()["layer"] == 1  # it has two layers
    assert_drawn(visit, patches(weights(arrays, HYBRID, 4)[1, 0, GRID + 1]))


def test_the_answer_can_be_asked_where_it_looks(visit: Visit, arrays: Arrays) -> None:
    visit.page.get_by_role("button", name="Class token").click()
    assert_drawn(visit, patches(weights(arrays, VIT, 0)[2].mean(axis=0)[0]))
    assert "The class token looks most at" in visit.at("told").inner_text()
    visit.choose_model(HYBRID)
    button = visit.page.get_by_role("button", name="All patches, as pooled")
    assert button.get_attribute("aria-pressed") == "true"
    assert_drawn(visit, patches(arrays["m2_pool"][0] @ weights(arrays, HYBRID, 0)[1].mean(axis=0)))
    visit.choose("view", "Rollout through depth")
    assert_drawn(visit, patches(arrays["m2_pool"][0] @ rollout(arrays, HYBRID, 0, 2)))
    button.click()
    assert visit.shown()["query"] == [3, 3]


def test_the_words_name_the_highest_patch_and_the_class_tokens_share(visit: Visit, arrays: Arrays) -> None:
    visit.point(0, 3)
    row = weights(arrays, VIT, 0)[2].mean(axis=0)[1 + 3]
    best_row, best_column = divmod(int(row[1:].argmax()), GRID)
    words = visit.at("told").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    assert words == (
        f"The patch in row 1, column 4 looks most at row {best_row + 1}, column {best_column + 1}: "
        f"{100 * row[1:].max():.1f} %. {100 * row[0]:.1f} % goes to the class token, not on the map."
    )
    assert visit.at("high").inner_text().replace("\N{NO-BREAK SPACE}", " ") == f"{100 * row[1:].max():.1f} %"


@pytest.mark.parametrize("place", [VIT, HYBRID])
def test_rollout_equals_numpy_at_every_depth(visit: Visit, arrays: Arrays, place: int) -> None:
    visit.choose_model(place)
    visit.choose_image(2)
    visit.point(2, 3)
    visit.choose("view", "Rollout through depth")
    token = 2 * GRID + 3 + (place == VIT)
    num_layers = arrays[f"m{place}_attention"].shape[1]
    assert visit.shown()["depth"] == num_layers
    for depth in range(num_layers + 1):
        visit.at("slider").fill(str(depth))
        assert_drawn(visit, patches(rollout(arrays, place, 2, depth)[token]))
    assert np.isclose(visit.values().sum() + visit.shown()["elsewhere"], 1)


def test_play_runs_to_the_last_layer_and_pause_holds(visit: Visit) -> None:
    visit.choose("view", "Rollout through depth")
    button = visit.at("play")
    button.click()
    assert (visit.shown()["depth"], button.inner_text()) == (0, "Pause")
    visit.until("depth", 1)
    button.click()
    assert button.inner_text() == "Play"
    visit.page.wait_for_timeout(1300)
    assert visit.shown()["depth"] == 1
    button.click()
    visit.until("depth", 3)
    assert button.inner_text() == "Play"


def test_with_motion_the_map_blends_and_ends_at_the_right_colours(
    browser: Browser, report: str, arrays: Arrays
) -> None:
    visit = Visit(browser, report, reduced_motion="no-preference")
    visit.choose("view", "Rollout through depth")
    visit.at("slider").fill("0")
    visit.page.wait_for_timeout(800)
    assert_drawn(visit, patches(rollout(arrays, VIT, 0, 0)[1 + 3 * GRID + 3]))
    visit.page.context.close()


def test_the_keyboard_alone_moves_everything(visit: Visit) -> None:
    image = visit.at("image")
    visit.at("beneath").focus()
    visit.page.keyboard.press("Tab")
    assert image.evaluate("e => e === document.activeElement && getComputedStyle(e).outlineStyle") == "solid"
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft", "ArrowDown", "ArrowDown", "ArrowRight"):
        visit.page.keyboard.press(key)
    assert visit.shown()["query"] == [4, 2]
    for _ in range(9):
        visit.page.keyboard.press("ArrowUp")
    assert visit.shown()["query"] == [0, 2]
    heads = []
    for key in ("]", "]", "]", "["):
        visit.page.keyboard.press(key)
        heads.append(visit.shown()["head"])
    assert heads == [0, 1, "mean", 1]
    visit.page.keyboard.press(",")
    assert visit.shown()["layer"] == 1
    visit.page.keyboard.press(".")
    assert visit.shown()["layer"] == 2
    visit.page.keyboard.press("a")
    assert visit.shown()["query"] == "answer"
    visit.page.keyboard.press("Tab")  # the view, then its second choice
    visit.page.keyboard.press("ArrowRight")
    assert visit.shown()["view"] == "rollout"
    visit.page.keyboard.press("Shift+Tab")
    visit.page.keyboard.press("Space")
    assert visit.at("play").inner_text() == "Pause"
    visit.page.keyboard.press("Space")
    assert visit.at("play").inner_text() == "Play"


def test_images_and_models_are_chosen_by_arrow_keys(visit: Visit) -> None:
    visit.page.locator("input[name=explorer-image]:checked").focus()
    visit.page.keyboard.press("ArrowRight")
    visit.until("image", 1)
    ring = visit.page.locator("input[name=explorer-image]:checked + img")
    assert ring.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    visit.page.keyboard.press("Tab")
    visit.page.keyboard.press("ArrowRight")
    assert visit.shown()["place"] == CNN


def test_a_tap_on_a_phone_moves_the_query(browser: Browser, report: str, arrays: Arrays) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    visit = Visit(browser, report, **phone)
    visit.at("heads").get_by_text("2", exact=True).tap()
    for row, column in ((5, 1), (0, 6), (3, 3)):
        visit.point(row, column, tap=True)
        assert_drawn(visit, patches(weights(arrays, VIT, 0)[2, 1, 1 + row * GRID + column]))
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    box = visit.at("image").bounding_box()
    assert box
    assert box["width"] / GRID >= 24  # as large as a target must be (WCAG 2.2, 2.5.8)
    assert visit.complaints == []
    visit.page.context.close()


def test_all_models_stand_side_by_side_on_one_scale_with_their_opinions(visit: Visit, arrays: Arrays) -> None:
    for image in (0, 5):
        visit.choose_image(image)
        looks = visit.page.locator("label.look")
        assert looks.count() == 3
        for place in (VIT, CNN, HYBRID):
            saliency = arrays[f"m{place}_saliency"][image].astype(np.float64)
            for row, column in ((3, 8), (20, 14)):
                drawn = visit.colour(looks.nth(place).locator("canvas"), row, column, 28, 28)
                assert np.abs(np.subtract(drawn, viridis(float(saliency[row, column])))).max() <= 4
            probs = arrays[f"m{place}_probs"][image]
            words = looks.nth(place).inner_text()
            assert CLASS_NAMES[int(probs.argmax())] in words and f"{100 * probs.max():.0f} %" in words
            right = probs.argmax() == arrays["labels"][image]
            assert (
                looks.nth(place).locator(".opinion").get_attribute("class")
                == f"opinion {'right' if right else 'wrong'}"
            )
            said = looks.nth(place).locator(".judged").text_content()
            assert said == ("is right: " if right else "is wrong: "), "for ears"
        assert visit.at("truth").inner_text() == CLASS_NAMES[arrays["labels"][image]]


def test_a_cnn_shows_its_own_map_and_has_no_patch_to_click(visit: Visit, arrays: Arrays) -> None:
    visit.choose_model(CNN)
    np.testing.assert_allclose(visit.values(), arrays["m1_saliency"][0].astype(np.float64), atol=0.5 / 255 + 1e-6)
    visit.at("image").click()
    assert visit.shown()["query"] is None
    assert not visit.at("inside").is_visible() and not visit.at("positions").is_visible()
    assert "Grad-CAM" in visit.at("title").inner_text()


def test_a_map_can_be_laid_over_the_image(visit: Visit, arrays: Arrays) -> None:
    visit.at("beneath").check()
    drawn = visit.colour(visit.at("map"), 0, 0)
    row = patches(weights(arrays, VIT, 0)[2].mean(axis=0)[1 + 3 * GRID + 3])
    ground = arrays["images"][0][2, 2]
    assert np.abs(np.subtract(drawn, np.add(viridis(row[0, 0] / row.max()), ground) / 2)).max() <= 4


def test_a_tile_of_position_similarity_is_clicked_and_explained(visit: Visit, arrays: Arrays) -> None:
    visit.point(1, 5, "tiles")
    found = visit.page.evaluate("window.fittingroomExplorer.tile()")
    tile = 2 * arrays["m0_similarity"][1, 5].astype(np.float64) / 255 - 1
    np.testing.assert_allclose(np.array(found["values"]).reshape(GRID, GRID), tile, atol=1e-6)
    least = 2 * float(arrays["m0_similarity"].min()) / 255 - 1
    drawn = visit.colour(visit.at("tile"), 4, 2)
    assert np.abs(np.subtract(drawn, viridis((tile[4, 2] - least) / (1 - least)))).max() <= 4
    assert "These vectors are learned" in visit.at("sentence").inner_text()
    visit.at("tiles").press("ArrowDown")
    assert visit.page.evaluate("window.fittingroomExplorer.tile().tile") == [2, 5]
    visit.choose_model(HYBRID)
    assert "by design, not learned" in visit.at("sentence").inner_text()


@pytest.fixture(scope="module")
def narrow(browser: Browser, report: str) -> Iterator[Visit]:
    """A window of its own, whose size changes."""
    found = Visit(browser, report)
    yield found
    found.page.context.close()


@pytest.mark.parametrize("width", [390, 768, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_reaches_beyond_the_window(narrow: Visit, report: str, width: int, scheme: Any) -> None:
    visit = narrow
    visit.page.set_viewport_size({"width": width, "height": 900})
    visit.page.emulate_media(color_scheme=scheme)
    visit.open(report)
    beyond = """[...document.querySelectorAll("section:has(#explorer) *")].filter(e => !e.closest(".strip, .hushed")
        && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"""
    assert visit.page.evaluate(beyond) == []
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    ink = visit.page.evaluate("getComputedStyle(document.body).color")
    assert visit.at("told").evaluate("e => getComputedStyle(e).color") == ink


def test_everything_that_is_operated_has_a_name(visit: Visit) -> None:
    visit.choose("view", "Rollout through depth")
    nameless = """[...document.querySelectorAll("#explorer :is(input, button, canvas:not([aria-hidden]))")]
        .filter(e => !(e.ariaLabel || e.textContent.trim() || e.closest("label")?.textContent.trim()
        || e.closest("label")?.querySelector("img[alt]"))).map(e => e.outerHTML)"""
    assert visit.page.evaluate(nameless) == []
    assert visit.page.get_by_role("radio", name="All wrong: ").count() == 2


def test_without_scripts_the_explorer_says_so(browser: Browser, report: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report)
    assert page.get_by_text("This part needs scripts").is_visible()
    assert not page.locator("#explorer").is_visible()
    context.close()
