"""`fittingroom data check` of pairs and pictures, as a person reads it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from fittingroom.cli.main import main
from tests.pictures_fixture import pixels, save, write_folder


def said(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["data", "check", *words]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_cmudict_is_summed_up(capsys: pytest.CaptureFixture[str]) -> None:
    out = said(["cmudict"], capsys)
    assert "stress stripped: 135,166 lines" in out
    assert "dropped: 127 lines, full stop in the word" in out
    assert "test: 6,288 sources with 6,659 targets (350 with several, at most 4)" in out
    assert "sources in two parts: train and val 0, train and test 0 (left out of training), val and test 0" in out


def test_three_files_say_what_they_share_and_what_training_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contents = {
        "train": "\u03ac\ta\n\u03b1\u0301\ta b\nb\tb\n",
        "dev": "b\tb\n",
        "test": "\u03ac\u064e\ta\n서울\ts ʌ u l\n",
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.tsv").write_text(content, encoding="utf-8")
    lines = said([str(tmp_path / f"{name}.tsv") for name in contents], capsys).splitlines()
    assert lines[0].startswith("train.tsv, dev.tsv, test.tsv (") and lines[0].endswith("): 6 lines")
    assert r"source symbols of test that are not in train: 3 ('\u064e', '\uc11c', '\uc6b8')" in lines
    assert r"target symbols of test that are not in train: 4 ('s', '\u028c', 'u', 'l')" in lines
    assert "sources in two parts: train and val 1, train and test 0 (left out of training), val and test 0" in lines
    assert "sources that differ only in Unicode form (NFC, NFD): 1; choose one form" in lines


def test_what_looks_like_a_mistake_in_pairs_is_a_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Targets without spaces, in one file or in one of three; and a header."""
    lines = [f"{word}\t{' '.join(word.upper())}\n" for word in ("abc", "bcd", "cde", "def", "efg")]
    enough = [
        f"{word}{number}\t{' '.join(word.upper())}\n"
        for number in range(40)
        for word in ("abc", "bcd", "cde", "def", "efg")
    ]
    for name, text in (("good", "".join(enough)), ("joined", "".join(lines).replace(" ", ""))):
        (tmp_path / f"{name}.tsv").write_text(text)
    (tmp_path / "header.tsv").write_text("word\tphonemes\n" + "".join(f"g{line}" for line in lines))
    good, joined, header = (str(tmp_path / f"{name}.tsv") for name in ("good", "joined", "header"))
    unsegmented = f"hint: {joined}: 5 of 5 targets are one symbol, so there is little to learn: separate the symbols"
    assert unsegmented in said([joined], capsys)
    assert "hint: " not in said([good], capsys)
    found = said([header, good, joined], capsys)
    assert f"hint: {header}, line 1 looks like a header ('word', 'phonemes'): delete it" in found
    assert unsegmented in found


