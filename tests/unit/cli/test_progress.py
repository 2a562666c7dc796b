"""What a comparison tells on standard error, with two runs at a time."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from fittingroom.cli import progress
from fittingroom.cli.progress import PLANS, watch
from fittingroom.cli.time_left import TimeLeft
from fittingroom.comparison.candidate import candidate
from fittingroom.comparison.grid import Comparison
from fittingroom.comparison.protocol import Budget
from fittingroom.core.records import RunRow
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.scoring import SCORINGS
from fittingroom.tasks.seq2seq.config import Seq2seqConfig


def three_seeds_of(config: RunConfig) -> Comparison:
    """A comparison of one candidate."""
    return Comparison(
        folder=Path("unused"), candidates=[candidate(config)], seeds=range(3), budget=Budget(epochs=config.epochs)
    )


COMPARISON = three_seeds_of(ClassificationConfig(model="vit", epochs=1.0))


def row(number: int, error: str | None = None, metric: str = "accuracy") -> RunRow:
    """The ledger's row of a run that has ended."""
    name, folder = f"vit-seed{number}", f"runs/vit-seed{number}"
    if error is not None:
        return RunRow(run=name, folder=folder, candidate="vit", seed=number, status="failed", error=error)
    return RunRow(
        run=name,
        folder=folder,
        candidate="vit",
        seed=number,
        status="finished",
        epochs=1.0,
        train_seconds=9.0,
        evals={"val": {metric: 0.75}},
    )


def test_where_there_is_no_terminal_each_run_has_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(COMPARISON, quiet=False) as watcher:
        watcher.plans()
        watcher.starts(0, "vit-seed0")
        watcher.starts(1, "vit-seed1")
        watcher.steps(1, 3, 10, None)
        watcher.ends(1, row(1))
        watcher.ends(0, row(0, error="out of memory"))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[:3] == [PLANS, "run 1 of 3: vit-seed0", "run 2 of 3: vit-seed1"]
    assert lines[3].startswith("  vit-seed1: validation accuracy 75.00 %, 1 epoch in 9 s; about ")
    assert lines[4].startswith("  vit-seed0: failed: out of memory; about ")


def test_the_score_is_that_of_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    comparison = three_seeds_of(Seq2seqConfig(model="transformer", epochs=1.0))
    with watch(comparison, quiet=False) as watcher:
        watcher.ends(0, row(0, metric="word_error_rate"))
    assert capsys.readouterr().err == "  vit-seed0: validation word error rate 75.00 %, 1 epoch in 9 s\n"


def test_what_is_left_is_told_by_the_runs_that_were_made_not_by_those_found(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "_now", lambda: now[0])
    with watch(COMPARISON, quiet=False) as watcher:
        watcher.ends(0, row(0))
        watcher.starts(1, "vit-seed1")
        now[0] = 600.0
        watcher.ends(1, row(1))
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "  vit-seed0: validation accuracy 75.00 %, 1 epoch in 9 s"
    assert lines[2].endswith("; about 10 min left")


def test_a_log_gets_a_line_every_half_minute_and_after_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [0.0], []
    monkeypatch.setattr(progress, "_now", lambda: now[0])
    tell = progress.TrainLines("vit-seed0", SCORINGS.get("classification"), 2.0, said.append)
    for step in range(1, 201):  # a step takes a second, an epoch 100 steps
        now[0] += 1.0
        tell(step, 200, None if step <= 100 else 0.75)
    assert said[0] == "vit-seed0: epoch 0.31 of 2, about 3 min left"
    assert "vit-seed0: epoch 1.01 of 2, validation accuracy 75.0 %, about 2 min left" in said
    assert said[-1] == "vit-seed0: epoch 1.91 of 2, validation accuracy 75.0 %, about 9 s left"
    assert len(said) == 7


def test_a_run_of_a_few_seconds_gets_no_line_and_a_budget_has_no_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    now, said = [0.0], []
    monkeypatch.setattr(progress, "_now", lambda: now[0])
    tell = progress.TrainLines("vit-seed0", SCORINGS.get("classification"), None, said.append)
    for step in range(1, 30):
        now[0] += 1.0
        tell(step, 50, None)
    assert said == []
    now[0] += 10.0
    tell(30, 50, None)
    assert said == ["vit-seed0: step 30 of 50, about 26 s left"]


def test_a_comparison_in_a_log_says_every_half_minute_where_its_runs_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "_now", lambda: now[0])
    with watch(COMPARISON, quiet=False) as watcher:
        watcher.starts(0, "vit-seed0")
        watcher.starts(1, "vit-seed1")
        now[0] = 20.0
        watcher.steps(0, 1, 10, None)
        now[0] = 31.0
        watcher.steps(1, 2, 10, None)
    lines = capsys.readouterr().err.splitlines()
    # 310 s and 155 s a run, the third after the second: 31 s of 155 s are over, and 232 s follow
    assert lines[2:] == ["0 of 3 runs done; vit-seed0 10%, vit-seed1 20%; about 6 min left"]


def test_the_pictures_after_the_last_run_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(COMPARISON, quiet=False) as watcher:
        watcher.pictures()
    assert capsys.readouterr().err == "pictures for the report: what each model looks at; about 10 s left\n"


def test_names_in_brackets_are_names_not_colours(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(COMPARISON, quiet=False) as watcher:
        watcher.ends(0, row(0, error="no such file: words[de][/b].tsv"))
    assert "no such file: words[de][/b].tsv" in capsys.readouterr().err


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with watch(COMPARISON, quiet=True) as watcher:
        watcher.plans()
        watcher.starts(0, "vit-seed0")
        watcher.ends(0, row(0))
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_each_running_run_has_a_bar_and_the_whole_counts_their_parts() -> None:
    written = io.StringIO()
    bars = Progress(console=Console(file=written, force_terminal=True), auto_refresh=False)
    watcher = progress._bars(bars, COMPARISON, TimeLeft(3))
    overall = bars.tasks[0]
    assert (overall.description, overall.total, overall.fields["note"]) == ("all runs", 3, PLANS)
    watcher.ends(0, row(0))  # finished before: it has not begun
    assert (overall.completed, overall.fields["note"]) == (1, "1 of 3")
    watcher.starts(1, "vit-seed1")
    watcher.starts(2, "vit-seed2")
    watcher.steps(2, 5, 10, None)
    watcher.steps(1, 1, 4, 0.5)
    assert overall.completed == pytest.approx(1.75)
    first, second = bars.tasks[1:]
    assert (first.description, first.completed, first.total) == ("vit-seed1", 1, 4)
    assert first.fields["note"] == "validation accuracy 50.0 %"
    assert (second.description, second.fields["note"]) == ("vit-seed2", "")
    watcher.ends(2, row(2))
    assert [task.description for task in bars.tasks] == ["all runs", "vit-seed1"]
    watcher.ends(1, row(1, error="out of memory"))
    assert (overall.completed, overall.fields["note"]) == (3, "3 of 3")
    assert "vit-seed1: failed: out of memory" in written.getvalue()
