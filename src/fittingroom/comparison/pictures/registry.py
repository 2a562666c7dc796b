"""Which function draws the pictures of which task. A task without one gets a report without pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fittingroom.core.records import ComparisonRecord
from fittingroom.core.registry import Registry

WritePictures = Callable[[Path, ComparisonRecord, Mapping[int, Any], Callable[[], None]], None]
"""(folder of the comparison, its record, a task for each seed, called when there is something to do)."""
PICTURES: Registry[WritePictures] = Registry("pictures")


def draws_pictures(task: str) -> Callable[[WritePictures], WritePictures]:
    """Decorator: file the function under the name of its task."""
    return PICTURES.register(task)
