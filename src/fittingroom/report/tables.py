"""The result table, formatted once and laid out three times: terminal, Markdown, HTML."""

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from fittingroom.report import numbers

HEADINGS = {
    "model": "Model",
    "parameters": "Parameters",
    "multiply_adds": "Multiply-adds",
    "training_seconds": "Training seconds",
    "images_per_second": "Images/s",
    "peak_memory": "Peak memory",
    "val_accuracy": "Validation accuracy (%)",
    "test_accuracy": "Test accuracy (%)",
}
UNDER = {"model": "note", "val_accuracy": "val_interval", "test_accuracy": "test_interval"}
"""What stands in small type with a cell: the failures of a model, the interval of an accuracy."""

# Two short lines each, so that eight columns fit into 80 characters.
SHORT_HEADINGS = {
    **{"parameters": "Para-\nmeters", "multiply_adds": "Mult-\nadds", "training_seconds": "Train\ns"},
    **{"images_per_second": "Images\n/s", "peak_memory": "Peak\nmemory"},
    **{"val_accuracy": "Validation\naccuracy %", "test_accuracy": "Test\naccuracy %"},
}


def summary_rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    """One dictionary of strings for each model, keys as `HEADINGS`, and `note`, `val_interval`, `test_interval`.

    Accuracies are percent, 'mean ± standard deviation over seeds' and their 95 % interval; with one seed there is no ±.
    """
    return [_row(model) for model in summary["models"]]


def terminal_table(summary: dict[str, Any]) -> Table:
    """A rich table, readable from 80 columns on: each interval stands under its accuracy."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True, pad_edge=False, show_edge=False)
    for key, heading in HEADINGS.items():
        is_model = key == "model"
        short = Text(SHORT_HEADINGS.get(key, heading))
        table.add_column(short, justify="left" if is_model else "right", overflow="fold", no_wrap=not is_model)
    for row in summary_rows(summary):
        table.add_row(*(_terminal_cell(row, key) for key in HEADINGS))
    table.caption = Text("± standard deviation over seeds; beneath it the 95 % interval", style="dim")
    table.caption_justify = "left"
    return table


def markdown_table(summary: dict[str, Any]) -> str:
    """A GitHub table: a line for the headings, one for the alignment, one for each model."""
    lines = [_markdown_line(list(HEADINGS.values())), _markdown_line(["---"] + ["---:"] * (len(HEADINGS) - 1))]
    lines += [_markdown_line([_markdown_cell(row, key) for key in HEADINGS]) for row in summary_rows(summary)]
    return "\n".join(lines) + "\n"


def _row(model: dict[str, Any]) -> dict[str, str]:
    return {
        "model": model["title"],
        "note": _failures(model),
        "parameters": numbers.count(model["num_params"]),
        "multiply_adds": numbers.count(model["num_macs"]),
        "training_seconds": numbers.seconds(model["train_seconds"]),
        "images_per_second": numbers.rate(model["images_per_second"]),
        "peak_memory": numbers.memory(model["peak_memory_bytes"]),
        "val_accuracy": numbers.accuracy(model["val"]),
        "val_interval": numbers.interval(model["val"]),
        "test_accuracy": numbers.accuracy(model["test"]),
        "test_interval": numbers.interval(model["test"]),
    }


def _failures(model: dict[str, Any]) -> str:
    """'1 of 2 runs failed', or nothing."""
    if not model["num_failed"]:
        return ""
    return f"{model['num_failed']} of {model['num_failed'] + model['num_runs']} runs failed"


def _terminal_cell(row: dict[str, str], key: str) -> Text:
    """Text, not a string: square brackets in a name are no markup of rich."""
    under = row[UNDER[key]] if key in UNDER else ""
    strong = "bold" if key in ("model", "test_accuracy") else ""
    return Text.assemble((row[key], strong), (f"\n{under}", "dim") if under else "")


def _markdown_cell(row: dict[str, str], key: str) -> str:
    under = row[UNDER[key]] if key in UNDER else ""
    return f"{row[key]} ({under})" if under else row[key]


def _markdown_line(cells: list[str]) -> str:
    escaped = (" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |"
