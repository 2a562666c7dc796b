"""Comparisons that version 0.1.0 made before the records had a schema: read, reported, and gone on with."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fittingroom.comparison.summary import summarise
from fittingroom.core.records import Summary, read_comparison, read_summary
from tests.command import call, call_json

pytestmark = pytest.mark.usefixtures("torch_as_before")

OLD = Path(__file__).parents[1] / "old_comparisons"
IMAGES = (
    *("compare", "--models", "vit_cls,vit", "--epochs", "3", "--set", "train_images=640", "--set", "batch_size=32"),
    *("--set", "patch_size=14", "--set", "embed_dim=2", "--set", "num_heads=1", "--set", "depth=1"),
    *("--set", "mlp_ratio=1", "--set", "positions=none", "--out", "images"),
)
WORDS = (
    *("compare", "--models", "transformer,transformer_1head", "--epochs", "20", "--set", "embed_dim=8"),
    *("--train", "train.tsv", "--dev", "dev.tsv", "--test", "test.tsv"),
    *("--set", "depth_encoder=1", "--set", "depth_decoder=1", "--set", "batch_size=16", "--set", "mlp_ratio=1"),
    *("--set", "max_len=8", "--set", "optim.lr=0.01", "--set", "optim.muon_lr=0.03", "--out", "compared"),
)
"""The commands that made the two, without the number of seeds; that for words was given in the folder `words`."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies of both, `images` and `words/compared`, in the current folder."""
    for name in ("images", "words"):
        shutil.copytree(OLD / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def weights(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every run's weights."""
    found = sorted(folder.rglob("model.safetensors"))
    return {path.parent.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


ONLY_MEANS = ("mean", "sd", "difference")
"""What the present statistics compute as the old ones did. Intervals and p follow another rule since."""


def assert_same_numbers(
    found: Summary, old: dict[str, Any], metrics: tuple[str, ...], only: tuple[str, ...] = ()
) -> None:
    """Every score and difference of `found` is the one in the old summary.json, read here without our upgrade.

    With `only`, just the numbers of these names.
    """
    assert [each.name for each in found.candidates] == [model["name"] for model in old["models"]]
    for each, model in zip(found.candidates, old["models"], strict=True):
        assert (each.num_params, each.num_runs, each.epochs) == (
            model["num_params"],
            model["num_runs"],
            model["epochs"],
        )
        for split in ("val", "test"):
            for metric in metrics:
                expected = model[split] if len(metrics) == 1 else model[split][metric]
                score = {
                    key: value for key, value in vars(each.evals[split][metric]).items() if not only or key in only
                }
                assert score == pytest.approx({key: expected[key] for key in score}), (each.name, split, metric)
    assert [(each.a, each.b) for each in found.contrasts] == [(pair["a"], pair["b"]) for pair in old["pairs"]]
    for each, pair in zip(found.contrasts, old["pairs"], strict=True):
        for metric in metrics:
            expected = pair if len(metrics) == 1 else pair[metric]
            expected = {**expected, "p_adjusted": expected["p_holm"], "outlook": None}
            difference = {key: value for key, value in vars(each.metrics[metric]).items() if not only or key in only}
            assert difference == pytest.approx({key: expected[key] for key in difference})
    assert found.best_by_val == old["best_by_val"]


@pytest.mark.parametrize(
    ("folder", "metrics"), [("images", ("accuracy",)), ("words/compared", ("word_error_rate", "phoneme_error_rate"))]
)
def test_an_old_summary_is_read_and_computed_again_with_the_same_scores(folder: str, metrics: tuple[str, ...]) -> None:
    old = json.loads((OLD / folder / "summary.json").read_text())
    assert_same_numbers(read_summary(OLD / folder), old, metrics)
    assert_same_numbers(summarise(OLD / folder), old, metrics, ONLY_MEANS)


@pytest.mark.parametrize(("folder", "score"), [("images", "17.43"), ("words/compared", "81.67")])
def test_an_old_comparison_is_reported(folder: str, score: str, here: Path) -> None:
    code, out, err = call("report", folder)
    assert (code, err) == (0, "") and out == f"{folder}/report.html\n"
    assert score in (here / folder / "report.html").read_text()


def test_an_old_run_is_scored_as_it_was(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "words")
    for run, name in (("../images/runs/vit-seed0", "accuracy"), ("compared/runs/transformer-seed1", "word_error_rate")):
        old = json.loads(Path(run, "state.json").read_text())
        assert call_json("evaluate", run)[f"val_{name}"] == pytest.approx(old[f"val_{name}"], abs=4e-4)


@pytest.mark.slow
def test_old_images_are_gone_on_with_and_finished_runs_stay(here: Path) -> None:
    before = weights(here / "images")
    summary = call_json(*IMAGES, "--seeds", "2")
    after = weights(here / "images")
    assert {name: after[name] for name in before} == before
    assert [row["run"] for row in summary["runs"]] == ["vit_cls-seed0", "vit-seed0", "vit-seed1", "vit_cls-seed1"]
    assert {row["status"] for row in summary["runs"]} == {"finished"} and set(after) == {
        row["run"] for row in summary["runs"]
    }
    record = read_comparison(here / "images")
    assert (record.schema, record.task, [each.model for each in record.candidates]) == (
        2,
        "classification",
        ["vit", "vit_cls"],
    )
    old = json.loads((OLD / "images" / "summary.json").read_text())
    kept = {row["candidate"]: row["evals"]["test"]["accuracy"] for row in summary["runs"] if row["seed"] == 0}
    assert kept == {model["name"]: pytest.approx(model["test"]["mean"]) for model in old["models"]}


def test_old_words_are_asked_for_again_and_nothing_is_trained(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "words")
    before = weights(here / "words")
    summary = call_json(*WORDS, "--seeds", "2")
    assert weights(here / "words") == before
    assert len(summary["runs"]) == 4
    old = json.loads((OLD / "words" / "compared" / "summary.json").read_text())
    metrics = ("word_error_rate", "phoneme_error_rate")
    assert_same_numbers(read_summary(here / "words" / "compared"), old, metrics, ONLY_MEANS)
