"""Made-up comparisons on disk, written once: the tests only read them."""

from pathlib import Path
from typing import Any

import pytest

from fittingroom.comparison.summary import summarise
from tests.comparison_fixture import write_comparison


@pytest.fixture(scope="session")
def comparison_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, two seeds, all finished."""
    return write_comparison(tmp_path_factory.mktemp("comparison"))


@pytest.fixture(scope="session")
def summary(comparison_folder: Path) -> dict[str, Any]:
    """Its summary."""
    return summarise(comparison_folder)


@pytest.fixture(scope="session")
def one_seed_summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The summary of a comparison with a single seed, of which one model's run failed."""
    folder = tmp_path_factory.mktemp("one-seed")
    return summarise(write_comparison(folder, num_seeds=1, failed=["vit-seed0"]))
