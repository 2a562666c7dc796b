"""Hostile files of pairs, as real files through the command line: one line that names file, line and mending; exit code 2."""

import gzip
import json
import os
import resource
from pathlib import Path

import pytest

from fittingroom.cli.main import main
from fittingroom.data.images.table import is_table
from fittingroom.data.seq2seq.tsv import FORM

GOOD = b"ab\tA B\nba\tB A\n"
LONG = f"pairs.tsv, line 3 is longer than 16,384 bytes: {FORM}, one pair per line"

HOSTILE = {
    "no tab": (b"ab\tA B\nba B A\n", "pairs.tsv, line 2 has no tab ('ba B A'): write source TAB target"),
    "two tabs": (b"ab\tA B\nba\tB A\tC\n", "pairs.tsv, line 2 has 2 tabs"),
    "empty file": (b"", "pairs.tsv holds no pairs"),
    "blank lines only": (b"\n \r\n\n", "pairs.tsv holds no pairs"),
    "byte order mark only": (b"\xef\xbb\xbf", "pairs.tsv holds no pairs"),
    "empty source": (GOOD + b"\tA\n", "pairs.tsv, line 3 has an empty source"),
    "empty target": (GOOD + b"ab\t \n", "pairs.tsv, line 3 has an empty target"),
    "a line of 10 MB": (GOOD + b"a" * 10_000_000 + b"\tA\n" + GOOD, LONG + "\n"),
    "a source of 257 symbols": (GOOD + b"a" * 257 + b"\tA\n", "pairs.tsv, line 3 has a source of 257 symbols: at most 256"),
    "a target of 300 symbols": (GOOD + b"a\t" + b"A " * 300 + b"\n", "pairs.tsv, line 3 has a target of 300 symbols"),
    "invalid UTF-8": (GOOD + b"a\xff\tA\n", "pairs.tsv, line 3 is not UTF-8 (byte 2 is 0xff): save it as UTF-8"),
    "cut within a character": (GOOD + "ab\tA é".encode()[:-1], "pairs.tsv, line 3 is not UTF-8"),
    "UTF-16": ("ab\tA B\nba\tB A\n".encode("utf-16"), "pairs.tsv, line 1 is UTF-16 or UTF-32: save the file as UTF-8\n"),
    "UTF-16 without mark": ("ab\tA B\nba\tB A\n".encode("utf-16-le"), "pairs.tsv, line 1 is UTF-16 or UTF-32"),
    "UTF-32": ("ab\tA B\nba\tB A\n".encode("utf-32-be"), "pairs.tsv, line 1 is UTF-16 or UTF-32"),
    "gzip": (gzip.compress(GOOD), "pairs.tsv, line 1 is not text but gzip: unpack the file first\n"),
    "a spreadsheet": (b"PK\x03\x04\x14\x00", "pairs.tsv, line 1 is not text but zip (or a spreadsheet)"),
    "NUL": (GOOD + b"a\x00b\tA\n", "pairs.tsv, line 3 holds the hidden character U+0000 at place 2: delete it"),
    "a terminal's escape": (GOOD + b"a\tA \x1b[31m\n", "pairs.tsv, line 3 holds the hidden character U+001B at place 5"),
    "old Mac line ends": (b"ab\tA B\rba\tB A\r", "pairs.tsv, line 1 has a carriage return (U+000D) at place 7: save"),
    "a second byte order mark": (GOOD + b"\xef\xbb\xbfa\tA\n", "pairs.tsv, line 3 holds the hidden character U+FEFF"),
    "one target symbol": (b"ab\tA\nba\tA A\n", "pairs.tsv: the training pairs hold only one target symbol, 'A'"),
    "one source symbol": (b"a\tA\naa\tA B\n", "pairs.tsv: the training pairs hold only one source symbol, 'a'"),
    "one target": (b"ab\tA B\nba\tA B\n", "pairs.tsv: all training pairs have the target 'A B': there is nothing to learn"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 50, "pairs.tsv, line 1 is not UTF-8"),
}  # fmt: skip


