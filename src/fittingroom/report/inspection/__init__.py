"""Pictures of what networks look at: arrays in, matplotlib figures out. A notebook displays them.

`panel` `heads` `rollout_steps` `head_statistics` `position_tiles` `filters` `faithfulness` `randomisation`; `save` writes one,
`write_inspection` writes everything that `fittingroom explain` makes.
"""

from fittingroom.report.inspection.attention import head_statistics, heads, rollout_steps
from fittingroom.report.inspection.faithfulness import faithfulness, randomisation
from fittingroom.report.inspection.panel import Column, panel
from fittingroom.report.inspection.places import filters, position_tiles
from fittingroom.report.inspection.style import save
from fittingroom.report.inspection.write import check_place, own_folder, pictures, record, write_inspection

__all__ = [
    "Column",
    "check_place",
    "faithfulness",
    "filters",
    "head_statistics",
    "heads",
    "own_folder",
    "panel",
    "pictures",
    "position_tiles",
    "randomisation",
    "record",
    "rollout_steps",
    "save",
    "write_inspection",
]
