"""The page, tables and figures of a comparison of sequence models."""

import base64
import html
import io
import json
import re
import subprocess
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

from fittingroom.comparison.summary import summarise
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.records import Summary
from fittingroom.report.figures import contrast_figures, cost_figures, costs
from fittingroom.report.load import load
from fittingroom.report.page import write_report
from fittingroom.report.sections import seq2seq
from fittingroom.report.tables import headings, markdown_table, summary_rows, terminal_table
from tests.words_fixture import write_words

pytestmark = pytest.mark.thorough

VAL_WORDS, TEST_WORDS, TEST_PHONEMES = "val_word_error_rate", "test_word_error_rate", "test_phoneme_error_rate"
EVIL = "<script>alert(1)</script>"
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["lightning"] = None
from pathlib import Path
from fittingroom.report.page import write_report
write_report(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models, two seeds."""
    return write_words(tmp_path_factory.mktemp("pairs"), num_models=3)


@pytest.fixture(scope="module")
def summary(folder: Path) -> Summary:
    return summarise(folder)


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def printed(summary: Summary, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(terminal_table(summary))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def packed(page: str) -> list[list[str]]:
    found = re.search(r'id="words-data">"([^"]*)"</script>', page)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


@pytest.mark.thorough
def test_the_page_is_made_without_torch_and_with_the_same_bytes(folder: Path, page: str) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", WITHOUT_TORCH, str(folder)], check=True, timeout=300)
    assert (folder / "report.html").read_text(encoding="utf-8") == page


def test_sections_come_in_order_and_speak_of_words(page: str) -> None:
    assert re.findall(r'<h2 id="(\w+)"', page) == [
        *("numbers", "cost", "differences", "learning", "confusion"),
        *("disagreements", "protocol", "environment", "again"),
    ]
    assert "Transformer, RNN with attention and Small RNN on the CMU Pronouncing Dictionary</h1>" in page
    seen = re.sub(r"<(style|script|svg).*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"\bimages?\b|accurac", seen)


def test_the_page_asks_for_nothing_and_runs_its_own_script_alone(page: str) -> None:
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}
    assert re.findall(r"<script([^>]*)>", page) == [' type="application/json" id="words-data"', ""]


def test_all_test_words_travel_with_the_page(page: str, folder: Path) -> None:
    cards = packed(page)
    with np.load(folder / "runs/small-seed1/predictions.npz") as archive:
        assert sorted(word for word, _, _ in cards) == sorted(archive["test_sources"].tolist())
    standing = re.findall(r'<li class="card word">.*?</ul></li>', page)
    assert standing == [text for _, _, text in cards[: seq2seq.NUM_STANDING]]


def test_wrong_symbols_are_told_by_shape_and_by_words(page: str) -> None:
    cards = "".join(text for _, _, text in packed(page))
    assert re.search(r'<em>\w+<span class="hushed"> \(for \w+\)</span></em>', cards)
    assert re.search(r'<ins>\w+<span class="hushed"> \(too many\)</span></ins>', cards)
    assert re.search(r'<del>\w+<span class="hushed"> \(missing\)</span></del>', cards)


@pytest.mark.thorough
def test_a_page_of_6000_words_stays_small(tmp_path: Path) -> None:
    page = write_report(write_words(tmp_path, num_test=6288, num_seeds=1)).read_text(encoding="utf-8")
    assert len(page) < 600_000 and len(packed(page)) == 6288


@pytest.mark.thorough
def test_words_beyond_the_limit_are_left_out_and_the_page_says_so(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seq2seq, "MAX_PACKED", 15_000)
    page = write_report(write_words(tmp_path)).read_text(encoding="utf-8")
    cards = packed(page)
    assert 50 < len(cards) < 800
    assert f"{800 - len(cards)} of the 800 test words, the least instructive, are left out" in page
    assert f'With an error <span class="number">{sum("errors" in tags for _, tags, _ in cards)}</span>' in page


@pytest.mark.thorough
def test_names_from_files_are_text_wherever_they_stand(tmp_path: Path) -> None:
    folder = write_words(tmp_path, title=EVIL)
    path = folder / "comparison.json"
    facts = json.loads(path.read_text())
    facts["candidates"][0] |= {"title": EVIL, "source": EVIL}
    path.write_text(json.dumps(facts))
    evil_symbol = EVIL.replace(" ", "")
    for run in (folder / "runs").iterdir():
        with np.load(run / "predictions.npz") as archive:
            arrays = dict(archive)
        for name in ("sources", "predicted", "references"):
            arrays[f"test_{name}"] = np.array([evil_symbol, *arrays[f"test_{name}"][1:]])
        arrays["test_predicted"][1:] = evil_symbol
        np.savez(run / "predictions.npz", **arrays)
    page = write_report(folder).read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert not any("<script" in text for _, _, text in packed(page))
    assert any(html.escape(EVIL) in text for _, _, text in packed(page))


@pytest.mark.thorough
def test_unfinished_and_failed_comparisons_give_a_page(tmp_path: Path) -> None:
    missing = write_words(tmp_path / "missing", missing=["recurrent-seed0", "recurrent-seed1"])
    assert "2 of 4 runs are still to come" in write_report(missing).read_text(encoding="utf-8")
    runs = [f"{name}-seed{seed}" for name in ("transformer", "recurrent") for seed in (0, 1)]
    failed = write_report(write_words(tmp_path / "failed", failed=runs)).read_text(encoding="utf-8")
    assert "No run finished." in failed and "Words are shown when a run has finished." in failed
    assert 'id="cost"' not in failed and 'id="confusion"' not in failed


def test_models_without_errors_have_no_edits_to_show(tmp_path: Path) -> None:
    folder = write_words(tmp_path, num_models=1, num_seeds=1)
    path = folder / "runs/transformer-seed0/predictions.npz"
    with np.load(path) as archive:
        arrays = dict(archive)
    for split in ("val", "test"):
        arrays[f"{split}_predicted"] = np.array([text.split("\t")[0] for text in arrays[f"{split}_references"]])
    np.savez(path, **arrays)
    page = write_report(folder).read_text(encoding="utf-8")
    assert 'id="confusion"' not in page and "All words" in page and "With an error" not in page


def test_a_curve_of_images_is_refused_with_its_fix(tmp_path: Path) -> None:
    folder = write_words(tmp_path)
    path = folder / "runs/transformer-seed0/metrics.csv"
    path.write_text(path.read_text().replace("val_word_error_rate", "val_accuracy"))
    with pytest.raises(FittingRoomError, match=r"metrics\.csv is damaged \(no column 'val_word_error_rate'\).* again"):
        load(folder)


@pytest.mark.parametrize("width", [80, 120])
def test_every_number_stands_whole_in_a_terminal(summary: Summary, width: int) -> None:
    text = printed(summary, width)
    assert max(map(len, text.splitlines())) <= width
    for row in summary_rows(summary):
        for key in ("parameters", "training_seconds", "words_per_second", VAL_WORDS, TEST_WORDS, TEST_PHONEMES):
            assert row[key] in text
        assert row[f"{TEST_WORDS}_interval"] in text and row[f"{TEST_PHONEMES}_interval"] in text


def test_markdown_holds_every_column(summary: Summary) -> None:
    lines = markdown_table(summary).splitlines()
    assert {line.count("|") for line in lines} == {11 + 1} and len(lines) == 5


def test_unknown_multiply_adds_take_no_column(summary: Summary) -> None:
    changed = replace(summary, candidates=tuple(replace(each, num_macs=None) for each in summary.candidates))
    assert "Multiply-adds" not in markdown_table(changed) and "Multiply-adds" in markdown_table(summary)
    assert len(headings(changed)) == len(headings(summary)) - 1


def test_costs_are_seconds_or_pairs_and_words_written(summary: Summary) -> None:
    assert [cost.key for cost in costs(summary)] == ["num_params", "items_per_second", "words_per_second"]
    first, *rest = summary.candidates
    slower = replace(first, train_seconds=2 * (first.train_seconds or 0), extras={"words_per_second": None})
    found = replace(summary, candidates=(slower, *rest))
    assert [cost.key for cost in costs(found)] == ["num_params", "train_seconds"]
    labels = [ElementTree.fromstring(svg).attrib["aria-label"] for svg in cost_figures(summary)]
    assert labels[0].startswith("Test word error rate (%) against parameters: Transformer ")
    assert "pairs per second in training" in labels[1] and "words written per second" in labels[2]


def test_differences_are_how_many_more_errors_the_first_makes(summary: Summary) -> None:
    words, phonemes = (ElementTree.fromstring(svg).attrib["aria-label"] for svg in contrast_figures(summary))
    found = summary.contrasts[0].metrics["word_error_rate"]
    assert f"RNN with attention minus Transformer {-100 * found.difference:.2f} (95 % interval" in words
    assert words.startswith("Differences in test word error rate") and "phoneme error rate" in phonemes
    assert all("minus" in part and "95 % interval" in part for part in words.split("; "))
