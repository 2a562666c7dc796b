"""Shipped weights are found by name, score as recorded, and are never written to."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fittingroom.api.runs import evaluate_run
from fittingroom.core.cache import cache_folder
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.rundir import read_json
from fittingroom.data.images.load import open_images
from fittingroom.evaluation.read_log import log_test_read
from fittingroom.evaluation.shipped import WEIGHTS, find_run, shipped
from fittingroom.models import MODELS
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.tasks.load import load_run
from fittingroom.tasks.seq2seq.training import Seq2seqTask

NAMES = ("cnn", "hybrid", "vit", "vit_cls")
WORDS = ("transformer", "recurrent")


def test_one_of_each_family_and_the_papers_vit_are_shipped_and_small() -> None:
    assert tuple(shipped("classification")) == NAMES
    for name in NAMES:
        model = read_json(find_run(name) / "config.json")["model"]
        assert model == name and MODELS.get(model).family == name.removesuffix("_cls")
        assert (find_run(name) / "model.safetensors").stat().st_size <= 6_000_000


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_those_of_the_record(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 images suffice to detect broken or swapped weights. `make test-slow` uses all 5,000."""
    run = load_run(name, "classification")
    splits = open_images().split(run.config.seed)
    monkeypatch.setattr(ClassificationTask, "splits", replace(splits, val=splits.val.subset(torch.arange(400))))
    found, num_images = evaluate_run(run, "val")
    assert num_images == 400
    assert found["accuracy"] == pytest.approx(run.state.evals["val"]["accuracy"], abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_scores_as_the_record_says_and_costs_nothing(name: str) -> None:
    run = load_run(name, "classification")
    found = evaluate_run(run, "val")[0]["accuracy"]  # Two images may be close to the decision boundary.
    assert found == pytest.approx(run.state.extras["half_precision_val_accuracy"], abs=2 / 5000)
    assert found > run.state.evals["val"]["accuracy"] - 0.001
    assert len(run.state.test_reads) == 1


@pytest.mark.thorough
@pytest.mark.parametrize("name", WORDS)
def test_shipped_sequence_weights_are_those_of_the_record(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """300 words. `make test-slow` uses all 6,387."""
    run = load_run(name, "seq2seq")
    assert isinstance(run.task, Seq2seqTask)
    splits = run.task.splits
    monkeypatch.setitem(vars(run.task), "splits", replace(splits, val=splits.val.subset(range(0, 6300, 21))))
    found, num_words = evaluate_run(run, "val")
    assert num_words == 300
    assert found["word_error_rate"] == pytest.approx(run.state.evals["val"]["word_error_rate"], abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("name", WORDS)
def test_shipped_sequence_weights_score_as_the_record_says_and_half_precision_costs_nothing(name: str) -> None:
    """Uses all validation words, which takes seconds."""
    run = load_run(name, "seq2seq")
    assert shipped("seq2seq") == sorted(WORDS)
    assert (run.folder / "model.safetensors").stat().st_size <= 6_000_000
    found = evaluate_run(run, "val")[0]["word_error_rate"]
    assert found == pytest.approx(run.state.extras["half_precision_val_word_error_rate"], abs=5 / 6387)
    assert found < run.state.evals["val"]["word_error_rate"] + 0.001
    assert len(run.state.test_reads) == 1


def test_a_folder_is_taken_as_it_is_and_a_typing_error_is_answered(tmp_path: Path) -> None:
    assert find_run(tmp_path) == tmp_path
    with pytest.raises(FittingRoomError, match=r"no run at 'hybird'.*did you mean 'hybrid'\?"):
        find_run("hybird")


def test_a_read_that_cannot_be_logged_says_so_and_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(FittingRoomError, match=r"cannot be logged: .*: set XDG_CACHE_HOME to another folder$"):
        log_test_read(find_run("cnn"), "evaluate")


def test_a_read_that_cannot_be_logged_suggests_no_option_that_evaluate_lacks(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FittingRoomError, match=r"cannot be logged: .*: make it writable, or work on a copy") as error:
        log_test_read(tmp_path / "file" / "run", "evaluate")
    assert "--out" not in str(error.value)


def test_no_read_is_lost_where_several_log_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log_test_read(tmp_path, f"read {number}"), range(40)))
    reads = json.loads((tmp_path / "state.json").read_text())["test_reads"]
    assert {read["why"] for read in reads} == {f"read {number}" for number in range(40)}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_read_of_the_test_images_is_logged_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (WEIGHTS / "cnn" / "state.json").read_bytes()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    log_test_read(find_run("cnn"), "a test of the log")
    assert (WEIGHTS / "cnn" / "state.json").read_bytes() == before
    reads = json.loads((cache_folder("test-reads") / "cnn" / "state.json").read_text())
    assert [read["why"] for read in reads["test_reads"]] == ["a test of the log"]


def test_a_comparison_is_no_run_and_one_of_its_runs_is_named(tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(FittingRoomError, match=r"is a comparison: give one of its runs$"):
        find_run(tmp_path)
    for name in ("vit-seed1", "vit-seed0"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "config.json").write_text("{}")
    with pytest.raises(FittingRoomError, match=r"is a comparison: give one of its runs, such as .*runs/vit-seed0$"):
        find_run(tmp_path)
