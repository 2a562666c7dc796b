"""The registry of picture functions, one per task. The report of a task without one has no such pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fittingroom.core.records import ComparisonRecord
from fittingroom.core.registry import Registry

WritePictures = Callable[[Path, ComparisonRecord, Mapping[tuple[str, int], Any], Callable[[], None]], None]
"""Arguments: the folder of the comparison, its record, a task for each candidate and seed, and what to call first."""
PICTURES: Registry[WritePictures] = Registry("pictures")


def draws_pictures(task: str) -> Callable[[WritePictures], WritePictures]:
    """Decorator: register the function under the name of its task."""
    return PICTURES.register(task)
