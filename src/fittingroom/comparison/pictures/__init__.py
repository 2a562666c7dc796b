"""What the report shows of single items: written into the comparison's folder after the last run."""

from fittingroom.comparison.pictures import alignments, images  # noqa: F401  (each import files its function)
from fittingroom.comparison.pictures.registry import PICTURES, draws_pictures

__all__ = ["PICTURES", "draws_pictures"]
