"""`fittingroom predict`: rows in order, names of any bytes, bad files at the end, exit codes."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command import call

ODD = [b"plain.png", b"two\nlines.png", b'quote",comma.png', "été 上衣.png".encode(), b"latin-\xe9.png", b"-dash.png"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with names that break careless programs."""
    folder = tmp_path_factory.mktemp("odd")
    for number, name in enumerate(ODD):
        Image.fromarray(np.full((30, 30), 40 * number, dtype=np.uint8)).save(folder / "x.png")
        os.rename(folder / "x.png", os.path.join(os.fsencode(folder), name))
    return folder


def predict(*words: str, stdin: bytes = b"", cwd: Path) -> tuple[int, bytes, str]:
    command = [sys.executable, "-m", "fittingroom", "predict", *words]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "surrogateescape")


def test_a_table_holds_every_name_byte_for_byte(folder: Path) -> None:
    code, out, err = predict("cnn", ".", "--csv", "--top", "2", cwd=folder)
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out.decode("utf-8", "surrogateescape"))))
    assert [os.fsencode(row["file"]) for row in rows] == sorted(ODD, key=os.fsdecode)
    for row in rows:
        assert row["label"] and row["label_2"] and float(row["probability"]) >= float(row["probability_2"]) >= 0
        assert not row["error"]


@pytest.mark.slow
def test_names_come_from_standard_input_and_bad_files_are_told_at_the_end(folder: Path) -> None:
    names = [ODD[1], b"lost.png", ODD[4]]
    code, out, err = predict("cnn", "-", "--json", stdin=b"\0".join(names), cwd=folder)
    found = json.loads(out)
    assert code == 1
    assert [os.fsencode(row["file"]) for row in found["predictions"]] == names
    assert [bool(row["error"]) for row in found["predictions"]] == [False, True, False]
    assert found["run"] == "cnn" and err.count("\n") == 1 and "lost.png does not exist" in err


@pytest.mark.slow
def test_lines_show_unprintable_names_escaped(folder: Path) -> None:
    code, out, _ = predict("cnn", "two\nlines.png", "--top", "3", cwd=folder)
    first, *notes = out.decode().splitlines()
    assert code == 0 and first.startswith("two\\nlines.png: ") and first.count("%") == 3
    assert all(note.startswith("    ") for note in notes)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("cnn", ".", "--csv", "--json"), "give one of them"),
        (("cnnn", "."), "did you mean 'cnn'"),
        (("transformer", "."), "does not read pictures"),
        (("cnn", ".", "--top", "11"), "give 1 to 10"),
    ],
)
def test_contradictions_unknown_runs_and_runs_on_words_are_refused(words: tuple[str, ...], reason: str) -> None:
    code, out, err = call("predict", *words)
    assert (code, out) == (2, "") and reason in err and err.count("\n") == 1
