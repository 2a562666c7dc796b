"""What the lessons show: source code, drawings, pictures, records, and the checks of the exercises."""

from lesson import check, diagrams, explorer, pictures, records
from lesson.show import side_by_side, source

__all__ = ["check", "diagrams", "explorer", "pictures", "records", "side_by_side", "source"]
