"""The table says the same everywhere, fits the terminal, and shows names as they are."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from fittingroom.core.records import Score, Summary
from fittingroom.evaluation.metric import p_text
from fittingroom.report import numbers
from fittingroom.report.tables import headings, html_table, markdown_table, summary_rows, terminal_table, under
from fittingroom.tasks.classification.scoring import ACCURACY

GREY_LEVELS = replace(ACCURACY, scale=1.0, unit="")


def printed(summary: Summary, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(terminal_table(summary))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def titled(summary: Summary, title: str) -> Summary:
    first, *rest = summary.candidates
    return replace(summary, candidates=(replace(first, title=title), *rest))


@pytest.mark.parametrize("width", [80, 120])
def test_every_number_stands_whole_in_a_terminal(summary: Summary, width: int) -> None:
    text = printed(summary, width)
    assert max(map(len, text.splitlines())) <= width
    for row in summary_rows(summary):
        assert all(row[heading.key] in text for heading in headings(summary)), row
        assert all(row[key] in text for key in under(summary).values()), row


def test_a_long_title_wraps_and_pushes_no_number_out(summary: Summary) -> None:
    text = printed(titled(summary, "ViT with a convolutional stem and more"), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "convolutional" in text
    assert all(row["test_accuracy_interval"] in text for row in summary_rows(summary))


def test_markdown_shows_the_same_strings(summary: Summary) -> None:
    lines = markdown_table(summary).splitlines()
    assert len(lines) == 2 + len(summary.candidates)
    assert {line.count("|") for line in lines} == {len(headings(summary)) + 1}
    for line, row in zip(lines[2:], summary_rows(summary), strict=True):
        assert f"{row['test_accuracy']} ({row['test_accuracy_interval']})" in line


def test_a_deviation_is_shown_for_two_seeds_only(summary: Summary, one_seed_summary: Summary) -> None:
    assert " ± " in summary_rows(summary)[0]["test_accuracy"]
    assert "±" not in markdown_table(one_seed_summary)


def test_a_model_without_a_finished_run_says_so(one_seed_summary: Summary) -> None:
    row = summary_rows(one_seed_summary)[0]
    assert row["note"] == "1 of 1 runs failed"
    assert row["test_accuracy"] == row["training_seconds"] == numbers.ABSENT
    assert row["test_accuracy_interval"] == ""
    assert "1 of 1 runs" in printed(one_seed_summary, 80)


def test_names_are_neither_markup_nor_cell_borders(summary: Summary) -> None:
    assert "[red]a|b[/red]" in printed(titled(summary, "[red]a|b[/red]"), 120)
    assert "| a\\|b &lt;i> c |" in markdown_table(titled(summary, "a|b <i>\nc"))


def test_html_holds_the_same_strings_and_escapes_names(summary: Summary) -> None:
    table = html_table(titled(summary, "<b>bold</b>"))
    assert "<b>" not in table and "&lt;b&gt;bold" in table
    for row in summary_rows(summary):
        assert f"<td>{row['test_accuracy']}<br><small>{row['test_accuracy_interval']}</small></td>" in table


def test_costs_that_no_model_has_take_no_column(summary: Summary) -> None:
    bare = replace(
        summary, candidates=tuple(replace(each, num_macs=None, peak_memory_bytes=None) for each in summary.candidates)
    )
    gone = {each.key for each in headings(summary)} - {each.key for each in headings(bare)}
    assert gone == {"multiply_adds", "peak_memory"}
    assert "Multiply-adds" not in markdown_table(bare)


def test_training_sizes_are_a_column_where_they_differ(summary: Summary) -> None:
    assert "num_train" not in [each.key for each in headings(summary)]
    first, *rest = summary.candidates
    sizes = replace(summary, candidates=(replace(first, num_train=1000), *rest))
    assert "| Training images |" in markdown_table(sizes) and "| 1,000 |" in markdown_table(sizes)
    assert max(map(len, printed(sizes, 80).splitlines())) <= 80


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
        (ACCURACY.number(0.0412), "4.12"),
        (ACCURACY.number(-0.003), "-0.30"),
        (ACCURACY.number(-0.00001), "0.00"),
        (GREY_LEVELS.number(-4.2), "-4.20"),
        (numbers.score(Score(mean=0.92314, sd=0.0022), ACCURACY), "92.31 ± 0.22"),
        (numbers.score(Score(mean=12.345, sd=0.5), GREY_LEVELS), "12.35 ± 0.50"),
        (numbers.interval(Score(low=0.9185, high=1.0), ACCURACY), "91.85 to 100.00"),
        (p_text(0.03412), "0.034"),
        (p_text(1e-9), "under 0.0001"),
        (p_text(1.0), "1"),
        (p_text(0.0496), "0.0496"),
        (p_text(0.049999), "just under 0.05"),
    ],
)
def test_numbers_are_written_one_way(shown: str, expected: str) -> None:
    assert shown == expected


def test_scores_of_unbalanced_classes_have_columns_in_percent(summary: Summary) -> None:
    keys = {"balanced_accuracy", "macro_f1"}
    assert not keys & {heading.key for heading in headings(summary)}
    first, *rest = summary.candidates
    odd = replace(summary, candidates=(replace(first, extras={"balanced_accuracy": 0.75, "macro_f1": 0.6789}), *rest))
    assert keys <= {heading.key for heading in headings(odd)}
    row, *others = summary_rows(odd)
    assert (row["balanced_accuracy"], row["macro_f1"]) == ("75.00", "67.89") and others[0]["macro_f1"] == numbers.ABSENT
    assert max(map(len, printed(odd, 80).splitlines())) <= 80 and "67.89" in printed(odd, 80)
