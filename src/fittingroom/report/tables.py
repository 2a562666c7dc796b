"""The result table, formatted once and laid out three times: terminal, Markdown, HTML. Its columns come from the task."""

from dataclasses import dataclass

from markupsafe import escape
from rich import box
from rich.table import Table
from rich.text import Text

from fittingroom.core.records import CandidateSummary, Summary
from fittingroom.core.text import sentence_case
from fittingroom.report import numbers
from fittingroom.report.texts import in_unit
from fittingroom.tasks.scoring import SCORINGS, SPLITS

MOST_IN_TERMINAL = 8
"""Columns that fit into 80 characters."""
SPLIT_NAMES = {"val": ("Validation", "Val."), "test": ("Test", "Test")}
"""In full, and in short."""


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A column of the table."""

    key: str
    text: str
    short: str
    """In two short lines, for terminals."""
    spare: int = 0
    """From 1 on: may be left out of a terminal, the largest first."""
    strong: bool = False


def headings(summary: Summary) -> list[Heading]:
    """The columns. Costs and validation scores that no candidate has are left out."""
    scoring, metrics = SCORINGS.get(summary.task), SCORINGS.get(summary.task).metrics
    speed = f"{sentence_case(scoring.batch_items)}/s"
    extras = [
        (Heading(key=extra.key, text=extra.heading, short=extra.short), extra.is_share)
        for extra in scoring.extras
        if not extra.is_share or any(each.extras.get(extra.key) is not None for each in summary.candidates)
    ]
    found = [
        Heading(key="num_train", text=f"Training {scoring.batch_items}", short=f"Train.\n{scoring.batch_items}"),
        Heading(key="parameters", text="Parameters", short="Para-\nmeters"),
        Heading(key="multiply_adds", text="Multiply-adds", short="Mult-\nadds", spare=2),
        Heading(key="training_seconds", text="Training seconds", short="Train\ns"),
        Heading(key="items_per_second", text=speed, short=speed.replace("/", "\n/"), spare=1),
        *(heading for heading, is_share in extras if not is_share),
        Heading(key="peak_memory", text="Peak memory", short="Peak\nmemory"),
    ]
    for split in SPLITS:
        name, short = SPLIT_NAMES[split]
        for number, metric in enumerate(metrics):
            found.append(
                Heading(
                    key=f"{split}_{metric.name}",
                    text=in_unit(f"{name} {metric.title}", metric),
                    short=_two_lines(f"{short} {metric.title} {metric.unit}".strip()),
                    spare=3 if split == "val" and number else 0,
                    strong=split == "test" and number == 0,
                )
            )
    found += [heading for heading, is_share in extras if is_share]  # test scores too: beside the others
    rows = summary_rows(summary)
    has_runs = any(candidate.num_runs for candidate in summary.candidates)
    empty = {key for key in rows[0] if has_runs and all(row[key] == numbers.ABSENT for row in rows)}
    if len({candidate.num_train for candidate in summary.candidates}) == 1:
        empty.add("num_train")
    first = Heading(key="model", text="Model", short="Model", strong=True)
    return [first, *(heading for heading in found if heading.key not in empty)]


def under(summary: Summary) -> dict[str, str]:
    """The key of the small type beneath a cell: failures beneath a model, the interval beneath a score."""
    metrics = SCORINGS.get(summary.task).metrics
    scores = [f"{split}_{metric.name}" for split in SPLITS for metric in metrics]
    return {"model": "note", **{key: f"{key}_interval" for key in scores}}


def summary_rows(summary: Summary) -> list[dict[str, str]]:
    """One dictionary of strings for each candidate, with the keys of `headings` and of `under`.

    Scores are 'mean ± standard deviation over seeds' and their 95 % interval. With one seed there is no ±.
    """
    return [_row(candidate, summary.task) for candidate in summary.candidates]


def terminal_table(summary: Summary) -> Table:
    """A rich table, readable from 80 columns on: each interval is under its score."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True, pad_edge=False, show_edge=False)
    small, shown = under(summary), headings(summary)
    spare = sorted((heading for heading in shown if heading.spare), key=lambda heading: -heading.spare)
    for heading in spare[: max(0, len(shown) - MOST_IN_TERMINAL)]:
        shown.remove(heading)
    for heading in shown:
        is_model = heading.key == "model"
        justify = "left" if is_model else "right"
        table.add_column(Text(heading.short), justify=justify, overflow="fold", no_wrap=not is_model)
    for row in summary_rows(summary):
        table.add_row(*(_terminal_cell(row, heading, small) for heading in shown))
    table.caption = Text("± standard deviation over seeds; beneath it the 95 % interval", style="dim")
    table.caption_justify = "left"
    return table


