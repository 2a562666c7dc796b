"""The summary of made-up comparisons on disk: its structure, its numbers, and what it says when files are bad."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fittingroom.comparison.grid import _environment
from fittingroom.comparison.summary import summarise
from fittingroom.core.config import to_dict
from fittingroom.core.decision import RULE
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import (
    BudgetRecord,
    CandidateRecord,
    DataRecord,
    RunRow,
    Score,
    Summary,
    read_comparison,
    read_summary,
    write_comparison,
    write_summary,
)
from fittingroom.core.rundir import write_json
from fittingroom.evaluation.selection import disagreements
from fittingroom.evaluation.statistics import (
    accuracy_interval,
    adjusted,
    paired_difference,
    pooled_seed_spread,
    rate_interval,
)
from fittingroom.tasks.scoring import SCORINGS
from fittingroom.tasks.seq2seq.scoring import read_pair_predictions
from tests.comparison_fixture import make_record
from tests.words_fixture import write_words

CLASSES = ("round", "square", "flat")
SHARES = {"vit": 0.70, "cnn": 0.95, "hybrid": 0.85}
NUM_VAL, NUM_TEST = 150, 400
WORDS, PHONEMES = "word_error_rate", "phoneme_error_rate"
OLD = Path(__file__).parents[2] / "schema1"


def predictions(share: float, seed: int) -> dict[str, Any]:
    """The arrays of a run that is right on about `share` of the images, the others one class off."""
    random, arrays = np.random.default_rng(seed), dict[str, Any]()
    for split, num_images in (("val", NUM_VAL), ("test", NUM_TEST)):
        labels = np.arange(num_images) % 3
        classes = np.where(random.random(num_images) < share, labels, (labels + 1) % 3)
        arrays[f"{split}_probs"] = np.where(np.eye(3)[classes] > 0, 0.8, 0.1).astype(np.float16)
        arrays[f"{split}_labels"] = labels.astype(np.int32)
        arrays[f"{split}_index"] = np.arange(num_images, dtype=np.int32)
    return arrays


def ledger_row(name: str, seed: int, failed: bool = False) -> RunRow:
    row = {"run": f"{name}-seed{seed}", "folder": f"runs/{name}-seed{seed}", "candidate": name, "seed": seed}
    if failed:
        return RunRow(**row, status="failed", error="the loss is not a number at step 12")
    cost = {"epochs": 5.0, "train_seconds": 60.0 + seed, "items_per_second": 900.0, "peak_memory_bytes": 1000 + seed}
    return RunRow(**row, status="finished", **cost)


def make(folder: Path, names: tuple[str, ...] = tuple(SHARES), seeds: int = 2, failed: tuple[str, ...] = ()) -> Path:
    """A comparison on disk; runs named in `failed` left no predictions."""
    rows = [ledger_row(name, seed, f"{name}-seed{seed}" in failed) for name in names for seed in range(seeds)]
    for number, row in enumerate(rows):
        if row.status == "finished":
            run = folder / row.folder
            run.mkdir(parents=True)
            np.savez(run / "predictions.npz", **predictions(SHARES[row.candidate], number))
    candidates = [
        CandidateRecord(name=name, title=name.upper(), model=name, family=name, num_params=10, num_macs=20)
        for name in names
    ]
    data = DataRecord(name="shapes", class_names=CLASSES)
    record = make_record("classification", "Shapes", data, candidates, seeds, rows)
    record = replace(record, budget=BudgetRecord(kind="epochs", value=5, text="5 epochs each"))
    write_comparison(folder, record)
    return folder


def accuracy(summary: Summary, place: int, split: str = "test") -> Score:
    return summary.candidates[place].evals[split]["accuracy"]


def test_a_summary_is_read_as_it_was_written_and_holds_every_score(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    write_summary(tmp_path, summary)
    assert read_summary(tmp_path) == summary
    for candidate in summary.candidates:
        assert set(candidate.evals) == {"val", "test"}
        assert set(candidate.details) == {"per_class", "confusion", "nll", "ece"}
    json.dumps(to_dict(summary), allow_nan=False)


@pytest.mark.parametrize("kind", ["images", "seq2seq"])
def test_a_comparison_of_the_first_schema_gives_the_scores_it_gave(kind: str) -> None:
    """Written by the version before records had a schema: a failed run, two or three models, two seeds.

    Its intervals and p-values followed another rule, and contrasts took only the seeds that both models finished.
    """
    new, old = summarise(OLD / kind), read_summary(OLD / kind)
    for found, before in zip(new.candidates, old.candidates, strict=True):
        assert (found.name, found.num_runs, found.train_seconds) == (before.name, before.num_runs, before.train_seconds)
        for split, scores in before.evals.items():
            for metric, score in scores.items():
                assert found.evals[split][metric].mean == score.mean and found.evals[split][metric].sd == score.sd
    assert [(each.a, each.b) for each in new.contrasts] == [(each.a, each.b) for each in old.contrasts]
    assert new.best_by_val == old.best_by_val
    assert 0 < next(iter(old.contrasts[0].metrics.values())).p_adjusted <= 1


def test_scores_are_those_of_the_predictions(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    runs = [predictions(SHARES["cnn"], number) for number in (2, 3)]
    accuracies = [np.mean(run["test_probs"].argmax(axis=1) == run["test_labels"]) for run in runs]
    cnn, test = summary.candidates[1].details, accuracy(summary, 1)
    assert test.mean == pytest.approx(np.mean(accuracies))
    assert test.sd == pytest.approx(np.std(accuracies, ddof=1))
    assert test.low is not None and test.high is not None and test.low < np.mean(accuracies) < test.high
    assert np.sum(cnn["confusion"]) == 2 * NUM_TEST and np.trace(cnn["confusion"]) == np.sum(accuracies) * NUM_TEST
    assert np.average(cnn["per_class"], weights=np.sum(cnn["confusion"], axis=1)) == pytest.approx(np.mean(accuracies))
    nlls = [-np.log(0.8) * share - np.log(0.1) * (1 - share) for share in accuracies]
    assert cnn["nll"] == pytest.approx(np.mean(nlls), abs=1e-3)
    assert cnn["ece"] == pytest.approx(np.mean([abs(a - 0.8) for a in accuracies]), abs=1e-3)


def test_costs_are_means_and_memory_is_the_largest(tmp_path: Path) -> None:
    found = summarise(make(tmp_path)).candidates[0]
    assert (found.train_seconds, found.peak_memory_bytes, found.epochs) == (60.5, 1001, 5.0)


def test_differences_have_intervals_over_the_pooled_seeds_and_adjusted_p(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    splits = [predictions(SHARES[name], number) for number, name in enumerate(np.repeat(list(SHARES), 2))]
    correct = np.stack([s["test_probs"].argmax(axis=1) == s["test_labels"] for s in splits]).reshape(3, 2, NUM_TEST)
    spread = pooled_seed_spread(list(correct))
    expected = [paired_difference(correct[a], correct[b], 0.95, spread) for a, b in ((0, 1), (0, 2), (1, 2))]
    for contrast, pair, p in zip(summary.contrasts, expected, adjusted([pair.p for pair in expected], 3), strict=True):
        found = contrast.metrics["accuracy"]
        assert (found.low, found.high, found.p_adjusted) == pytest.approx((pair.low, pair.high, p))
    names = [(contrast.a, contrast.b) for contrast in summary.contrasts]
    assert names == [("vit", "cnn"), ("vit", "hybrid"), ("cnn", "hybrid")]


def test_the_best_is_chosen_on_validation_and_the_verdict_names_the_setting(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    assert summary.best_by_val == "cnn"
    assert "Measured on Shapes with 5 epochs each and 2 seeds." in summary.verdict.sentence
    assert summary.verdict.headline.startswith("CNN ") and "VIT" in summary.verdict.headline


def test_the_rule_is_said_wherever_there_is_more_than_one_pair(tmp_path: Path) -> None:
    assert "Shaffer's step-down for three models, Holm's for more" in RULE and "Intervals are not adjusted" in RULE
    assert summarise(make(tmp_path / "three")).notes.count(RULE) == 1
    assert RULE not in summarise(make(tmp_path / "two", names=("vit", "cnn"))).notes


def test_one_seed_leaves_deviations_undefined_and_says_so(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, seeds=1))
    assert accuracy(summary, 0).sd is None
    assert "one seed: the intervals cover images only, not other seeds" in summary.notes
    assert "these trained networks" in summary.verdict.sentence


def test_contrasts_take_all_seeds_that_each_model_finished(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, seeds=2, failed=("vit-seed1",)))
    assert [(each.num_runs, each.num_failed) for each in summary.candidates] == [(1, 1), (2, 0), (2, 0)]
    numbers = {"vit": (0,), "cnn": (2, 3)}
    runs = [predictions(SHARES[name], number) for name, found in numbers.items() for number in found]
    right = [np.mean(run["test_probs"].argmax(axis=1) == run["test_labels"]) for run in runs]
    assert summary.contrasts[0].metrics["accuracy"].difference == pytest.approx(right[0] - np.mean(right[1:]))
    assert [each.num_planned for each in summary.candidates] == [2, 2, 2]
    assert summary.verdict.headline.endswith(" (5 of 6 runs).")
    assert summary.notes[0] == "vit-seed1 failed: the loss is not a number at step 12"
    assert accuracy(summary, 0).sd is None and accuracy(summary, 1).sd is not None


def test_a_model_without_a_finished_run_has_no_scores_and_no_pairs(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, failed=("vit-seed0", "vit-seed1")))
    vit = summary.candidates[0]
    assert vit.evals["test"]["accuracy"] == vit.evals["val"]["accuracy"] == Score()
    assert vit.details == {} and vit.train_seconds is None
    assert [(contrast.a, contrast.b) for contrast in summary.contrasts] == [("cnn", "hybrid")]
    assert "VIT finished no run and is left out" in summary.notes


def test_all_runs_failed_is_still_a_summary(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, names=("cnn",), seeds=1, failed=("cnn-seed0",)))
    assert summary.contrasts == () and summary.best_by_val is None
    assert summary.verdict.headline == "No run finished."


def test_models_without_a_common_seed_are_compared_too(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path, names=("cnn", "vit"), failed=("cnn-seed0", "vit-seed1")))
    assert [(each.a, each.b) for each in summary.contrasts] == [("cnn", "vit")]
    assert "with one seed each" in summary.verdict.sentence and "1 of 2 seeds" in summary.verdict.headline


def test_a_tie_has_an_outlook_and_a_decided_pair_has_none(tmp_path: Path) -> None:
    summary = summarise(make(tmp_path))
    for contrast in summary.contrasts:
        found = contrast.metrics["accuracy"]
        assert (found.outlook is None) == found.is_decided
    num_ties = sum(not each.metrics["accuracy"].is_decided for each in summary.contrasts)
    assert bool(num_ties) == bool(summary.verdict.outlook)


def test_the_notes_say_how_often_a_model_may_still_collapse(tmp_path: Path) -> None:
    assert any(
        "no run collapsed in 3 seeds" in note and " 63 % " in note for note in summarise(make(tmp_path, seeds=3)).notes
    )


def test_a_model_whose_seeds_vary_far_more_is_warned_of(tmp_path: Path) -> None:
    folder = make(tmp_path, seeds=3)
    for seed, share in enumerate((0.2, 0.9, 0.6)):
        np.savez(folder / f"runs/vit-seed{seed}/predictions.npz", **predictions(share, seed))
    warnings = [note for note in summarise(folder).notes if note.startswith("warning: ")]
    assert len(warnings) == 1 and "the seeds of VIT vary" in warnings[0] and "(F test, p " in warnings[0]


def test_runs_of_several_commits_precisions_and_processors_are_named(tmp_path: Path) -> None:
    folder = make(tmp_path)
    rows = read_comparison(folder).runs
    for number, row in enumerate(rows):
        environment = {
            "commit": "abc" if number else "def",
            "processor": f"AMD EPYC, {number + 1} threads",
            "plan": {"precision": "bf16" if number > 2 else "fp32"},
        }
        (folder / row.folder / "environment.json").write_text(json.dumps(environment))
    mixed = "The runs mix 2 commits and 2 precisions (bf16 and fp32)."
    found = summarise(folder).verdict
    assert found.conditions == (mixed,) and mixed in found.sentence


def test_runs_on_two_kinds_of_processor_are_named_and_threads_make_no_kind(tmp_path: Path) -> None:
    folder = make(tmp_path, names=("cnn",), seeds=3)
    for seed, processor in enumerate(("AMD EPYC, 1 thread", "Intel Xeon, 2 threads", "AMD EPYC, 2 threads")):
        (folder / f"runs/cnn-seed{seed}/environment.json").write_text(json.dumps({"processor": processor}))
    mixed = "The runs mix 2 kinds of processor (AMD EPYC and Intel Xeon)."
    assert summarise(folder).verdict.conditions == (mixed,)


def test_a_run_resumed_with_other_code_is_a_mixture(tmp_path: Path) -> None:
    folder = make(tmp_path, names=("cnn",), seeds=1)
    environment = {"commit": "abc", "resumed": [{"commit": "def", "processor": "AMD EPYC, 1 thread"}]}
    (folder / "runs/cnn-seed0/environment.json").write_text(json.dumps(environment))
    assert summarise(folder).verdict.conditions == ("The runs mix 2 commits.",)


def test_a_class_without_test_images_has_no_accuracy(tmp_path: Path) -> None:
    folder = make(tmp_path, names=("cnn",), seeds=1)
    arrays = predictions(0.9, 0)
    arrays["test_labels"] = np.minimum(arrays["test_labels"], 1)
    np.savez(folder / "runs/cnn-seed0/predictions.npz", **arrays)
    assert summarise(folder).candidates[0].details["per_class"][2] is None


def damaged(folder: Path, damage: str) -> None:
    path = folder / "runs/cnn-seed0/predictions.npz"
    whole, arrays = path.read_bytes(), predictions(0.9, 0)
    if damage == "missing":
        path.unlink()
    elif damage in ("cut", "empty", "text"):
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"<html>"}[damage])
    elif damage == "flipped":
        path.write_bytes(whole[:300] + bytes(byte ^ 255 for byte in whole[300:320]) + whole[320:])
    elif damage == "bare array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        changes: dict[str, Any] = {
            "key": {"val_probs": None},
            "nan": {"test_probs": np.full((NUM_TEST, 3), np.nan, dtype=np.float16)},
            "classes": {"test_probs": np.zeros((NUM_TEST, 5), dtype=np.float16)},
            "labels": {"test_labels": np.full(NUM_TEST, 9, dtype=np.uint8)},
            "none": {f"test_{part}": arrays[f"test_{part}"][:0] for part in ("probs", "labels", "index")},
        }[damage]
        np.savez(path, **{key: value for key, value in (arrays | changes).items() if value is not None})


KINDS = ["missing", "cut", "empty", "text", "flipped", "bare array", "key", "nan", "classes", "labels", "none"]


@pytest.mark.parametrize("damage", KINDS)
def test_bad_predictions_are_named_with_their_fix_on_one_line(tmp_path: Path, damage: str) -> None:
    damaged(make(tmp_path), damage)
    with pytest.raises(FittingRoomError, match=r"cnn-seed0/predictions\.npz is (missing|damaged).*again") as caught:
        summarise(tmp_path)
    assert "\n" not in str(caught.value)


def test_runs_on_different_test_images_are_refused(tmp_path: Path) -> None:
    folder = make(tmp_path)
    arrays = predictions(0.9, 0)
    arrays["test_index"] = arrays["test_index"] + 1
    np.savez(folder / "runs/hybrid-seed1/predictions.npz", **arrays)
    with pytest.raises(FittingRoomError, match="hybrid-seed1 and of vit-seed0 hold different test images"):
        summarise(folder)


def test_a_run_that_left_the_test_part_sealed_cannot_be_compared(tmp_path: Path) -> None:
    folder, scoring = make(tmp_path), SCORINGS.get("classification")
    run = folder / "runs/cnn-seed1"
    parts = scoring.load(run, DataRecord(name="", class_names=CLASSES))
    scoring.save(run, {"val": parts["val"]})
    with pytest.raises(FittingRoomError, match=r"cnn-seed1 holds no test images: the run left the test part sealed"):
        summarise(folder)


def test_two_sizes_and_two_settings_of_one_model_are_candidates_of_their_own(tmp_path: Path) -> None:
    folder = make(tmp_path)
    record = read_comparison(folder)
    names = {"vit": "vit@num_train=100", "cnn": "vit", "hybrid": "vit@depth=2"}
    candidates = [replace(each, name=names[each.name], model="vit", num_train=10) for each in record.candidates]
    rows = [replace(row, candidate=names[row.candidate], num_train=10) for row in record.runs]
    write_comparison(folder, replace(record, candidates=tuple(candidates), runs=tuple(rows)))
    summary = summarise(folder)
    assert [each.name for each in summary.candidates] == list(names.values())
    assert [each.num_runs for each in summary.candidates] == [2, 2, 2] and summary.best_by_val == "vit"
    assert summary.candidates[0].num_train == 10


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("budget", None, "budget"),
        ("data", {}, "key 'name' is missing"),
        ("runs", [{"run": "x"}], "runs: key 'folder' is missing"),
        ("candidates", [3], "candidates"),
        ("candidates", {"name": "vit"}, "candidates"),
        ("seeds", 2, "seeds"),
        ("title", 3, "title"),
        ("task", "clasification", "unknown task 'clasification': did you mean 'classification'"),
    ],
)
def test_an_incomplete_comparison_file_is_named(tmp_path: Path, key: str, value: Any, named: str) -> None:
    path = make(tmp_path) / "comparison.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(FittingRoomError, match=named) as caught:
        summarise(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_comparison_that_is_no_object_or_is_missing_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(FittingRoomError, match=r"comparison\.json is missing"):
        summarise(tmp_path)
    (tmp_path / "comparison.json").write_text("[]")
    with pytest.raises(FittingRoomError, match=r"comparison\.json holds no JSON object"):
        summarise(tmp_path)


def test_the_surest_contradiction_comes_first() -> None:
    a = np.array([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.8, 0.2]])
    b = np.array([[0.8, 0.2], [0.1, 0.9], [0.05, 0.95], [0.3, 0.7]])
    found = disagreements({"a": a[None], "b": b[None]}, np.zeros(4, dtype=int))
    assert found.tolist() == [2, 3, 1]
    assert disagreements({"a": a[None], "b": b[None]}, np.zeros(4, dtype=int), limit=2).tolist() == [2, 3]


def test_seeds_are_averaged_before_models_are_compared() -> None:
    seeds = np.array([[[0.9, 0.1]], [[0.4, 0.6]]], dtype=np.float16)
    assert disagreements({"a": seeds, "b": np.array([[[0.8, 0.2]]])}, np.zeros(1, dtype=int)).tolist() == []


def test_any_two_of_three_models_may_contradict_each_other() -> None:
    sure, other = np.array([[[0.9, 0.1]]]), np.array([[[0.2, 0.8]]])
    assert disagreements({"a": sure, "b": sure, "c": other}, np.zeros(1, dtype=int)).tolist() == [0]
    assert disagreements({"a": sure}, np.zeros(1, dtype=int)).tolist() == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, two seeds, all finished."""
    return write_words(tmp_path_factory.mktemp("pairs"), num_models=3)


