"""What all tests share: one thread, reproducible examples, real images, a browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# One thread: the same arithmetic on every machine, and no fight over cores. It must be set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A thread that waits must sleep: the other workers need the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The same examples each time, and no deadline: a slow or busy machine is no failure. `make shapes` tries more of them.
for name, most in (("usual", 50), ("many", 200)):
    settings.register_profile(
        name, derandomize=True, deadline=None, max_examples=most, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile(os.environ.get("EXAMPLES", "usual"))

ROOT = Path(__file__).parents[1]
LONG = (
    "test_notebook",
    "test_kill_and_resume",
    "test_compare_command",
    "test_train_command",
    "test_readme",
    "test_side_by_side",
)
"""Files that take longest. They start first, or one worker would end with them alone."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """An empty folder for one run."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def fashion_mnist_folder() -> Path:
    """The folder of the real Fashion-MNIST, found as the program finds it (`make data` has put it there)."""
    from fittingroom.data.images import fashion_mnist

    return fashion_mnist.find()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium for playwright's `executable_path`; without one the test is skipped, but fails in CI."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None and os.environ.get("CI"):
        pytest.fail("CI must have Chromium: apt-get install chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator["Browser"]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    from tests.browsing import ARGUMENTS

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS, timeout=120_000)
        yield found
        found.close()


@pytest.fixture(scope="module")
def torch_as_before() -> Iterator[None]:
    """A run that is trained in this process sets torch up for itself: put that back."""
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # pyright: ignore[reportAttributeAccessIssue]
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.utils.deterministic.fill_uninitialized_memory = fill  # pyright: ignore[reportAttributeAccessIssue]