def complaint(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a mistake costs."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("fittingroom: ")
    assert len(err) < 400
    return err


@pytest.mark.parametrize(("content", "said"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_costs_one_line(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    assert said in complaint(["data", "check", str(path)], capsys)


@pytest.mark.parametrize("place", [0, 1, 2], ids=["train", "dev", "test"])
def test_of_three_files_the_bad_one_is_named(place: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / f"{name}.tsv" for name in ("first", "second", "third")]
    for number, path in enumerate(paths):
        path.write_bytes(b"no tab\n" if number == place else GOOD)
    assert f"{paths[place]}, line 1 has no tab" in complaint(["data", "check", *map(str, paths)], capsys)


def test_a_device_without_end_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "/dev/zero is a device: give a TSV file of pairs" in complaint(["data", "check", "/dev/zero"], capsys)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KiB; torch may be imported meanwhile


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a folder", "holds no pictures"),
        ("gone.tsv", "cannot be read"),
        ("x" * 300 + ".tsv", "cannot be read"),
        ("x" * 300, "cannot be read"),
        ("x" * 300 + ".csv", "cannot be read"),
    ],
)
def test_what_is_no_file_is_named(
    name: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a folder").mkdir()
    monkeypatch.chdir(tmp_path)
    told = complaint(["data", "check", name], capsys)
    assert name in told and reason in told


def test_files_in_other_scripts_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text(
        "\ufeffλόγος\tl o ɣ o s\r\n서울\ts ʌ u l\r\n\u0643\u0650\u062a\u064e\u0627\u0628\tk i t aː b\r\n", newline=""
    )
    assert main(["data", "check", str(path), "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)["all"]
    assert (counts["num_sources"], counts["num_source_symbols"], counts["num_target_symbols"]) == (3, 13, 11)


@pytest.mark.parametrize(
    "words",
    [
        ["data", "check", "FILE"],
        ["data", "check", "good.tsv", "good.tsv", "FILE"],
        ["train", "recurrent", "--data", "FILE"],
        ["train", "recurrent", "--train", "good.tsv", "--dev", "FILE", "--test", "good.tsv"],
        ["train", "vit", "--data", "FILE"],
        ["compare", "--data", "FILE"],
        ["evaluate", "transformer", "--data", "FILE"],
        ["explain", "vit", "--image", "FILE"],
        ["verdict", "a=FILE", "--labels", "FILE"],
    ],
    ids=lambda words: " ".join(words),
)
def test_pipes_are_refused_by_their_name_and_never_waited_for(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.tsv").write_bytes(GOOD)
    os.mkfifo("pipe")
    names = {"pipe": "pipe is a pipe, which can be read only once"}
    if words[0] != "verdict":  # its arguments are patterns, so it says that no file is called that
        names |= {name: f"{name} is standard input, which can be read only once" for name in ("-", "/dev/stdin")}
    for name, said in names.items():
        assert said in complaint([word.replace("FILE", name) for word in words], capsys)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.tsv", "pipe"]  # nothing is left


@pytest.mark.parametrize("linked", [False, True], ids=["pipe", "link to a pipe"])
def test_a_pipe_with_the_ending_of_a_table_is_not_waited_for(
    linked: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe, path = tmp_path / "pipe.tsv", tmp_path / ("link.tsv" if linked else "pipe.tsv")
    os.mkfifo(pipe)
    if linked:
        path.symlink_to(pipe)
    held = os.open(pipe, os.O_RDWR)  # a reader would get this line, and not wait for ever
    os.write(held, b"path\tlabel\n")
    try:
        assert not is_table(path)
        for words in (["data", "check", str(path)], ["train", "recurrent", "--data", str(path)]):
            assert f"{path} is a pipe, which can be read only once" in complaint(words, capsys)
    finally:
        os.close(held)


@pytest.mark.parametrize(
    "words", ["data check cmudict b.tsv c.tsv", "train recurrent --train a.tsv --dev b.tsv --test cmudict"]
)
def test_the_dictionary_is_not_one_of_three_files(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.tsv", "b.tsv", "c.tsv", "cmudict"):
        Path(name).write_bytes(GOOD)
    assert "cmudict is the name of the dictionary, which is split by itself: write ./cmudict" in complaint(
        words.split(), capsys
    )


def test_pairs_in_a_csv_file_are_told_which_ending_they_need(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.csv").write_bytes(GOOD)
    assert "if it holds pairs of sequences, save it as .tsv" in complaint(["data", "check", "pairs.csv"], capsys)
    told = complaint(["train", "recurrent", "--data", "pairs.csv"], capsys)
    assert "pairs.csv is read as a table of images, because it ends in .csv" in told
