"""What the lessons show: source code, drawings, pictures, records, and the checks of the exercises."""

import warnings

warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm, where ipywidgets is not installed

from lesson import check, diagrams, explorer, pictures, records  # noqa: E402
from lesson.show import side_by_side, source  # noqa: E402

__all__ = ["check", "diagrams", "explorer", "pictures", "records", "side_by_side", "source"]
