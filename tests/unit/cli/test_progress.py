"""What a comparison tells on standard error, with two runs at a time."""

import io
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress

from fittingroom.cli import progress
from fittingroom.cli.progress import PLANS, watch
from fittingroom.tasks.classification.config import ClassificationConfig

CONFIGS = [ClassificationConfig(model="vit", seed=seed, epochs=1.0) for seed in range(3)]


def row(number: int, error: str | None = None) -> dict[str, Any]:
    """The ledger's row of a run that has ended."""
    status = "finished" if error is None else "failed"
    scores = {"val_accuracy": 0.75, "epochs": 1.0, "train_seconds": 9.0} if error is None else {}
    return {"run": f"vit-seed{number}", "status": status, "error": error, **scores}


def test_where_there_is_no_terminal_each_run_has_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(CONFIGS, quiet=False) as watcher:
        watcher.plans()
        watcher.starts(0, CONFIGS[0])
        watcher.starts(1, CONFIGS[1])
        watcher.steps(1, 3, 10, None)
        watcher.ends(1, row(1))
        watcher.ends(0, row(0, error="out of memory"))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[:3] == [PLANS, "run 1 of 3: vit-seed0", "run 2 of 3: vit-seed1"]
    assert lines[3].startswith("  vit-seed1: validation 75.00%, 1 epochs in 9 s; about ")
    assert lines[4].startswith("  vit-seed0: failed: out of memory; about ")


def test_what_is_left_is_told_by_the_runs_that_were_made_not_by_those_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 600.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with watch(CONFIGS, quiet=False) as watcher:
        watcher.ends(0, row(0))
        watcher.starts(1, CONFIGS[1])
        watcher.ends(1, row(1))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  vit-seed0: validation 75.00%, 1 epochs in 9 s"
    assert lines[2].endswith("; about 10 min left")


def test_names_in_brackets_are_names_not_colours(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(CONFIGS, quiet=False) as watcher:
        watcher.ends(0, row(0, error="no such file: words[de][/b].tsv"))
    assert "no such file: words[de][/b].tsv" in capsys.readouterr().err


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(CONFIGS, quiet=True) as watcher:
        watcher.plans()
        watcher.starts(0, CONFIGS[0])
        watcher.ends(0, row(0))
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_each_running_run_has_a_bar_and_the_whole_counts_their_parts() -> None:
    written = io.StringIO()
    bars = Progress(console=Console(file=written, force_terminal=True), auto_refresh=False)
    watcher = progress._bars(bars, CONFIGS)
    overall = bars.tasks[0]
    assert (overall.description, overall.total, overall.fields["note"]) == ("all runs", 3, PLANS)
    watcher.ends(0, row(0))  # finished before: it has not begun
    assert (overall.completed, overall.fields["note"]) == (1, "1 of 3")
    watcher.starts(1, CONFIGS[1])
    watcher.starts(2, CONFIGS[2])
    watcher.steps(2, 5, 10, None)
    watcher.steps(1, 1, 4, 0.5)
    assert overall.completed == pytest.approx(1.75)
    first, second = bars.tasks[1:]
    assert (first.description, first.completed, first.total) == ("vit-seed1", 1, 4)
    assert first.fields["note"] == "validation 50.0%"
    assert (second.description, second.fields["note"]) == ("vit-seed2", "")
    watcher.ends(2, row(2))
    assert [task.description for task in bars.tasks] == ["all runs", "vit-seed1"]
    watcher.ends(1, row(1, error="out of memory"))
    assert (overall.completed, overall.fields["note"]) == (3, "3 of 3")
    assert "vit-seed1: failed: out of memory" in written.getvalue()