@pytest.fixture(scope="module")
def summary(folder: Path) -> Summary:
    return summarise(folder)


def rate(summary: Summary, place: int, name: str = WORDS, split: str = "test") -> Score:
    return summary.candidates[place].evals[split][name]


@pytest.mark.thorough
def test_rates_are_those_of_the_runs(folder: Path, summary: Summary) -> None:
    record = read_comparison(folder)
    for candidate in summary.candidates:
        for split in ("val", "test"):
            for name in (WORDS, PHONEMES):
                rates = [row.evals[split][name] for row in record.finished(candidate.name)]
                found = candidate.evals[split][name]
                assert found.mean == pytest.approx(np.mean(rates)) and found.sd == pytest.approx(np.std(rates, ddof=1))
                assert found.low is not None and found.high is not None and found.low < np.mean(rates) < found.high


def test_intervals_are_over_words_and_pooled_seeds(folder: Path, summary: Summary) -> None:
    runs = {
        name: [read_pair_predictions(folder / f"runs/{name}-seed{seed}")["test"] for seed in (0, 1)]
        for name in ("transformer", "recurrent", "small")
    }
    wrong = [np.stack([run.rates.wrong for run in found]) for found in runs.values()]
    edits = [np.stack([run.edit_values for run in found]) for found in runs.values()]
    right = accuracy_interval(~wrong[0], 0.95, pooled_seed_spread(wrong))
    mirrored, test = (1 - right.high, 1 - right.low), rate(summary, 0)
    assert (test.low, test.high) == pytest.approx(mirrored)
    phonemes = rate_interval(edits[0], 0.95, pooled_seed_spread(edits))
    test = rate(summary, 0, PHONEMES)
    assert (test.low, test.high) == pytest.approx((phonemes.low, phonemes.high))
    for key, values in ((WORDS, wrong), (PHONEMES, edits)):
        spread = pooled_seed_spread(values)
        expected = [paired_difference(values[a], values[b], 0.95, spread) for a, b in ((0, 1), (0, 2), (1, 2))]
        for contrast, reference, p in zip(
            summary.contrasts, expected, adjusted([pair.p for pair in expected], 3), strict=True
        ):
            found = contrast.metrics[key]
            assert (found.difference, found.p_adjusted) == pytest.approx((reference.difference, p))
            assert (found.low, found.high) == pytest.approx((reference.low, reference.high))


