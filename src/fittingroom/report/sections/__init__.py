"""What only one task's page shows: a function for each task, registered by the task's name."""

from fittingroom.report.sections import images, seq2seq
from fittingroom.report.sections.common import SECTIONS, Section, section_of

__all__ = ["SECTIONS", "Section", "images", "section_of", "seq2seq"]
