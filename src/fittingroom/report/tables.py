"""The result table, formatted once and laid out three times: terminal, Markdown, HTML."""

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from fittingroom.comparison.metrics import PAIRS, PHONEME_ERRORS, WORD_ERRORS, kind_of
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

PAIR_HEADINGS = {
    "model": "Model",
    "parameters": "Parameters",
    "multiply_adds": "Multiply-adds",
    "training_seconds": "Training seconds",
    "pairs_per_second": "Pairs/s",
    "words_per_second": "Words/s",
    "peak_memory": "Peak memory",
    "val_words": "Validation word errors (%)",
    "val_phonemes": "Validation phoneme errors (%)",
    "test_words": "Test word errors (%)",
    "test_phonemes": "Test phoneme errors (%)",
}
PAIR_SCORES = ("val_words", "val_phonemes", "test_words", "test_phonemes")
PAIR_UNDER = {"model": "note", **{key: f"{key}_interval" for key in PAIR_SCORES}}

# Two short lines each, so that eight columns fit into 80 characters; of pairs the terminal leaves some away.
SHORT_HEADINGS = {
    **{"parameters": "Para-\nmeters", "multiply_adds": "Mult-\nadds", "training_seconds": "Train\ns"},
    **{"images_per_second": "Images\n/s", "peak_memory": "Peak\nmemory"},
    **{"val_accuracy": "Validation\naccuracy %", "test_accuracy": "Test\naccuracy %"},
    **{"words_per_second": "Words\n/s", "val_words": "Val. word\nerrors %"},
    **{"test_words": "Test word\nerrors %", "test_phonemes": "Test phon.\nerrors %"},
}
NOT_IN_TERMINAL = ("multiply_adds", "pairs_per_second", "val_phonemes")
STRONG = ("model", "test_accuracy", "test_words")


def headings(summary: dict[str, Any]) -> dict[str, str]:
    """The columns of a summary's kind; without multiply-adds of words where no model has them."""
    if kind_of(summary) != PAIRS:
        return HEADINGS
    unknown = all(model["num_macs"] is None for model in summary["models"])
    return {key: text for key, text in PAIR_HEADINGS.items() if not (unknown and key == "multiply_adds")}


def under(summary: dict[str, Any]) -> dict[str, str]:
    """What stands in small type with a cell, of a summary's kind."""
    return PAIR_UNDER if kind_of(summary) == PAIRS else UNDER


def summary_rows(summary: dict[str, Any]) -> list[dict[str, str]]:
    """One dictionary of strings for each model, keys as `headings`, and those that stand under them, as `under`.

    Scores are percent, 'mean ± standard deviation over seeds' and their 95 % interval; with one seed there is no ±.
    """
    row = _pair_row if kind_of(summary) == PAIRS else _row
    return [row(model) for model in summary["models"]]


def terminal_table(summary: dict[str, Any]) -> Table:
    """A rich table, readable from 80 columns on: each interval stands under its score."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, collapse_padding=True, pad_edge=False, show_edge=False)
    small = under(summary)
    shown = {key: text for key, text in headings(summary).items() if small is UNDER or key not in NOT_IN_TERMINAL}
    for key, heading in shown.items():
        is_model = key == "model"
        short = Text(SHORT_HEADINGS.get(key, heading))
        table.add_column(short, justify="left" if is_model else "right", overflow="fold", no_wrap=not is_model)
    for row in summary_rows(summary):
        table.add_row(*(_terminal_cell(row, key, small) for key in shown))
    table.caption = Text("± standard deviation over seeds; beneath it the 95 % interval", style="dim")
    table.caption_justify = "left"
    return table


def markdown_table(summary: dict[str, Any]) -> str:
    """A GitHub table: a line for the headings, one for the alignment, one for each model."""
    shown, small = headings(summary), under(summary)
    lines = [_markdown_line(list(shown.values())), _markdown_line(["---"] + ["---:"] * (len(shown) - 1))]
    lines += [_markdown_line([_markdown_cell(row, key, small) for key in shown]) for row in summary_rows(summary)]
    return "\n".join(lines) + "\n"


def _row(model: dict[str, Any]) -> dict[str, str]:
    return {
        **_costs(model),
        "images_per_second": numbers.rate(model["images_per_second"]),
        "val_accuracy": numbers.score(model["val"]),
        "val_interval": numbers.interval(model["val"]),
        "test_accuracy": numbers.score(model["test"]),
        "test_interval": numbers.interval(model["test"]),
    }


def _pair_row(model: dict[str, Any]) -> dict[str, str]:
    rates = {key: numbers.rate(model[key]) for key in ("pairs_per_second", "words_per_second")}
    scores = {
        f"{split}_{items}": measure.scores(model, split)
        for split in ("val", "test")
        for items, measure in (("words", WORD_ERRORS), ("phonemes", PHONEME_ERRORS))
    }
    return {
        **_costs(model),
        **rates,
        **{key: numbers.score(found) for key, found in scores.items()},
        **{f"{key}_interval": numbers.interval(found) for key, found in scores.items()},
    }


def _costs(model: dict[str, Any]) -> dict[str, str]:
    return {
        "model": model["title"],
        "note": _failures(model),
        "parameters": numbers.count(model["num_params"]),
        "multiply_adds": numbers.count(model["num_macs"]),
        "training_seconds": numbers.seconds(model["train_seconds"]),
        "peak_memory": numbers.memory(model["peak_memory_bytes"]),
    }


def _failures(model: dict[str, Any]) -> str:
    """'1 of 2 runs failed', or nothing."""
    if not model["num_failed"]:
        return ""
    return f"{model['num_failed']} of {model['num_failed'] + model['num_runs']} runs failed"


def _terminal_cell(row: dict[str, str], key: str, small: dict[str, str]) -> Text:
    """Text, not a string: square brackets in a name are no markup of rich."""
    beneath = row[small[key]] if key in small else ""
    strong = "bold" if key in STRONG else ""
    return Text.assemble((row[key], strong), (f"\n{beneath}", "dim") if beneath else "")


def _markdown_cell(row: dict[str, str], key: str, small: dict[str, str]) -> str:
    beneath = row[small[key]] if key in small else ""
    return f"{row[key]} ({beneath})" if beneath else row[key]


def _markdown_line(cells: list[str]) -> str:
    escaped = (" ".join(cell.split()).replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return f"| {' | '.join(escaped)} |"