def test_writing_is_a_speed(folder: Path, summary: Summary) -> None:
    rows, found = read_comparison(folder).finished("recurrent"), summary.candidates[1]
    assert found.items_per_second == pytest.approx(np.mean([row.items_per_second or 0 for row in rows]))
    seconds = np.mean([row.extras["decode_seconds"] for row in rows])
    assert found.extras == pytest.approx({"decode_seconds": seconds, "words_per_second": 800 / seconds})
    assert found.peak_memory_bytes == max(row.peak_memory_bytes or 0 for row in rows)


def test_the_most_frequent_edits_are_counted_over_seeds(folder: Path, summary: Summary) -> None:
    runs = [read_pair_predictions(folder / f"runs/small-seed{seed}")["test"] for seed in (0, 1)]
    found = summary.candidates[2].details["confusions"]
    assert found["num_edits"] == sum(int(run.rates.edits.sum()) for run in runs)
    wanted, written, count = found["most"][0]
    assert count == sum(run.edits.get((wanted, written), 0) for run in runs)
    counts = [count for *_, count in found["most"]]
    assert counts == sorted(counts, reverse=True) and len(counts) <= 12


def test_the_best_has_the_fewest_errors_on_validation(summary: Summary) -> None:
    by_val = {each.name: rate(summary, n, split="val").mean or 1 for n, each in enumerate(summary.candidates)}
    assert summary.best_by_val == min(by_val, key=lambda name: by_val[name]) == "transformer"
    assert "Transformer makes the fewest word errors" in summary.verdict.sentence


