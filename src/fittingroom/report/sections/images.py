"""Sections for classification: confusion matrices, the images on which models disagree, and the attention explorer."""

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from fittingroom.report import explorer_pack, gallery, matrices
from fittingroom.report.assets import asset, environment
from fittingroom.report.explorer import read_explorer
from fittingroom.report.load import Comparison
from fittingroom.report.sections.common import SECTIONS, Section

EXPLORER_SCRIPTS = tuple(f"explorer{part}.js" for part in ("_maps", "_paint", "_words", "_tiles", ""))


@SECTIONS.register("classification")
def images_section(comparison: Comparison) -> Section:
    """Confusion matrices always; galleries where the comparison's folder has them."""
    names = class_names(comparison)
    # Files are read before anything is drawn: what is damaged is said at once.
    cards, explorer = _gallery(comparison, names), _explorer(comparison, names)
    html = environment().get_template("images.html.jinja").render(
        matrices=_matrices(comparison, names),
        **cards,
        has_folder=comparison.folder is not None,
        missing=comparison.missing,
        num_scored=len(comparison.tests),
        num_seeds=comparison.num_seeds,
        explorer=explorer,
    )  # fmt: skip
    return Section(
        html=Markup(html),
        style=asset("explorer.css") if explorer else "",
        script="".join(map(asset, EXPLORER_SCRIPTS)) if explorer else "",
    )


def class_names(comparison: Comparison) -> Sequence[str]:
    """Of the data; 'class 0' and so on where it has no names."""
    if comparison.record.data.class_names:
        return comparison.record.data.class_names
    tests = [test for runs in comparison.tests.values() for test in runs.values()]
    return [f"class {number}" for number in range(tests[0].probs.shape[1])] if tests else []


def _matrices(comparison: Comparison, names: Sequence[str]) -> list[dict[str, Any]]:
    """The confusion matrix of each candidate with a score."""
    found = []
    for candidate in comparison.summary.candidates:
        confusion = candidate.details.get("confusion")
        if confusion:
            drawn = matrices.confusion_figure(confusion, candidate.title, names, f"confusion-{len(found)}")
            mistakes = matrices.most_confused(confusion, names)
            found.append({"title": candidate.title, "drawing": Markup(drawn), "mistakes": mistakes})
    return found


def _gallery(comparison: Comparison, names: Sequence[str]) -> dict[str, Any]:
    found = None
    if comparison.folder is not None:
        found = gallery.read_gallery(comparison.folder, comparison.tests, complete=not comparison.missing)
    if found is None:
        return {"cards": [], "filters": []}
    candidates = comparison.summary.candidates
    cards = gallery.cards(found, candidates, names)
    return {"cards": cards, "filters": gallery.filters(cards, candidates)}


def _explorer(comparison: Comparison, names: Sequence[str]) -> dict[str, Any] | None:
    if comparison.folder is None:
        return None
    explorer = read_explorer(comparison.folder, comparison.names, len(names))
    return explorer and explorer_pack.explorer_section(explorer, comparison.summary.candidates, names)
