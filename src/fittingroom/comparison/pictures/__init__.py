"""Data for the report's pictures of single items. It is written to the comparison's folder after the last run."""

from fittingroom.comparison.pictures import alignments, images  # noqa: F401  (each import registers its function)
from fittingroom.comparison.pictures.registry import PICTURES, draws_pictures

__all__ = ["PICTURES", "draws_pictures"]
