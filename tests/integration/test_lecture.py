"""The lecture runs: the first lesson always, all of them in the slow tests."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from lesson.execute import FOLDER, execute, lessons

ROOT = Path(__file__).parents[2]
FAST = ("01",)
LESSONS = [
    pytest.param(path, id=path.stem, marks=[] if path.name.startswith(FAST) else pytest.mark.slow) for path in lessons()
]


def check_lesson(path: Path) -> None:
    """Every cell runs, the first one shows something, and the exercises wait for an answer."""
    code = [cell for cell in execute(path).cells if cell.cell_type == "code"]
    assert code[0].outputs, "the first cell shows nothing"
    shown = [output.get("data", {}).get("text/plain", "") for cell in code for output in cell.outputs]
    hints = [text for text in shown if text.startswith("Not yet: ")]
    assert hints and all("replace the dots" in text for text in hints)


@pytest.mark.parametrize("path", LESSONS)
def test_every_cell_of_a_lesson_runs(path: Path) -> None:
    check_lesson(path)


def test_each_lesson_opens_with_its_number_and_ends_with_the_next() -> None:
    found = lessons()
    for number, path in enumerate(found, start=1):
        text = path.read_text(encoding="utf-8")
        title = re.search(r"^# # (\d+)\. ", text, re.MULTILINE)
        assert title and int(title[1]) == number
        following = found[number].name if number < len(found) else "index.md"
        assert f"({following})" in text[-300:]


def test_the_overview_lists_every_lesson_and_names_code_that_exists() -> None:
    text = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert all(f"({path.name})" in text for path in lessons())
    table = text.split("## Where to find each statement", 1)[1]
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    rows = [line for line in table.splitlines() if line.startswith("| ") and "](" in line]
    named = [name for line in rows for name in re.findall(r"`([\w.]+)`", line.split("|")[3]) if "/" not in name]
    assert len(rows) >= 15 and len(named) >= 25
    assert [name for name in named if not re.search(rf"(def|class) {name.split('.')[-1]}\b", sources)] == []


@pytest.mark.slow
def test_a_lesson_that_fails_is_reported(tmp_path: Path) -> None:
    from lesson import execute as runner

    (tmp_path / "01_broken.py").write_text("# %%\n1 / 0\n")
    script = f"from pathlib import Path; from lesson import execute as runner; runner.lessons = lambda *n: [Path({str(tmp_path)!r}) / '01_broken.py']; raise SystemExit(runner.main([]))"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=runner.FOLDER, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout and "1 failed: 01_broken" in done.stderr
