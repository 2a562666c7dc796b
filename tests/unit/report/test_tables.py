"""The table says the same everywhere, fits the terminal, and shows names as they are."""

import copy
import io
from typing import Any

import pytest
from rich.console import Console

from fittingroom.report import numbers
from fittingroom.report.tables import HEADINGS, UNDER, markdown_table, summary_rows, terminal_table


def printed(summary: dict[str, Any], width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(terminal_table(summary))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def titled(summary: dict[str, Any], title: str) -> dict[str, Any]:
    changed = copy.deepcopy(summary)
    changed["models"][0]["title"] = title
    return changed


@pytest.mark.parametrize("width", [80, 120])
def test_every_number_stands_whole_in_a_terminal(summary: dict[str, Any], width: int) -> None:
    text = printed(summary, width)
    assert max(map(len, text.splitlines())) <= width
    for row in summary_rows(summary):
        assert all(row[key] in text for key in HEADINGS), row
        assert all(row[under] in text for under in UNDER.values()), row


def test_a_long_title_wraps_and_pushes_no_number_out(summary: dict[str, Any]) -> None:
    text = printed(titled(summary, "ViT with a convolutional stem and more"), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "convolutional" in text
    assert all(row["test_interval"] in text for row in summary_rows(summary))


def test_markdown_shows_the_same_strings(summary: dict[str, Any]) -> None:
    lines = markdown_table(summary).splitlines()
    assert len(lines) == 2 + len(summary["models"])
    assert {line.count("|") for line in lines} == {len(HEADINGS) + 1}
    for line, row in zip(lines[2:], summary_rows(summary), strict=True):
        assert f"{row['test_accuracy']} ({row['test_interval']})" in line


def test_a_deviation_is_shown_for_two_seeds_only(summary: dict[str, Any], one_seed_summary: dict[str, Any]) -> None:
    assert " ± " in summary_rows(summary)[0]["test_accuracy"]
    assert "±" not in markdown_table(one_seed_summary)


def test_a_model_without_a_finished_run_says_so(one_seed_summary: dict[str, Any]) -> None:
    row = summary_rows(one_seed_summary)[0]
    assert row["note"] == "1 of 1 runs failed"
    assert row["test_accuracy"] == row["training_seconds"] == numbers.ABSENT
    assert row["test_interval"] == ""
    assert "1 of 1 runs failed" in printed(one_seed_summary, 80)


def test_names_are_neither_markup_nor_cell_borders(summary: dict[str, Any]) -> None:
    assert "[red]a|b[/red]" in printed(titled(summary, "[red]a|b[/red]"), 120)
    assert "| a\\|b &lt;i> c |" in markdown_table(titled(summary, "a|b <i>\nc"))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.count(487_114), "487 k"),
        (numbers.count(999_600), "1.00 M"),
        (numbers.count(24_600_000), "24.6 M"),
        (numbers.count(12), "12"),
        (numbers.memory(830 * 2**20), "830 MiB"),
        (numbers.memory(3 * 2**29), "1.5 GiB"),
        (numbers.seconds(60.24), "60.2"),
        (numbers.seconds(1204.4), "1,204"),
        (numbers.rate(5233.1), "5,233"),
        (numbers.rate(7.5), "7.50"),
        (numbers.points(0.0412), "+4.12"),
        (numbers.points(-0.003), "−0.30"),
        (numbers.points(-0.00001), "0.00"),
        (numbers.score({"mean": 0.92314, "sd": 0.0022}), "92.31 ± 0.22"),
        (numbers.interval({"low": 0.9185, "high": 1.0}), "91.85–100.00"),
    ],
)
def test_numbers_are_written_one_way(shown: str, expected: str) -> None:
    assert shown == expected
