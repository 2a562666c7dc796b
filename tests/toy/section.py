"""The report section of the toy task."""

from markupsafe import Markup

from fittingroom.report.load import Comparison
from fittingroom.report.sections import SECTIONS, Section


@SECTIONS.register("brightness")
def brightness_section(comparison: Comparison) -> Section:
    """One sentence."""
    return Section(html=Markup(f"<p id='toy'>{len(comparison.summary.candidates)} networks read brightness.</p>"))
