"""The cut is right where a third task needs one task file, one data file and one report section, and nothing else."""

import ast
from pathlib import Path

import pytest

from fittingroom import compare, load_run, train
from fittingroom.api.data import Data
from tests.toy import task as toy  # noqa: F401  (the import registers the task)

ROOT = Path(__file__).parents[2]
TINY = {"depth": 1, "embed_dim": 16, "batch_size": 16}
KINDS = {"classification", "seq2seq", "images", "pairs", "words"}
ALLOWED = ("src/fittingroom/tasks/", "src/fittingroom/report/sections/", "src/fittingroom/core/upgrade.py")
"""Where kinds may be told apart; upgrade.py translates what older versions wrote."""


def test_a_third_task_trains_evaluates_and_loads(tmp_path: Path) -> None:
    run = train("vit", Data("squares"), epochs=8, settings=TINY, folder=tmp_path / "run", progress=False)
    assert run.state.task == "brightness" and run.state.status == "finished"
    assert run.scores["test"]["mean_error"] > 0
    assert run.evaluate("val")["mean_error"] == pytest.approx(run.scores["val"]["mean_error"])
    again = load_run(tmp_path / "run")
    assert again.scores == run.scores and "val_mean_error" in again.metrics
    assert [read.why for read in again.state.test_reads] == ["final epoch"]


def test_a_third_task_is_compared_in_processes_and_reported(tmp_path: Path) -> None:
    result = compare(
        "vit,vit@depth=2", Data("squares"), seeds=2, epochs=2, settings=TINY, folder=tmp_path / "both", progress=False
    )
    assert [each.name for each in result.summary.candidates] == ["vit", "vit@depth=2"]
    assert {row.status for row in result.record.runs} == {"finished"}
    sentence = result.verdict.sentence.replace("95 %", "").replace("80 %", "")
    assert "percent" in sentence and "%" not in sentence
    page = result.report().read_text()
    assert "2 networks read brightness." in page and "Pairwise differences" in page


def test_kinds_are_told_apart_in_tasks_and_report_sections_only() -> None:
    """No comparison with the name of a kind, no isinstance on a task, a config or a spec."""
    found = []
    for path in sorted((ROOT / "src" / "fittingroom").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(ALLOWED):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and _kinds(node):
                found.append(f"{name}:{node.lineno}")
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance" and len(node.args) == 2:
                names = {each.id for each in ast.walk(node.args[1]) if isinstance(each, ast.Name)}
                if any(
                    each.endswith(("Task", "Spec")) or each in ("ClassificationConfig", "Seq2seqConfig")
                    for each in names
                ):
                    found.append(f"{name}:{node.lineno}")
    assert not found


def _kinds(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    return any(isinstance(side, ast.Constant) and side.value in KINDS for side in sides)
