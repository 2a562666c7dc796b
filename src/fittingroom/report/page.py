"""`report.html`: a comparison as one page that needs nothing else: no network, no fonts, no framework, no torch.

Names come from files and are escaped by Jinja; only drawings made here go in as they are. A content security policy
forbids every request, and every script but the page's own, which it knows by its hash.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fittingroom.comparison.metrics import kind_of, measures_of
from fittingroom.comparison.record import budget_text
from fittingroom.core.rundir import write_json, write_text
from fittingroom.report import curves, explorer_pack, figures, gallery, matrices, numbers, tables
from fittingroom.report.alignment import alignment_section
from fittingroom.report.assets import asset, environment, script_hash
from fittingroom.report.load import Comparison, load
from fittingroom.report.palette import DARK, LIGHT, MARKER_PATHS, NUM_SERIES, css_variables
from fittingroom.report.seq2seq_section import word_sections
from fittingroom.report.texts import TEXTS

EXPLORER_SCRIPTS = tuple(f"explorer{part}.js" for part in ("_maps", "_paint", "_words", "_tiles", ""))


def write_report(folder: Path) -> Path:
    """Write `report.html` and `summary.json` into the comparison's folder; return the page's path.

    Works on an unfinished comparison too and says what is missing. The same files give the same bytes. Raises
    FittingRoomError, before anything is written, where a file is missing or damaged.
    """
    comparison = load(folder)
    page = render_page(comparison)
    write_json(folder / "summary.json", comparison.summary)
    write_text(folder / "report.html", page)
    return folder / "report.html"


def render_page(comparison: Comparison) -> str:
    """The page as text."""
    style, script = asset("style.css"), asset("script.js")
    if comparison.explorer:
        style += asset("explorer.css")
        script += "".join(map(asset, EXPLORER_SCRIPTS))
    if comparison.answers is not None:
        style += asset("words.css")
        script += asset("words.js")
    if comparison.alignments is not None:
        style += asset("alignment.css")
        script += asset("alignment.js")
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            **_texts(comparison),
            **_drawings(comparison),
            **(_pictures(comparison) | word_sections(comparison, environment())),
            explorer=_explorer(comparison),
            alignment=_alignment(comparison),
            light=css_variables(LIGHT),
            dark=css_variables(DARK),
            style=Markup(style),
            script=Markup(script),
            script_hash=script_hash(script),
        )
    )


def _texts(comparison: Comparison) -> dict[str, Any]:
    facts, summary = comparison.facts, comparison.summary
    num_seeds = len(facts["seeds"])
    return {
        "facts": facts,
        "summary": summary,
        "words": TEXTS[kind_of(facts)],
        "heading": re.sub("^the ", "The ", facts["title"]),
        "titles": [model["title"] for model in facts["models"]],
        "budget": budget_text(facts),
        "seeds": "1 seed" if num_seeds == 1 else f"{num_seeds} seeds",
        "headings": tables.headings(summary),
        "under": tables.under(summary),
        "rows": tables.summary_rows(summary),
        "tags": _tags(summary),
        "missing": comparison.missing,
        "num_planned": len(facts["models"]) * num_seeds,
        "failed": comparison.failed,
        "notes": _notes(comparison),
        "created": _moment(facts["created"]),
    }


def _moment(text: str) -> str:
    """'2026-01-01 12:00 UTC' for an ISO time; any other text as it is."""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M %Z}".strip()
    except ValueError:
        return text


def _notes(comparison: Comparison) -> list[str]:
    """The summary's notes without those on failed runs, which have a section of their own."""
    openings = tuple(f"{row['run']} failed" for row in comparison.failed)
    return [note for note in comparison.summary["notes"] if not note.startswith(openings)]


def _tags(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """A price tag for each model with a score: its place, title, score and interval in percent."""
    measure = measures_of(summary)[0]
    scores = [measure.scores(model) for model in summary["models"]]
    return [
        {
            "place": place,
            "title": model["title"],
            "score": f"{100 * found['mean']:.1f}",
            "interval": numbers.interval(found),
        }
        for place, (model, found) in enumerate(zip(summary["models"], scores, strict=True))
        if found["mean"] is not None
    ]


def _drawings(comparison: Comparison) -> dict[str, Any]:
    summary, models = comparison.summary, comparison.summary["models"]
    measure = measures_of(summary)[0]
    is_scored = any(measure.scores(model)["mean"] is not None for model in models)
    learning = curves.learning_figures(models, comparison.curves, measure) if is_scored else []
    return {
        "marker_paths": MARKER_PATHS,
        "num_series": NUM_SERIES,
        "costs": [Markup(drawn) for drawn in figures.cost_figures(summary)] if is_scored else [],
        "equal_times": not {"images_per_second", "pairs_per_second"}.isdisjoint(figures.cost_keys(summary)),
        "differences": [Markup(drawn) for drawn in figures.pair_figures(summary)] if summary["pairs"] else [],
        "learning": [Markup(drawn) for drawn in learning],
        "learners": [place for place, model in enumerate(models) if model["name"] in comparison.curves],
        "rates": curves.rate_note(models, comparison.curves),
        "matrices": _matrices(comparison),
    }


def _matrices(comparison: Comparison) -> list[dict[str, Any]]:
    """The confusion matrix of each model with a score; of words there is none."""
    if comparison.answers is not None:
        return []
    class_names = comparison.facts["data"]["class_names"]
    return [
        {
            "title": model["title"],
            "drawing": Markup(matrices.confusion_figure(model, class_names, f"confusion-{number}")),
            "mistakes": matrices.most_confused(model, class_names),
        }
        for number, model in enumerate(model for model in comparison.summary["models"] if model["confusion"])
    ]


def _pictures(comparison: Comparison) -> dict[str, Any]:
    if comparison.gallery is None:
        return {"cards": [], "filters": []}
    models = comparison.summary["models"]
    found = gallery.cards(comparison.gallery, models, comparison.facts["data"]["class_names"])
    return {"cards": found, "filters": gallery.filters(found, models)}


def _alignment(comparison: Comparison) -> dict[str, Any] | None:
    if comparison.alignments is None:
        return None
    return alignment_section(comparison.alignments, comparison.facts["models"])


def _explorer(comparison: Comparison) -> dict[str, Any] | None:
    if comparison.explorer is None:
        return None
    class_names = comparison.facts["data"]["class_names"]
    return explorer_pack.explorer_section(comparison.explorer, comparison.summary["models"], class_names)
