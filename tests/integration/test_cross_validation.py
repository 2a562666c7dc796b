"""Cross-validation: each seed trains a network per fold, and every image is tested once per seed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fittingroom as fr
from fittingroom.api.runs import configure
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import read_comparison
from fittingroom.tasks.load import open_task
from fittingroom.tasks.scoring import SCORINGS
from tests.own_images import write_images

SETTINGS = {"size": "nano", "folds": 3, "batch_size": 16}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> fr.ComparisonResult:
    place = tmp_path_factory.mktemp("folds")
    data = write_images(place / "few.npz", number=60, size=(16, 16), num_classes=2)
    return fr.compare(
        "cnn,vit", data, seeds=2, epochs=1, settings=SETTINGS, folder=place / "out", jobs=1,
        plan={"device": "cpu", "precision": "fp32", "num_threads": "1"}, progress=False,
    )  # fmt: skip


@pytest.mark.slow
def test_every_image_is_tested_once_per_seed_by_a_network_that_has_not_seen_it(result: fr.ComparisonResult) -> None:
    record = read_comparison(result.folder)
    assert len(record.finished("cnn")) == 6 and record.data.num_test == 60
    tested = []
    for row in record.finished("cnn"):
        run = fr.load_run(result.folder / row.folder)
        task: Any = run._saved.task
        test = set(task.splits.test_index.tolist())
        assert not test & set(task.splits.train.index.tolist()) and not test & set(task.splits.val.index.tolist())
        with np.load(result.folder / row.folder / "predictions.npz") as arrays:
            assert set(arrays["test_index"].tolist()) == test
        tested += sorted(test)
    assert sorted(tested) == sorted([*range(60), *range(60)])


@pytest.mark.slow
def test_the_summary_counts_seeds_and_says_what_was_done(result: fr.ComparisonResult) -> None:
    assert [each.num_runs for each in result.summary.candidates] == [2, 2]
    assert "2 seeds of 3-fold cross-validation" in result.verdict.sentence
    page = result.report().read_text()
    assert "3 networks are trained per seed" in page and "2 seeds, the same for all models" in page


@pytest.mark.slow
def test_a_seed_without_all_of_its_folds_is_left_out(result: fr.ComparisonResult) -> None:
    record = read_comparison(result.folder)
    scoring = SCORINGS.get("classification")
    runs = {row.seed: scoring.load(result.folder / row.folder, record.data) for row in record.finished("vit")}
    del runs[4]
    merged = scoring.merge(runs, record.data)
    assert list(merged) == [0] and merged[0]["test"].index.tolist() == list(range(60))


def test_folds_need_images_whose_test_part_the_program_draws(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match="fashion-mnist: it has a test part of its own"):
        fr.compare("cnn", epochs=1, settings={"folds": 5}, folder=tmp_path / "out", progress=False)
    data = write_images(tmp_path / "few.npz", number=60, size=(16, 16), num_classes=2)
    with pytest.raises(FittingRoomError, match="different folds, so different test images"):
        fr.compare("cnn,cnn@folds=3", data, epochs=1, folder=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


def test_the_record_of_the_simulation_says_that_intervals_cover_and_equal_models_are_seldom_told_apart() -> None:
    path = Path(__file__).parents[2] / "results" / "statistics" / "folds.json"
    for cell in json.loads(path.read_text())["cells"]:
        error = 100 * (0.05 * 0.95 / cell["number"]) ** 0.5  # of a share of 5 %
        assert cell["coverage"] >= 95 - 2.5 * error, cell
        assert (cell["false_claims"] or 0) <= 5 + 2.5 * error, cell


def test_a_comparison_of_few_images_is_advised_to_cross_validate(tmp_path: Path) -> None:
    few = str(write_images(tmp_path / "few.npz", number=60, size=(16, 16), num_classes=2))
    (hint,) = open_task(configure("cnn", few, epochs=1)).comparison_hints
    assert hint == "only 12 of 60 images are test images: --folds 5 tests all of them, once per seed"
    assert open_task(configure("cnn", few, epochs=1, settings={"folds": 5})).comparison_hints == ()
    many = str(write_images(tmp_path / "many.npz", number=2000, size=(8, 8), num_classes=2))
    assert open_task(configure("cnn", many, epochs=1)).comparison_hints == ()
