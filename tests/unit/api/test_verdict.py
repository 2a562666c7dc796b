"""Predictions of any library get intervals, a verdict and a page; whatever is wrong with them is one clear line."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fittingroom as fr
from fittingroom.api.prediction_files import read_array, read_prediction_files
from fittingroom.api.verdict import VerdictResult, verdict
from fittingroom.core.errors import FittingRoomError
from fittingroom.evaluation.statistics import paired_difference, pooled_seed_spread

NAMES = ["cat", "dog", "eel"]
LABELS = np.random.default_rng(0).integers(0, 3, 300)


def made_up(skill: float, seed: int) -> np.ndarray:
    logits = np.random.default_rng(seed).normal(size=(300, 3))
    logits[np.arange(300), LABELS] += skill
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def two() -> dict[str, Any]:
    return {"vit": [made_up(1.0, 1), made_up(1.0, 2)], "cnn": [made_up(3.0, 3), made_up(3.0, 4)]}


@pytest.fixture(scope="module")
def found() -> VerdictResult:
    return fr.verdict(two(), LABELS, class_names=NAMES, title="pets")


def test_the_better_model_wins_with_the_intervals_of_a_comparison(found: VerdictResult) -> None:
    assert found.headline == "cnn beats vit."
    assert found.sentence.startswith("cnn classifies best: ")
    assert found.sentence.endswith("Measured on pets with 2 seeds.")
    right = {name: np.stack([each.argmax(axis=1) == LABELS for each in seeds]) for name, seeds in two().items()}
    spread = pooled_seed_spread(list(right.values()))
    expected = paired_difference(right["vit"], right["cnn"], 0.95, spread)
    (contrast,) = found.contrasts
    assert (contrast.a, contrast.b, contrast.separated) == ("vit", "cnn", True)
    assert (contrast.difference, contrast.low, contrast.high, contrast.p) == pytest.approx(
        (expected.difference, expected.low, expected.high, expected.p)
    )
    assert [row["model"] for row in found.table.rows] == ["vit", "cnn"]
    assert list(found.table.headings.values()) == ["Model", "Test accuracy (%)"]


@pytest.mark.parametrize(
    "convert",
    [
        lambda seeds: [each.tolist() for each in seeds],
        lambda seeds: np.stack(seeds),
        lambda seeds: torch.tensor(np.stack(seeds)),
        lambda seeds: [torch.tensor(each, requires_grad=True) for each in seeds],
        lambda seeds: tuple(seeds),
    ],
    ids=["lists", "stack", "tensor stack", "tensors", "tuple"],
)
def test_arrays_of_any_kind_say_the_same(found: VerdictResult, convert: Any) -> None:
    other = verdict({name: convert(seeds) for name, seeds in two().items()}, LABELS.tolist(), title="pets")
    assert other.sentence == found.sentence


def test_one_array_is_one_seed_however_it_is_given() -> None:
    array = made_up(2.0, 5)
    for given in (array, array.tolist(), [array], torch.tensor(array)):
        result = verdict({"vit": given, "cnn": array}, torch.tensor(LABELS))
        assert "one seed: the intervals cover images only, not other seeds" in result.notes
        assert result.headline == "Nothing separates vit from cnn."
        assert " Measured on 300 test images with 1 seed: " in result.sentence


def test_all_seeds_of_a_model_count_even_if_another_has_fewer() -> None:
    given = {"vit": two()["vit"][:1], "cnn": two()["cnn"]}
    result = verdict(given, LABELS)
    right = {name: np.stack([each.argmax(axis=1) == LABELS for each in seeds]) for name, seeds in given.items()}
    (contrast,) = result.contrasts
    assert contrast.difference == pytest.approx(right["vit"].mean() - right["cnn"].mean())
    assert "1 to 2 seeds" in result.sentence and "of" not in result.headline
    assert [each.num_planned for each in result.summary.candidates] == [1, 2]


def test_a_tie_says_how_many_more_seeds_would_settle_it() -> None:
    result = verdict({"vit": [made_up(2.0, 1), made_up(2.0, 2)], "cnn": [made_up(2.3, 3), made_up(2.4, 4)]}, LABELS)
    (contrast,) = result.contrasts
    assert not contrast.separated and result.summary.verdict.outlook
    assert (contrast.more_seeds is not None) == ("would settle it, with a probability of 80 %" in result.sentence)


def test_no_difference_is_shown_beyond_a_hundred_points() -> None:
    """Three images: the interval of a perfect model against a useless one would reach 211 points."""
    right, wrong = np.eye(3), np.roll(np.eye(3), 1, axis=1)
    result = verdict({"good": [right, right], "bad": [wrong, wrong]}, [0, 1, 2])
    (contrast,) = result.contrasts
    assert contrast.low < 0 and contrast.high == 1.0 and not contrast.separated
    assert "95 % interval -11.06 to 100.00" in result.sentence and "(they cannot show any gap)" in result.sentence


def test_half_precision_is_precise_enough() -> None:
    halves = {name: [each.astype(np.float16) for each in seeds] for name, seeds in two().items()}
    assert verdict(halves, LABELS).headline == "cnn beats vit."
    bf16 = {name: [torch.tensor(each).bfloat16() for each in seeds] for name, seeds in two().items()}
    assert verdict(bf16, LABELS).headline == "cnn beats vit."


def test_labels_may_be_names(found: VerdictResult) -> None:
    named = np.array(NAMES)[LABELS]
    assert verdict(two(), named, class_names=NAMES, title="pets").sentence == found.sentence


def test_the_page_shows_what_predictions_allow_and_nothing_else(found: VerdictResult, tmp_path: Path) -> None:
    page = found.report(tmp_path / "deep" / "report.html").read_text(encoding="utf-8")
    assert re.findall(r'<h2 id="(\w+)"', page) == ["numbers", "differences", "confusion", "protocol"]
    assert found.headline in page and "eel" in page and "vit and cnn on pets" in page
    assert not re.search("Multiply-adds|Training seconds|Reproduce|learning rate", page)
    assert page.count("<script") == 1


def test_a_notebook_shows_table_and_verdict_and_a_terminal_text(found: VerdictResult) -> None:
    html = found._repr_html_()
    HTMLParser().feed(html)
    assert found.headline in html and "<table>" in html and "http" not in html
    text = str(found)
    assert text.startswith(found.headline) and "| vit |" in text
    evil = verdict({"<b>x</b>": made_up(1, 1)}, LABELS, title="<i>y")
    assert "<b>x" not in evil._repr_html_() and "<i>y" not in evil._repr_html_()


def spoiled(row: int, values: list[float]) -> np.ndarray:
    array = made_up(1.0, 2)
    array[row] = values
    return array


CNN = [made_up(3.0, 3), made_up(3.0, 4)]


@pytest.mark.parametrize(
    ("probs", "labels", "words"),
    [
        ({}, LABELS, "no predictions: give at least one model"),
        ({"vit": []}, LABELS, "vit has no predictions"),
        ({"vit": [CNN[0], CNN[1][:90]]}, LABELS, "vit, seed 1: 90 rows of probabilities for 300 labels"),
        ({"vit": CNN, "cnn": [CNN[0], CNN[1][:, :2]]}, LABELS, "cnn, seed 1: 2 classes, but vit, seed 0 has 3"),
        (
            {"vit": [CNN[0], CNN[1].argmax(axis=1)]},
            LABELS,
            r"vit, seed 1: expected numbers of shape \[images, classes\], got int64 \(300,\)",
        ),
        ({"vit": [[["a", "b"]]]}, LABELS, "vit, seed 0: expected numbers .* got <U1"),
        ({"vit": [[[0.5, 0.5], [1.0]]]}, LABELS, "vit, seed 0: not an array of numbers"),
        ({"vit": [CNN[0][:, :1]]}, LABELS, "vit, seed 0: 1 column of probabilities"),
        ({"vit": [CNN[0], spoiled(7, [np.nan, 0, 1])]}, LABELS, "vit, seed 1: row 7 holds NaN or infinity"),
        (
            {"vit": [spoiled(7, [-0.5, 0.5, 1])]},
            LABELS,
            "vit, seed 0: -0.5 in row 7 is not a probability: logits need a softmax",
        ),
        ({"vit": [spoiled(7, [2.5, 0, 0])]}, LABELS, "vit, seed 0: 2.5 in row 7 is not a probability"),
        ({"vit": [spoiled(7, [0.5, 0.2, 0.2])]}, LABELS, "row 7 sum to 0.9, not to 1 within 0.01"),
        ({"vit": CNN}, LABELS + 1, "labels: 3 at position .* is outside 0 to 2"),
        ({"vit": CNN}, LABELS - 1, "labels: -1 at position"),
        ({"vit": CNN}, LABELS / 2, "labels are float64: give whole class numbers from 0 to 2"),
        ({"vit": CNN}, [], "labels are empty"),
        ({"vit": CNN}, np.eye(3)[LABELS], r"labels have shape \(300, 3\)"),
        ({"vit": CNN}, np.array(NAMES)[LABELS], "labels are names such as '.*': give class_names"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_model_and_seed(probs: dict[str, Any], labels: Any, words: str) -> None:
    with pytest.raises(FittingRoomError, match=words) as caught:
        verdict(probs, labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("names", "labels", "words"),
    [
        (["a", "b"], LABELS, "2 class_names for 3 classes"),
        (["a", "b", "a"], LABELS, "'a' twice"),
        (NAMES, ["fox"] * 300, r"labels: 'fox' is not one of class_names \(cat, dog, eel\)"),
    ],
)
def test_class_names_must_fit(names: list[str], labels: Any, words: str) -> None:
    with pytest.raises(FittingRoomError, match=words):
        verdict(two(), labels, class_names=names)


@pytest.mark.thorough
def test_no_torch_is_imported() -> None:
    script = """
