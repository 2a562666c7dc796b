"""The explorer open in a browser window, and with numpy alone what it ought to show."""

import time
from typing import Any

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from playwright.sync_api import Browser, Locator

from tests import browsing
from tests.explorer_fixture import CNN, GRID, HYBRID, VIT, Arrays

TITLES = {VIT: "ViT", CNN: "CNN", HYBRID: "Hybrid"}
# By way of a canvas of its own: the browser complains of reading often from one that is drawn on.
PIXEL = """(e, [x, y]) => {
    const pen = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    pen.drawImage(e, -Math.floor(x * e.width), -Math.floor(y * e.height));
    return [...pen.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}"""


class Visit(browsing.Visit):
    """The report with its explorer."""

    def __init__(self, browser: Browser, address: str, **settings: Any) -> None:
        super().__init__(browser, address, **{"reduced_motion": "reduce", **settings})

    def wait(self) -> None:
        self.at("stage").wait_for()

    def until(self, key: str, value: Any) -> None:
        """Wait until what is shown says so. (The page's policy forbids the `eval` by which playwright would wait.)"""
        patience = time.monotonic() + 20
        while self.shown()[key] != value:
            assert time.monotonic() < patience, f"{key} is {self.shown()[key]}, not {value}"
            self.page.wait_for_timeout(20)

    def at(self, name: str) -> Locator:
        return self.page.locator(f"#explorer-{name}")

    def shown(self) -> dict[str, Any]:
        return self.page.evaluate("window.fittingroomExplorer.shown()")

    def values(self) -> NDArray[np.float64]:
        found = self.shown()
        return np.array(found["values"]).reshape(found["rows"], found["columns"])

    def point(self, row: int, column: int, canvas: str = "image", tap: bool = False) -> None:
        """Click or tap in the middle of a patch."""
        found = self.at(canvas)
        box = found.bounding_box()
        assert box
        x, y = box["width"] * (column + 0.5) / GRID, box["height"] * (row + 0.5) / GRID
        (found.tap if tap else found.click)(position={"x": x, "y": y})

    def choose(self, group: str, name: str) -> None:
        """Click a choice by what it says, such as head '2'."""
        self.at(group).get_by_text(name, exact=True).click()

    def choose_model(self, place: int) -> None:
        self.page.locator("label.look", has_text=TITLES[place]).click()
        self.until("place", place)

    def choose_image(self, number: int) -> None:
        self.page.locator(".strip label").nth(number).click()
        self.until("image", number)

    def colour(self, canvas: Locator, row: float, column: float, rows: int = GRID, columns: int = GRID) -> list[int]:
        """What a canvas shows in the middle of a cell, red, green and blue."""
        return canvas.evaluate(PIXEL, [(column + 0.5) / columns, (row + 0.5) / rows])


def weights(arrays: Arrays, place: int, image: int) -> NDArray[np.float64]:
    """Attention [layers, heads, tokens, tokens] as the file's schema defines it."""
    scale = arrays[f"m{place}_scale"][image].astype(np.float64)
    return arrays[f"m{place}_attention"][image] / 255 * scale[..., None]


def rollout(arrays: Arrays, place: int, image: int, depth: int) -> NDArray[np.float64]:
    """Abnar and Zuidema 2020, written once more: [tokens, tokens]."""
    means = weights(arrays, place, image).mean(axis=1)[:depth]
    found = identity = np.eye(means.shape[-1])
    for mean in means:
        mixed = (mean + identity) / 2
        found = mixed / mixed.sum(axis=-1, keepdims=True) @ found
    return found


def patches(row: NDArray[np.float64]) -> NDArray[np.float64]:
    return row[-GRID * GRID :].reshape(GRID, GRID)


def viridis(level: float) -> list[int]:
    red, green, blue, _ = colormaps["viridis"](round(255 * level), bytes=True)
    return [int(red), int(green), int(blue)]


def assert_drawn(visit: Visit, expected: NDArray[np.float64]) -> None:
    """`expected` is the array shown, and the canvas has its colours, in the first cell, the highest and two between."""
    np.testing.assert_allclose(visit.values(), expected, rtol=1e-6, atol=1e-9)
    cells = {(0, 0), divmod(int(expected.argmax()), GRID), (2, 5), (5, 1)}
    for row, column in cells:
        drawn, wanted = visit.colour(visit.at("map"), row, column), viridis(expected[row, column] / expected.max())
        assert np.abs(np.subtract(drawn, wanted)).max() <= 4, (row, column)  # one step of the table, for rounding
