"""Made-up comparisons on disk, written once: the tests only read them."""

from pathlib import Path

import pytest

from fittingroom.comparison.summary import summarise
from fittingroom.core.records import Summary
from tests.comparison_fixture import write_images


@pytest.fixture(scope="session")
def comparison_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, two seeds, all finished."""
    return write_images(tmp_path_factory.mktemp("comparison"))


@pytest.fixture(scope="session")
def summary(comparison_folder: Path) -> Summary:
    """Its summary."""
    return summarise(comparison_folder)


@pytest.fixture(scope="session")
def one_seed_summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    """The summary of a comparison with a single seed, of which one model's run failed."""
    folder = tmp_path_factory.mktemp("one-seed")
    return summarise(write_images(folder, num_seeds=1, failed=["vit-seed0"]))
