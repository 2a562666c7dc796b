"""One file that asks the network for nothing, trusts no name, and comes out the same each time."""

import base64
import hashlib
import io
import itertools
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fittingroom.core.decision import RULE
from fittingroom.core.records import read_summary
from fittingroom.report.assets import together
from fittingroom.report.load import load
from fittingroom.report.page import render_page, write_report
from fittingroom.report.sections import SECTIONS
from fittingroom.tasks.classification.scoring import ACCURACY
from tests.comparison_fixture import CLASS_NAMES, write_images

OLD = Path(__file__).parents[2] / "schema1"
EVIL = "<script>alert(1)</script>"
WITHOUT_TORCH = """
import sys
sys.modules["torch"] = sys.modules["lightning"] = None
from pathlib import Path
from fittingroom.report.page import write_report
write_report(Path(sys.argv[1]))
"""


class Tags(HTMLParser):
    """Collects opening tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(comparison_folder: Path) -> str:
    return write_report(comparison_folder).read_text(encoding="utf-8")


@pytest.mark.thorough
def test_the_page_is_made_without_torch_and_with_the_same_bytes(comparison_folder: Path, page: str) -> None:
    command = [sys.executable, "-W", "error", "-c", WITHOUT_TORCH, str(comparison_folder)]
    subprocess.run(command, check=True, timeout=300)
    assert (comparison_folder / "report.html").read_text(encoding="utf-8") == page


def test_the_summary_is_written_beside_the_page(comparison_folder: Path, page: str) -> None:
    verdict = read_summary(comparison_folder).verdict
    assert f'<p class="verdict"><b>{verdict.headline}</b></p>' in page
    assert verdict.sentence.replace(" %", "\N{NO-BREAK SPACE}%") in page


def test_the_rule_and_what_would_settle_a_tie_stand_by_the_differences(comparison_folder: Path, page: str) -> None:
    section = page[page.index('<h2 id="differences"') : page.index('<h2 id="learning"')]
    assert " ".join(Tags(section).text.split()).count(RULE) == 1 and 'class="outlook"' not in section
    loaded = load(comparison_folder)
    undecided = replace(
        loaded.summary.verdict, outlook=("A and B: 4 more seeds per model would settle it.", "C and D: no.")
    )
    tied = render_page(replace(loaded, summary=replace(loaded.summary, verdict=undecided)))
    assert "<li>A and B: 4 more seeds per model would settle it.</li><li>C and D: no.</li>" in tied


def test_the_notes_on_seeds_stand_below_the_table(comparison_folder: Path, page: str) -> None:
    notes = [note for note in read_summary(comparison_folder).notes if "no run collapsed in" in note]
    assert len(notes) == 1 and notes[0] in Tags(page).text.replace("\N{NO-BREAK SPACE}", " ")


def test_an_interval_is_written_in_one_way_wherever_it_stands(comparison_folder: Path, page: str) -> None:
    summary = read_summary(comparison_folder)
    for candidate in summary.candidates:
        found = candidate.evals["test"]["accuracy"]
        assert found.low is not None and found.high is not None
        text = ACCURACY.interval_text(found.low, found.high)
        assert f'<span class="tag-interval">{text}</span>' in page and f"<small>{text}</small>" in page
    differences = page[page.index('<h2 id="differences"') : page.index('<h2 id="learning"')]
    leads = re.findall(r"-?\d+\.\d\d to -?\d+\.\d\d", summary.verdict.sentence)
    assert len(leads) >= 2 and all(lead in differences for lead in leads)


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    assert set(re.findall(r"https?://[^\s\"']+", page)) == {"http://www.w3.org/2000/svg"}
    for tag, attributes in Tags(page).tags:
        for name in ("src", "href"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)
    assert "@import" not in page and "@font-face" not in page
    assert len(page) < 1_500_000


def test_the_policy_allows_the_one_script_by_its_hash(page: str) -> None:
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = next(str(given["content"]) for tag, given in Tags(page).tags if "http-equiv" in given and tag == "meta")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline';")
    assert f"script-src 'sha256-{digest}'" in policy


def test_sections_come_in_order_and_headings_skip_no_level(page: str) -> None:
    ids = re.findall(r'<h2 id="(\w+)"', page)
    assert ids == [
        *("numbers", "cost", "differences", "learning", "confusion"),
        *("disagreements", "protocol", "environment", "again"),
    ]
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_picture_has_words(page: str) -> None:
    for tag, attributes in Tags(page).tags:
        if tag == "img":
            assert attributes["alt"]
        if tag == "svg":
            assert attributes.get("aria-label") or attributes.get("aria-hidden") == "true"


@pytest.mark.thorough
def test_names_from_files_are_text_wherever_they_stand(tmp_path: Path) -> None:
    folder = write_images(tmp_path, class_names=[EVIL, *CLASS_NAMES[1:]], failed=["vit-seed0"])
    path = folder / "comparison.json"
    facts = json.loads(path.read_text())
    facts |= {"title": EVIL, "command": EVIL, "created": EVIL, "version": EVIL, "protocol": [EVIL]}
    facts |= {"environment": {EVIL: EVIL}, "budget": {"kind": "seconds", "value": 1, "text": EVIL}}
    facts["candidates"][0] |= {"title": EVIL, "source": EVIL}
    facts["runs"][0]["error"] = EVIL
    path.write_text(json.dumps(facts))
    page = write_report(folder).read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert Tags(page).text.count(EVIL) > 10


@pytest.mark.thorough
def test_failed_runs_are_listed_with_their_error(tmp_path: Path) -> None:
    page = write_report(write_images(tmp_path, failed=["vit-seed1"])).read_text(encoding="utf-8")
    section = page[page.index('<h2 id="failed"') : page.index('<h2 id="protocol"')]
    assert "vit-seed1" in section and "loss became NaN at step 140" in section


@pytest.mark.thorough
def test_an_unfinished_comparison_gives_a_page_that_says_so(tmp_path: Path) -> None:
    missing = ["cnn-seed0", "cnn-seed1", "hybrid-seed1"]
    page = write_report(write_images(tmp_path, missing=missing)).read_text(encoding="utf-8")
    assert "3 of 6 runs are still to come: cnn-seed0, cnn-seed1, hybrid-seed1." in page
    assert "These images are chosen when the last run has finished." in page


@pytest.mark.thorough
def test_seeds_that_are_missing_are_said_in_headline_and_caption(tmp_path: Path) -> None:
    missing = [f"{name}-seed1" for name in ("vit", "cnn", "hybrid")]
    folder = write_images(tmp_path, missing=missing)
    page = write_report(folder).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    caption = re.search(r'<p class="caption centred">(.*?)</p>', page)
    assert caption and "1 of 2 seeds" in caption[1]
    assert "(1 of 2 seeds)." in page and "(1 of 2 seeds)." in read_summary(folder).verdict.headline


def test_a_comparison_in_which_every_run_failed_still_gives_a_page(tmp_path: Path) -> None:
    failed = [f"{name}-seed{seed}" for name in ("vit", "cnn", "hybrid") for seed in (0, 1)]
    page = write_report(write_images(tmp_path, failed=failed)).read_text(encoding="utf-8")
    assert "No run finished." in page
    assert '<h2 id="cost"' not in page and '<h2 id="confusion"' not in page


@pytest.mark.thorough
def test_models_that_agree_everywhere_have_nothing_to_show(tmp_path: Path) -> None:
    folder = write_images(tmp_path, num_seeds=1)
    none = np.zeros(0, dtype=np.int32)
    np.savez(folder / "gallery.npz", images=np.zeros((0, 28, 28), np.uint8), labels=none, test_index=none)
    page = write_report(folder).read_text(encoding="utf-8")
    assert "the models agree on every test image" in page
    assert "±" not in page.split("</thead>")[1]


@pytest.mark.thorough
def test_colour_images_are_shown_in_colour(tmp_path: Path) -> None:
    folder = write_images(tmp_path, num_seeds=1)
    with np.load(folder / "gallery.npz") as archive:
        arrays = {**archive, "images": np.full((len(archive["labels"]), 32, 20, 3), (200, 30, 30), np.uint8)}
    np.savez(folder / "gallery.npz", **arrays)
    assert 'width="20" height="32"' in write_report(folder).read_text(encoding="utf-8")


@pytest.mark.thorough
def test_tall_colour_images_of_seven_classes_are_reported(tmp_path: Path) -> None:
    """Nothing is square, grey, or one of ten."""
    names = [f"kind {number}" for number in range(7)]
    folder = write_images(tmp_path, num_seeds=1, num_test=200, num_val=40, class_names=names, image_shape=(64, 40, 3))
    page = write_report(folder).read_text(encoding="utf-8")
    assert 'width="40" height="64"' in page and "kind 6" in page
    address = re.search(r'src="data:image/png;base64,([^"]+)"', page)
    assert address
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(address[1]))))
    assert pixels.shape == (64, 40, 3) and len({channel.tobytes() for channel in pixels.transpose(2, 0, 1)}) > 1


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["images", "seq2seq"])
def test_a_folder_of_the_first_schema_is_reported(tmp_path: Path, kind: str) -> None:
    folder = Path(shutil.copytree(OLD / kind, tmp_path / kind))
    old = read_summary(folder)
    page = write_report(folder).read_text(encoding="utf-8")
    assert "Learning curves" in page and "Where the models disagree" in page and "Failed runs" in page
    new = read_summary(folder)
    assert [each.num_runs for each in new.candidates] == [each.num_runs for each in old.candidates]
    assert new.verdict.headline and "Bonferroni" not in page


def test_a_task_without_a_section_gets_the_common_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_images(tmp_path, num_seeds=1, num_test=200, num_val=40)
    monkeypatch.setattr(SECTIONS, "_things", {})
    page = write_report(folder).read_text(encoding="utf-8")
    assert re.findall(r'<h2 id="(\w+)"', page) == [
        *("numbers", "cost", "differences", "learning", "protocol", "environment", "again"),
    ]


def test_many_classes_are_a_list_of_mistakes_and_a_table(tmp_path: Path) -> None:
    """Nobody reads a matrix of 70 classes."""
    names = [f"class {number}" for number in range(70)]
    page = write_report(write_images(tmp_path, class_names=names)).read_text(encoding="utf-8")
    section = page[page.index('<h2 id="confusion"') : page.index('<h2 id="disagreements"')]
    assert "Most frequent mistakes" in section and "A matrix of 70 classes would be too small to read." in section
    assert "<svg" not in section and section.count('<ol class="mistakes">') == 3
    assert 0 < section.count('<tr><th scope="row">') <= 70
    assert "taken for" in section and "\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}" in section


def test_what_one_answer_would_score_stands_above_the_scores(tmp_path: Path) -> None:
    folder = write_images(tmp_path)
    comparison = load(folder)
    note = "one answer for all test images would have accuracy 90.00 %"
    page = render_page(replace(comparison, summary=replace(comparison.summary, notes=(note,))))
    said = "One answer for all test images would have accuracy 90.00\N{NO-BREAK SPACE}%."
    assert page.count(said) == 1 and page.index(said) < page.index('<ul class="rail"')


def test_options_and_percentages_are_not_broken() -> None:
    assert together("90 % with --image-size, 3 of 4 <b>") == (
        '90\N{NO-BREAK SPACE}% with <span class="option">--image-size</span>, '
        "3\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}4 &lt;b&gt;"
    )