import sys
sys.modules["torch"] = None
import numpy as np, fittingroom as fr
probs = np.eye(2)[[0, 1, 0, 1]]
print(fr.verdict({"a": probs, "b": probs}, [0, 1, 0, 1]).headline)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout == "Nothing separates a from b.\n", done.stderr


@pytest.mark.thorough
def test_two_scikit_learn_models_are_compared(tmp_path: Path) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    images, labels = datasets.load_digits(return_X_y=True)
    train, test = images[:900] / 16, images[900:] / 16
    forests = [RandomForestClassifier(10, random_state=seed).fit(train, labels[:900]) for seed in (0, 1)]
    linear = [LogisticRegression(max_iter=200, C=10.0**seed).fit(train, labels[:900]) for seed in (0, 1)]
    result = fr.verdict(
        {
            "forest": [each.predict_proba(test) for each in forests],
            "linear": [each.predict_proba(test) for each in linear],
        },
        labels[900:],
        title="digits",
    )
    assert [row["model"] for row in result.table.rows] == ["forest", "linear"] and len(result.contrasts) == 1
    assert "digits" in result.report(tmp_path / "digits.html").read_text()


def write_csv(path: Path, array: np.ndarray, header: str = "", delimiter: str = ",") -> None:
    np.savetxt(path, array, delimiter=delimiter, header=header, comments="", fmt="%.6f")


