"""`fittingroom data check` of pairs and pictures, as a person reads it."""

import json
from pathlib import Path

import pytest

from fittingroom.cli.main import main
from tests.pictures_fixture import write_folder


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


def test_own_pictures_are_checked_as_text_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_folder(tmp_path / "pets")
    assert said([str(root)], capsys).startswith("pets: 20 images of 2 classes\nall: 20, 10 of each class\n")
    (root / "cat" / "svg.png").write_bytes(b"<svg></svg>")
    assert main(["data", "check", str(root), "--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert not found["ok"] and "SVG" in found["unreadable"]["cat/svg.png"]