def test_own_pictures_are_checked_as_text_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_folder(tmp_path / "pets")
    assert said([str(root)], capsys).startswith("pets: 20 images of 2 classes\nall: 20, 10 of each class\n")
    (root / "cat" / "svg.png").write_bytes(b"<svg></svg>")
    assert main(["data", "check", str(root), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"] and "SVG" in found["unreadable"]["cat/svg.png"]


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a refused command prints."""
    assert main(["data", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1
    return err


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with parts and one fault of most kinds."""
    root = write_folder(tmp_path_factory.mktemp("faulty") / "pets <b>", number=12, parts=("train", "test"))
    save(root / "train" / "cat" / "leak.bmp", pixels(0, 103))
    save(root / "train" / "dog" / "wrong.png", pixels(0, 5))
    save(root / "train" / "dog" / "dim.png", pixels(1, 104) // 2)
    save(root / "train" / "dog" / "flat.png", np.full((12, 12, 3), 40, np.uint8))
    save(root / "train" / "dog" / "wide.png", pixels(1, 90, size=(12, 50)))
    return root


def test_each_kind_of_fault_has_a_line_with_examples_and_advice(
    faulty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said([str(faulty)], capsys).splitlines()
    wrong = "train/cat/5.png (cat) = train/dog/wrong.png (dog)"
    assert f"the same picture with different labels: 1 ({wrong}): one of the labels is wrong: correct it" in lines
    assert any(
        line.startswith("the same picture in two parts: 1 (test/cat/3.png = train/cat/leak.bmp): ") for line in lines
    )
    assert any(
        line.startswith("near-duplicates in two parts: 1 (test/dog/4.png = train/dog/dim.png): ") for line in lines
    )
    assert "pictures of one colour: 1 (train/dog/flat.png): they teach nothing: delete them" in lines
    assert any(line.startswith("pictures of an odd size: 1 (train/dog/wide.png 12x50): ") for line in lines)
    assert lines[-1] == "to see the pictures: --html check.html"


def test_page_and_table_are_written_and_the_page_may_be_replaced(
    faulty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, table = tmp_path / "check.html", tmp_path / "clean.csv"
    assert main(["data", "check", str(faulty), "--html", str(page), "--write-clean", str(table), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["html"], found["clean"], found["left_out"]) == (str(page), str(table), 4)
    kinds = {each["kind"]: each for each in found["findings"]}
    assert kinds["near-duplicates-in-two-parts"]["pictures"] == [
        [{"name": "test/dog/4.png", "label": "dog"}, {"name": "train/dog/dim.png", "label": "dog"}]
    ]
    html = page.read_text(encoding="utf-8")
    assert html.count("data:image/") == 8 and "pets &lt;b&gt;" in html and "pets <b>" not in html
    assert said([str(faulty), "--html", str(page)], capsys).splitlines()[-1] == f"page: {page}"
    assert "note: " not in said([str(table)], capsys).replace("note: in no part", "")


def test_files_that_cannot_be_written_are_refused_before_the_check(
    faulty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.html").write_text("<p>not ours")
    (tmp_path / "old.csv").write_text("path,label\n")
    (tmp_path / "file").touch()
    np.savez(tmp_path / "own.npz", images=np.zeros((20, 4, 4)), labels=np.arange(20) % 2)
    for words, text in (
        (["--html", "mine.html"], "mine.html exists and is not a page of fittingroom: give another file, or delete it"),
        (["--html", "."], "give a .html file"),
        (["--html", "check.txt"], "give a .html file, such as check.html"),
        (["--html", "file/check.html"], "is not a folder: choose another"),
        (["--write-clean", "old.csv"], "old.csv exists: give another file, or delete it"),
        (["--write-clean", "clean.npz"], "give a .csv file, such as clean.csv"),
        (["--write-clean", "file/clean.csv"], "is not a folder: choose another"),
        (["--labels", "--from", "run"], "give one of the two"),
        (["--epochs", "3"], "add --labels, or omit it"),
    ):
        whole = [word if word.startswith("--") or word in ("3", "run") else str(tmp_path / word) for word in words]
        assert text in complaint(["check", str(faulty), *whole], capsys)
    assert "holds arrays" in complaint(
        ["check", str(tmp_path / "own.npz"), "--write-clean", str(tmp_path / "c.csv")], capsys
    )
    assert "is for checking images" in complaint(["check", "cmudict", "--html", str(tmp_path / "c.html")], capsys)
    assert "unknown data set 'nowhere'" in complaint(["check", "nowhere", "--labels"], capsys)
    assert "--from is for checking images" in complaint(["fetch", "--from", "run"], capsys)
    assert "holds arrays" in complaint(["check", "fashion-mnist", "--write-clean", str(tmp_path / "c.csv")], capsys)
    assert "config.json is missing" in complaint(["check", str(faulty), "--from", str(tmp_path)], capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine.html", "old.csv", "own.npz"]


@pytest.fixture
def eight_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight wrong labels, four of them in validation, and a test picture that is in training, too, but darker."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = write_folder(tmp_path / "pets", number=40, parts=("train", "val", "test"), channels=1)
    for number in range(8):
        part = ("train", "val")[number % 2]
        save(root / part / "dog" / f"wrong{number}.png", pixels(0, 900 + number, channels=1))
    save(root / "train" / "cat" / "dim.png", pixels(0, 207, channels=1) // 2)  # test/cat/7.png
    return root


@pytest.mark.slow
@pytest.mark.usefixtures("torch_as_before")
def test_wrong_labels_are_found_by_training(eight_wrong: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(eight_wrong), "--labels", "--epochs", "12", "--json"]) == 0
    out, err = capsys.readouterr()
    assert "note: judging labels: 3 small networks train for 12 epochs each on two thirds of the images\n" in err
    (doubts,) = (each for each in json.loads(out)["findings"] if each["kind"] == "doubtful-labels")
    found = [picture["name"] for (picture,) in doubts["pictures"]]
    assert len(found) >= 3 and all("dog/wrong" in name for name in found[:3]), found
    assert sum("dog/wrong" not in name for name in found) <= 1, found
    assert doubts["details"][0].startswith("rather cat? (")


@pytest.mark.slow
@pytest.mark.usefixtures("torch_as_before")
def test_a_comparison_gives_doubts_and_the_verdict_without_leaks(
    eight_wrong: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = "cnn@widths=[4,8]@blocks=[0,1],cnn@widths=[6,8]@blocks=[0,1]"
    words = ["compare", "--models", models, "--data", str(eight_wrong), "--seeds", "1", "--epochs", "12"]
    run = str(tmp_path / "run")
    assert main([*words, "--set", "batch_size=8", "--jobs", "1", "--out", run]) == 0
    assert "note: leaks: 1 of 80 test pictures have a near-duplicate" in " ".join(capsys.readouterr().out.split())
    assert "leaks: 1 of 80 test pictures" in " ".join((tmp_path / "run" / "report.html").read_text().split())
    out = said([str(eight_wrong), "--from", run], capsys)
    assert re.search(r"labels that are probably wrong: \d+ \(val/dog/wrong\d\.png \(dog\) rather cat\? \(", out)
    assert "1 of 80 test pictures have a near-duplicate in training or validation\nverdict with them: " in out
    assert "\nverdict without them: " in out
    other = write_folder(tmp_path / "other", number=5)
    assert "was trained on other data than other" in complaint(["check", str(other), "--from", run], capsys)