def test_files_of_every_kind_are_read_alike(tmp_path: Path) -> None:
    array = made_up(1.0, 1)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "b.npz", probs=array)
    write_csv(tmp_path / "c.csv", array)
    write_csv(tmp_path / "d.csv", array, "cat,dog,eel")
    write_csv(tmp_path / "e.csv", array, "cat;dog;eel", ";")
    for name in ("a.npy", "b.npz", "c.csv", "d.csv", "e.csv"):
        found, names = read_array(tmp_path / name)
        np.testing.assert_allclose(found, array, atol=1e-6)
        assert names == (tuple(NAMES) if name in ("d.csv", "e.csv") else ())
    (tmp_path / "y.csv").write_text("class\ncat\neel\ncat\n")
    assert read_array(tmp_path / "y.csv")[0].ravel().tolist() == ["cat", "eel", "cat"]
    (tmp_path / "z.csv").write_text("cat\neel\ncat\n")
    assert read_array(tmp_path / "z.csv")[0].ravel().tolist() == ["cat", "eel", "cat"]


def test_a_pattern_gives_seeds_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", LABELS)
    for seed in (10, 2, 1):
        np.save(tmp_path / f"vit{seed}.npy", np.full((300, 2), seed))
    files = read_prediction_files([f"vit={tmp_path}/vit*.npy", f"vit={tmp_path}/vit1.npy"], tmp_path / "y.npy")
    assert [array[0, 0] for array in files.probs["vit"]] == [1, 2, 10, 1]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.npy", b"", r"x\.npy cannot be read"),
        ("x.npy", b"<html>", r"x\.npy cannot be read"),
        ("x.npz", b"PK\x03\x04 no", r"x\.npz cannot be read"),
        ("x.csv", b"", r"x\.csv is empty"),
        ("x.csv", b"0.5,0.5\n0.5\n", r"x\.csv, line 2: 1 columns, other lines have 2"),
        ("x.csv", b"0.5,0.5\n0.5,x\n0.5,0.5\n", r"x\.csv, line 2: '0.5,x' holds a value that is not a number"),
        ("x.csv", b"a,b\nc,d\n", r"x\.csv holds text such as '\w': give probabilities"),
        ("x.csv", b"\xff\xfe", r"x\.csv cannot be read"),
        ("x.pkl", b"", r"x\.pkl does not end in \.npy, \.npz, \.csv"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    np.save(tmp_path / "y.npy", LABELS)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FittingRoomError, match=words) as caught:
        read_prediction_files([f"vit={tmp_path / name}"], tmp_path / "y.npy")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("word", ["vit.npy", "=vit.npy", "vit="])
