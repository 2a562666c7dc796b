"""The homework notebook: its text and its .ipynb agree, and every cell runs."""

from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient

from fittingroom.data.images.load import open_images

ROOT = Path(__file__).parents[2]
TEXT = ROOT / "docs" / "notebooks" / "homework.py"
SHORTER = {
    'load_data("fashion-mnist")': 'load_data("few.npz")',
    'budget="45s"': 'epochs=0.5, size="nano"',
    '["vit", "cnn", "hybrid"]': '["vit", "cnn"]',
    'budget="60s"': 'epochs=0.3, settings={"batch_size": 32, "size": "nano"}',
}
"""The same calls on few images, steps and models, and small networks: the whole notebook takes about seven minutes."""


def execute(notebook: nbformat.NotebookNode, folder: Path, seconds: int) -> list[nbformat.NotebookNode]:
    """Run every cell in `folder`; the code cells with their outputs."""
    NotebookClient(notebook, timeout=seconds, resources={"metadata": {"path": str(folder)}}).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def write_few_images(path: Path) -> None:
    """400 training and 100 test images of Fashion-MNIST."""
    data = open_images()
    train, test = data.load_train(), data.load_test()
    np.savez(
        path,
        images=train.read(torch.arange(400))[:, 0].numpy(),
        labels=train.labels[:400].numpy(),
        test_images=test.read(torch.arange(100))[:, 0].numpy(),
        test_labels=test.labels[:100].numpy(),
        class_names=np.array(data.spec.class_names),
    )


def check_outputs(cells: list[nbformat.NotebookNode], title: str) -> None:
    """Data, picture, table, verdict and report are shown."""
    shown = [
        output for cell in cells for output in cell.outputs if output.output_type in ("execute_result", "display_data")
    ]
    pictures = [output for output in shown if "image/png" in output.data]
    pages = " ".join(output.data.get("text/html", "") for output in shown)
    assert len(pictures) >= 5
    assert title in pages and "<table>" in pages and "Test accuracy" in pages
    assert any("report.html" in output.data.get("text/plain", "") for output in shown)


def test_the_ipynb_is_that_of_the_text() -> None:
    made, kept = jupytext.read(TEXT), nbformat.read(TEXT.with_suffix(".ipynb"), as_version=4)
    assert [(cell.cell_type, cell.source) for cell in made.cells] == [
        (cell.cell_type, cell.source) for cell in kept.cells
    ]
    assert not any(cell.get("outputs") for cell in kept.cells)


def test_every_cell_runs(tmp_path: Path) -> None:
    notebook = jupytext.read(TEXT)
    for cell in notebook.cells:
        for long, short in SHORTER.items():
            cell.source = cell.source.replace(long, short)
    assert all(short in "".join(cell.source for cell in notebook.cells) for short in SHORTER.values())
    write_few_images(tmp_path / "few.npz")
    check_outputs(execute(notebook, tmp_path, 300), "few")
    assert (tmp_path / "runs" / "compare-few-0.3-epochs" / "report.html").exists()


@pytest.mark.slow
def test_the_whole_notebook_takes_under_eight_minutes(tmp_path: Path) -> None:
    import time

    began = time.monotonic()
    check_outputs(execute(jupytext.read(TEXT), tmp_path, 480), "Fashion-MNIST")
    assert time.monotonic() - began < 480
