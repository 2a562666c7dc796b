"""The homework notebook: its text and its .ipynb agree, and every cell runs."""

from pathlib import Path

import jupytext
import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "docs" / "notebooks" / "homework.py"
SHORTER = {'budget="45s"': "epochs=0.02", 'budget="60s"': "epochs=0.01"}
"""The same calls on fewer steps: the whole notebook takes about seven minutes."""


def execute(notebook: nbformat.NotebookNode, folder: Path, seconds: int) -> list[nbformat.NotebookNode]:
    """Run every cell in `folder`; the code cells with their outputs."""
    NotebookClient(notebook, timeout=seconds, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def check_outputs(cells: list[nbformat.NotebookNode]) -> None:
    """Data, picture, table, verdict and report are shown."""
    shown = [output for cell in cells for output in cell.outputs if output.output_type in ("execute_result", "display_data")]
    pictures = [output for output in shown if "image/png" in output.data]
    pages = " ".join(output.data.get("text/html", "") for output in shown)
    assert len(pictures) >= 5
    assert "Fashion-MNIST" in pages and "<table>" in pages and "Test accuracy" in pages
    assert any("report.html" in output.data.get("text/plain", "") for output in shown)


def test_the_ipynb_is_that_of_the_text() -> None:
    made, kept = jupytext.read(TEXT), nbformat.read(TEXT.with_suffix(".ipynb"), as_version=4)
    assert [(cell.cell_type, cell.source) for cell in made.cells] == [(cell.cell_type, cell.source) for cell in kept.cells]
    assert not any(cell.get("outputs") for cell in kept.cells)


def test_every_cell_runs(tmp_path: Path) -> None:
    notebook = jupytext.read(TEXT)
    for cell in notebook.cells:
        for long, short in SHORTER.items():
            cell.source = cell.source.replace(long, short)
    check_outputs(execute(notebook, tmp_path, 300))
    assert (tmp_path / "runs" / "compare-0.01-epochs" / "report.html").exists()


@pytest.mark.slow
def test_the_whole_notebook_takes_under_eight_minutes(tmp_path: Path) -> None:
    import time

    began = time.monotonic()
    check_outputs(execute(jupytext.read(TEXT), tmp_path, 480))
    assert time.monotonic() - began < 480