def test_a_word_without_name_or_file_is_refused(tmp_path: Path, word: str) -> None:
    with pytest.raises(FittingRoomError, match=f"'{word}' is not NAME=FILE"):
        read_prediction_files([word], tmp_path / "y.npy")


def command(*words: str | Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "fittingroom", "verdict", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, **settings)


@pytest.mark.thorough
def test_the_command_prints_the_verdict_and_writes_the_page(tmp_path: Path, found: VerdictResult) -> None:
    for name, seeds in two().items():
        for seed, array in enumerate(seeds):
            write_csv(tmp_path / f"{name}{seed}.csv", array, "cat,dog,eel")
    (tmp_path / "y.csv").write_text("\n".join(["species", *np.array(NAMES)[LABELS]]) + "\n")
    words = ("--labels", "y.csv", "vit=vit*.csv", "cnn=cnn*.csv", "--title", "pets")
    done = command(*words, "--out", "page/report.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert found.headline in done.stdout and "report: page/report.html" in done.stdout
    assert " ".join(found.sentence.split()) in " ".join(done.stdout.split())
    assert "eel" in (tmp_path / "page" / "report.html").read_text()
    values = json.loads(command(*words, "--json", cwd=tmp_path).stdout)
    assert (values["headline"], values["sentence"]) == (found.headline, found.sentence)
    assert values["contrasts"][0]["separated"] and values["report"] is None
    assert [each["model"] for each in values["models"]] == ["vit", "cnn"]
    wrong = command("--labels", "y.csv", "vit=nothing*.csv", cwd=tmp_path)
    assert wrong.returncode == 2 and "no file matches 'nothing*.csv'" in wrong.stderr
    assert len(wrong.stderr.strip().splitlines()) == 1
    (tmp_path / "cnn1.csv").write_text((tmp_path / "cnn1.csv").read_text().replace("cat,dog", "dog,cat"))
    wrong = command(*words, cwd=tmp_path)
    assert wrong.returncode == 2 and "cnn1.csv has different columns from vit0.csv" in wrong.stderr


def test_models_without_names_are_refused() -> None:
    with pytest.raises(FittingRoomError, match="the predictions are a list: give a dictionary of models"):
        verdict([np.eye(3)], [0, 1, 2])  # type: ignore[arg-type]
