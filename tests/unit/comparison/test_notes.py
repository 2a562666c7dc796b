"""What stands beside a verdict: useless runs, few seeds beside many, and folds that are missing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fittingroom.comparison.summary import summarise
from fittingroom.core.records import read_comparison, write_comparison
from tests.unit.comparison.test_summary import make, predictions


def test_a_run_like_one_answer_for_all_images_is_named_and_not_called_calm(tmp_path: Path) -> None:
    """A third of the images are of each class. Seed 1 of the ViT answers one class for nearly all of them."""
    folder = make(tmp_path, seeds=3)
    np.savez(folder / "runs/vit-seed1/predictions.npz", **predictions(0.33, 1))
    notes = summarise(folder).notes
    (found,) = [note for note in notes if "hardly better" in note]
    assert found == (
        "one answer for all test images would have accuracy 33.50 %, and these runs are hardly better: VIT (seed 1); did they "
        "collapse?"
    )
    assert any(note.startswith("no run of CNN, HYBRID collapsed in 3 seeds, but") for note in notes)


def test_models_like_one_answer_for_all_images_are_not_called_a_tie_for_want_of_images(tmp_path: Path) -> None:
    folder = make(tmp_path, ("vit", "cnn"))
    for number, run in enumerate(sorted((folder / "runs").iterdir())):
        np.savez(run / "predictions.npz", **predictions(0.33, number))
    found = summarise(folder)
    assert found.verdict.headline == "No model is clearly better than one answer for all images."
    assert any("hardly better" in note for note in found.notes)


def test_a_model_with_few_seeds_beside_many_is_warned_of(tmp_path: Path) -> None:
    """Its seed variance is taken from the others."""
    few = summarise(make(tmp_path / "few", ("vit", "cnn"), seeds=4, failed=("vit-seed0", "vit-seed1"))).notes
    assert (
        len([note for note in few if note.startswith("warning: VIT has at most half the seeds of another model")]) == 1
    )
    enough = summarise(make(tmp_path / "enough", ("vit", "cnn"), seeds=3, failed=("vit-seed0",))).notes
    alone = summarise(make(tmp_path / "alone", ("vit", "cnn"), failed=("vit-seed0", "vit-seed1"))).notes
    assert not [note for note in (*enough, *alone) if "at most half" in note]


def make_folds(folder: Path, failed: tuple[str, ...]) -> Path:
    """Two models, two seeds, three folds: runs 0 to 2 of a model are the first seed."""
    make(folder, ("vit", "cnn"), seeds=6, failed=failed)
    record = read_comparison(folder)
    for row in record.finished():
        path = folder / row.folder / "predictions.npz"
        arrays = dict(np.load(path))
        test = {name: values[row.seed % 3 :: 3] for name, values in arrays.items() if name.startswith("test_")}
        np.savez(path, **{**arrays, **test})
    write_comparison(folder, replace(record, data=replace(record.data, facts={"folds": 3})))
    return folder


@pytest.mark.parametrize(
    ("failed", "headline", "words"),
    [
        (
            ("cnn-seed5",),
            "CNN beats VIT (3 of 4 cross-validations).",
            "Only 3 of 4 cross-validations have finished (seeds:",
        ),
        (
            ("cnn-seed1", "cnn-seed5"),
            "VIT has no other model to",
            "CNN finished no cross-validation and cannot be judged.",
        ),
        (
            ("cnn-seed1", "cnn-seed5", "vit-seed0", "vit-seed3"),
            "No cross-validation finished.",
            "no cross-validation has finished (4 of its runs failed).",
        ),
    ],
)
def test_a_missing_fold_is_not_called_a_missing_run(
    failed: tuple[str, ...], headline: str, words: str, tmp_path: Path
) -> None:
    """A seed counts if all its folds are there. Eight of twelve runs may have finished, and no seed."""
    summary = summarise(make_folds(tmp_path, failed))
    assert summary.verdict.headline.startswith(headline) and words in summary.verdict.sentence
    assert not [note for note in summary.notes if "finished no run" in note]
    assert summary.contrasts or not [note for note in summary.notes if note.startswith("one seed")]
