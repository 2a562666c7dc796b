"""What a section of the page is, and the registry of sections. A task without a section gets the common parts only."""

from collections.abc import Callable
from dataclasses import dataclass

from markupsafe import Markup

from fittingroom.core.registry import Registry
from fittingroom.report.load import Comparison


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page: HTML that follows the learning curves, with the style sheet and the script that it needs.

    The page runs one script only, known by its hash: `script` is added to it.
    """

    html: Markup = Markup("")  # noqa: RUF009
    style: str = ""
    script: str = ""


MakeSection = Callable[[Comparison], Section]
SECTIONS: Registry[MakeSection] = Registry("report section")
"""Name of a task -> the function that makes its section. It raises FittingRoomError where a file is damaged."""


def section_of(comparison: Comparison) -> Section:
    """The section of the comparison's task; empty where the task has none."""
    name = comparison.record.task
    return SECTIONS.get(name)(comparison) if name in SECTIONS.names() else Section()