def test_one_seed_covers_words_only_and_says_so(tmp_path: Path) -> None:
    summary = summarise(write_words(tmp_path, num_seeds=1))
    assert "one seed: the intervals cover words only, not other seeds" in summary.notes
    assert rate(summary, 0).sd is None


def test_failed_runs_are_left_out_and_named(tmp_path: Path) -> None:
    summary = summarise(write_words(tmp_path, failed=("recurrent-seed0", "recurrent-seed1")))
    found = summary.candidates[1]
    assert (found.num_runs, found.num_failed) == (0, 2)
    assert rate(summary, 1) == Score() and found.details == {} and found.extras["words_per_second"] is None
    assert "RNN with attention finished no run and is left out" in summary.notes
    assert summary.contrasts == () and "no other model" in summary.verdict.sentence


def spoil(folder: Path, run: str, **changes: Any) -> None:
    path = folder / f"runs/{run}/predictions.npz"
    with np.load(path) as archive:
        found = {**archive, **changes}
    np.savez(path, **found)


@pytest.mark.parametrize("split", ["val", "test"])
def test_runs_on_different_words_are_refused(tmp_path: Path, split: str) -> None:
    folder = write_words(tmp_path)
    with np.load(folder / "runs/recurrent-seed1/predictions.npz") as archive:
        sources = archive[f"{split}_sources"][::-1]
    spoil(folder, "recurrent-seed1", **{f"{split}_sources": sources})
    with pytest.raises(
        FittingRoomError, match=f"recurrent-seed1 and of transformer-seed0 hold different {split} words"
    ):
        summarise(folder)


def test_a_run_without_its_environment_is_passed_over(tmp_path: Path) -> None:
    rows = [
        RunRow(run=f"vit-seed{seed}", folder=f"runs/vit-seed{seed}", candidate="vit", seed=seed, status="finished")
        for seed in range(2)
    ]
    record = make_record("classification", "Images", DataRecord(name="images"), [], 2, rows)
    assert _environment(tmp_path, record) == {}
    write_json(tmp_path / "runs" / "vit-seed1" / "environment.json", {"torch": "2", "plan": {"precision": "bf16"}})
    assert _environment(tmp_path, record) == {"torch": "2", "precision": "bf16"}
