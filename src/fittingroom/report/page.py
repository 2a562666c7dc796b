"""`report.html`: a comparison as one page that needs nothing else: no network, no fonts, no framework, no torch.

Names come from files and are escaped by Jinja; only drawings made here go in as they are. A content security policy
forbids every request, and every script but the page's own, which it knows by its hash.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fittingroom.comparison.conditions import seeds_text
from fittingroom.comparison.notes import ONE_ANSWER
from fittingroom.comparison.protocol import budget_text
from fittingroom.core.decision import RULE
from fittingroom.core.records import Summary, write_summary
from fittingroom.core.rundir import write_text
from fittingroom.report import curves, figures, numbers, tables
from fittingroom.report.assets import asset, environment, script_hash
from fittingroom.report.load import Comparison, load
from fittingroom.report.palette import DARK, LIGHT, css_variables
from fittingroom.report.sections import section_of
from fittingroom.report.texts import texts
from fittingroom.tasks.scoring import SCORINGS


def write_report(folder: Path) -> Path:
    """Write `report.html` and `summary.json` into the comparison's folder; return the page's path.

    Works on an unfinished comparison too and says what is missing. The same files give the same bytes. Raises
    FittingRoomError, before anything is written, where a file is missing or damaged.
    """
    comparison = load(folder)
    page = render_page(comparison)
    write_summary(folder, comparison.summary)
    write_text(folder / "report.html", page)
    return folder / "report.html"


def render_page(comparison: Comparison) -> str:
    """The page as text."""
    section = section_of(comparison)
    script = asset("script.js") + section.script
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            **_values(comparison),
            **_drawings(comparison),
            section=section.html,
            light=css_variables(LIGHT),
            dark=css_variables(DARK),
            style=Markup(asset("style.css") + section.style),
            script=Markup(script),
            script_hash=script_hash(script),
        )
    )


def _values(comparison: Comparison) -> dict[str, Any]:
    record, summary, notes = comparison.record, comparison.summary, _notes(comparison)
    seeds = seeds_text([each for each in summary.candidates if each.num_runs] or summary.candidates)
    return {
        "record": record,
        "summary": summary,
        "words": texts(comparison.scoring),
        "titles": [candidate.title for candidate in record.candidates],
        "setting": ", ".join(text for text in (budget_text(record), seeds) if text),
        "headings": tables.headings(summary),
        "under": tables.under(summary),
        "rows": tables.summary_rows(summary),
        "tags": _tags(summary),
        "missing": comparison.missing,
        "num_planned": len(record.candidates) * len(record.seeds),
        "num_seeds": comparison.num_seeds,
        "failed": comparison.failed,
        "notes": [note for note in notes if not note.startswith(ONE_ANSWER)],
        "yardstick": [note for note in notes if note.startswith(ONE_ANSWER)],
        "rule": RULE,
        "created": _moment(record.created),
        "has_costs": any(candidate.train_seconds is not None for candidate in summary.candidates),
        "sources": any(candidate.source for candidate in record.candidates),
    }


def _moment(text: str) -> str:
    """'2026-01-01 12:00 UTC' for an ISO time; any other text as it is."""
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M %Z}".strip()
    except ValueError:
        return text


def _notes(comparison: Comparison) -> list[str]:
    """The summary's notes without those on failed runs and the rule, which the page shows elsewhere."""
    openings = tuple(f"{row.run} failed" for row in comparison.failed)
    return [note for note in comparison.summary.notes if note != RULE and not note.startswith(openings)]


def _tags(summary: Summary) -> list[dict[str, Any]]:
    """A price tag for each candidate with a score: its place, title, score and interval."""
    metric = SCORINGS.get(summary.task).metrics[0]
    found = []
    for place, candidate in enumerate(summary.candidates):
        test = metric.score(candidate)
        if test.mean is not None:
            score = metric.number(test.mean)
            found.append(
                {
                    "place": place,
                    "title": candidate.title,
                    "score": score,
                    "interval": numbers.interval(test, metric),
                }
            )
    return found


def _drawings(comparison: Comparison) -> dict[str, Any]:
    summary, candidates = comparison.summary, comparison.summary.candidates
    shown = figures.costs(summary)
    learning = (
        curves.learning_figures(candidates, comparison.curves, comparison.scoring.metrics[0])
        if comparison.curves
        else []
    )
    return {
        "costs": [Markup(drawn) for drawn in figures.cost_figures(summary)],
        "cheaper": _cheaper(shown),
        "differences": [Markup(drawn) for drawn in figures.contrast_figures(summary)] if summary.contrasts else [],
        "learning": [Markup(drawn) for drawn in learning],
        "learners": [place for place, each in enumerate(candidates) if each.name in comparison.curves],
        "has_thin_lines": any(len(runs) > 1 for runs in comparison.curves.values()),
        "rates": curves.rate_note(candidates, comparison.curves),
    }


def _cheaper(shown: list[figures.Cost]) -> str:
    """Which way is cheaper in the figures of costs."""
    speeds = [re.sub(" in training$", "", cost.label) for cost in shown if cost.is_speed]
    if not speeds:
        return "Further left is cheaper."
    return f"Further left is cheaper; for {' and '.join(speeds)}, further right is faster."
