"""Sections for classification: confusion matrices, the images on which models disagree, and the attention explorer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from fittingroom.report import explorer_pack, gallery, matrices
from fittingroom.report.assets import asset, environment
from fittingroom.report.explorer import read_explorer
from fittingroom.report.load import Comparison
from fittingroom.report.sections.common import SECTIONS, Section

MANY_MISTAKES = 12
"""Mistakes of each model that are listed if there are too many classes for a readable matrix."""
EXPLORER_SCRIPTS = tuple(f"explorer{part}.js" for part in ("_maps", "_paint", "_words", "_tiles", ""))


@SECTIONS.register("classification")
def images_section(comparison: Comparison) -> Section:
    """Confusion matrices (of many classes the frequent mistakes) always; galleries where the comparison's folder has them."""
    names = class_names(comparison)
    # Files are read before anything is drawn: what is damaged is said at once.
    cards, explorer = _gallery(comparison, names), _explorer(comparison, names)
    html = environment().get_template("images.html.jinja").render(
        matrices=_matrices(comparison, names),
        has_drawings=len(names) <= matrices.MOST_NAMED,
        num_classes=len(names),
        classes=_classes(comparison, names),
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
    """The confusion matrix of each candidate with a score; of many classes only the mistakes, more of them."""
    found = []
    for title, confusion in _confusions(comparison):
        if len(names) <= matrices.MOST_NAMED:
            drawn = matrices.confusion_figure(confusion, title, names, f"confusion-{len(found)}")
            mistakes = matrices.most_confused(confusion, names)
        else:
            drawn, mistakes = "", matrices.most_confused(confusion, names, MANY_MISTAKES)
        found.append({"title": title, "drawing": Markup(drawn), "mistakes": mistakes})
    return found


def _classes(comparison: Comparison, names: Sequence[str]) -> list[dict[str, Any]]:
    """Test images and accuracies of each class, the lowest mean accuracy first. Classes without test images are left out."""
    confusions = [np.asarray(confusion) for _, confusion in _confusions(comparison)]
    if not confusions:
        return []
    totals = confusions[0].sum(axis=1)
    num_seeds = next(each.num_runs for each in comparison.summary.candidates if each.details.get("confusion"))
    shares = np.stack([matrices.row_shares(each).diagonal() for each in confusions])
    order = [place for place in np.argsort(shares.mean(axis=0), kind="stable").tolist() if totals[place]]
    return [
        {
            "name": names[place],
            "num_images": f"{totals[place] // num_seeds:,}",
            "shares": [f"{100 * share:.1f}" for share in shares[:, place].tolist()],
        }
        for place in order
    ]


def _confusions(comparison: Comparison) -> list[tuple[str, Any]]:
    """Title and counts of each candidate with a score."""
    found = [(candidate.title, candidate.details.get("confusion")) for candidate in comparison.summary.candidates]
    return [(title, confusion) for title, confusion in found if confusion]


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