def markdown_table(summary: Summary) -> str:
    """A GitHub table: a line for the headings, one for the alignment, one for each candidate."""
    shown, small = headings(summary), under(summary)
    lines = [_markdown_line([each.text for each in shown]), _markdown_line(["---"] + ["---:"] * (len(shown) - 1))]
    lines += [_markdown_line([_markdown_cell(row, each.key, small) for each in shown]) for row in summary_rows(summary)]
    return "\n".join(lines) + "\n"


def html_table(summary: Summary) -> str:
    """A plain HTML table for a notebook; its text is escaped."""
    shown, small = headings(summary), under(summary)
    head = "".join(f"<th>{escape(heading.text)}</th>" for heading in shown)
    lines = [
        "".join(f"<td>{_html_cell(row, heading.key, small)}</td>" for heading in shown) for row in summary_rows(summary)
    ]
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _html_cell(row: dict[str, str], key: str, small: dict[str, str]) -> str:
    beneath = row[small[key]] if key in small else ""
    return f"{escape(row[key])}<br><small>{escape(beneath)}</small>" if beneath else str(escape(row[key]))


def _row(candidate: CandidateSummary, task: str) -> dict[str, str]:
    scoring = SCORINGS.get(task)
    row = {
        "model": candidate.title,
        "note": _failures(candidate),
        "num_train": numbers.ABSENT if candidate.num_train is None else f"{candidate.num_train:,}",
        "parameters": numbers.count(candidate.num_params),
        "multiply_adds": numbers.count(candidate.num_macs),
        "training_seconds": numbers.seconds(candidate.train_seconds),
        "items_per_second": numbers.rate(candidate.items_per_second),
        "peak_memory": numbers.memory(candidate.peak_memory_bytes),
        **{
            extra.key: (numbers.share if extra.is_share else numbers.rate)(candidate.extras.get(extra.key))
            for extra in scoring.extras
        },
    }
    for split in SPLITS:
        for metric in scoring.metrics:
            found = metric.score(candidate, split)
            row[f"{split}_{metric.name}"] = numbers.score(found, metric)
            row[f"{split}_{metric.name}_interval"] = numbers.interval(found, metric)
    return row


def _two_lines(text: str) -> str:
    """The text with one line break, so that the longer line is as short as it can be."""
    words = text.split()
    breaks = [(" ".join(words[:place]), " ".join(words[place:])) for place in range(1, len(words))]
    return "\n".join(min(breaks, key=lambda lines: max(map(len, lines)))) if breaks else text


def _failures(candidate: CandidateSummary) -> str:
    """'1 of 2 runs failed', or nothing."""
    if not candidate.num_failed:
        return ""
    return f"{candidate.num_failed} of {candidate.num_failed + candidate.num_runs} runs failed"


def _terminal_cell(row: dict[str, str], heading: Heading, small: dict[str, str]) -> Text:
    """Text, not a string: square brackets in a name are not markup for rich."""
    beneath = row[small[heading.key]] if heading.key in small else ""
    return Text.assemble(
        (row[heading.key], "bold" if heading.strong else ""), (f"\n{beneath}", "dim") if beneath else ""
    )


def _markdown_cell(row: dict[str, str], key: str, small: dict[str, str]) -> str:
    beneath = row[small[key]] if key in small else ""
    return f"{row[key]} ({beneath})" if beneath else row[key]


def _markdown_line(cells: list[str]) -> str:
    escaped = (" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |"
