"""`train`, `evaluate` and `compare` with pairs of one's own, in other scripts, as a user types them; and what goes wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from fittingroom.cli.main import main
from tests.command import call, call_json
from tests.pairs_fixture import ARABIC, GREEK, HANGUL, made_up, write_tsv

pytestmark = pytest.mark.usefixtures("torch_as_before")

SMALL = ("--set", "embed_dim=16", "--set", "batch_size=32", "--plan", "num_threads=1")
TINY = {
    "transformer": ("--set", "depth_encoder=1", "--set", "depth_decoder=1"),
    "recurrent": ("--set", "hidden_dim=16", "--set", "depth=1"),
}
SCRIPTS = {"greek": GREEK, "korean": HANGUL, "arabic": ARABIC}


def three_files(folder: Path, script: str) -> tuple[str, ...]:
    """--train, --dev and --test with words of that script."""
    words = made_up(SCRIPTS[script], 260)
    parts = {"train": words[:200], "dev": words[200:230], "test": words[230:]}
    return tuple(
        word
        for part, pairs in parts.items()
        for word in (f"--{part}", str(write_tsv(folder / f"{script}-{part}.tsv", pairs)))
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "model"), [("greek", "transformer"), ("korean", "recurrent"), ("arabic", "transformer")]
)
def test_pairs_in_another_script_train_and_the_saved_weights_score_alike(
    script: str, model: str, tmp_path: Path
) -> None:
    files = three_files(tmp_path, script)
    row = call_json("train", model, *files, "--epochs", "1", *SMALL, *TINY[model], "--out", str(tmp_path / "run"))
    assert row["status"] == "finished" and row["test_phoneme_error_rate"] > 0
    scores = call_json("evaluate", str(tmp_path / "run"), "--split", "test")
    assert scores["num_words"] == 30
    for name in ("test_word_error_rate", "test_phoneme_error_rate"):
        assert scores[name] == row[name]
    reads = json.loads((tmp_path / "run" / "state.json").read_text())["test_reads"]
    assert [read["why"] for read in reads] == ["final epoch", "evaluate"]


def test_one_file_is_split_by_word_and_the_line_at_the_end_says_what_came_out(tmp_path: Path) -> None:
    path = write_tsv(tmp_path / "words.tsv", made_up(GREEK, 300))
    code, out, err = call(
        "train", "transformer", "--data", str(path), "--epochs", "0.5", *SMALL, *TINY["transformer"],
        "--out", str(tmp_path / "run"),
    )  # fmt: skip
    assert code == 0, err
    assert out.startswith("transformer-seed0: test word error ") and "pairs/s" in out
    code, out, err = call("evaluate", str(tmp_path / "run"))
    assert code == 0, err
    assert out.startswith("transformer-seed0: val word error ") and "words" in out


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A comparison of both models: its folder, its files, what it printed."""
    folder = tmp_path_factory.mktemp("compared")
    files = three_files(folder, "greek")
    words = ("compare", *files, "--seeds", "2", "--epochs", "0.5", *SMALL[:4], "--out", str(folder / "out"))
    code, out, err = call(*words)
    assert code == 0, err
    return folder / "out", words, out


def test_a_comparison_takes_the_sequence_models_by_itself_and_gives_verdict_and_page(compared: Any) -> None:
    folder, _, out = compared
    record = json.loads((folder / "comparison.json").read_text())
    assert (record["schema"], record["task"]) == (2, "seq2seq")
    assert {each["name"] for each in record["candidates"]} == {"transformer", "recurrent"}
    assert {row["status"] for row in record["runs"]} == {"finished"} and len(record["runs"]) == 4
    assert record["data"]["num_test"] == 30
    assert any("The three files say which word is in which part." in sentence for sentence in record["protocol"])
    assert "2 seeds" in out and "report.html" in out
    assert "--train" in record["command"]
    summary = json.loads((folder / "summary.json").read_text())
    assert all(0 <= each["evals"]["test"]["word_error_rate"]["mean"] <= 1 for each in summary["candidates"])


def test_called_again_it_trains_nothing_and_says_the_same(compared: Any) -> None:
    folder, words, out = compared
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("model.safetensors")}
    code, again, _ = call(*words)
    assert code == 0 and again == out
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("model.safetensors")} == before


HOSTILE = {
    "no tab": (b"hello HH AH L OW\n", "line 1 has no tab"),
    "empty": (b"", "holds no pairs"),
    "invalid UTF-8": (b"a\tA\nb\t\xff\n", "line 2 is not UTF-8"),
    "NUL": (b"a\tA\nb\x00\tB\n", "line 2 holds the hidden character U+0000"),
    "10 MB line": (b"a\t" + b"A " * 5_000_000, "line 1 is longer than 16,384 bytes"),
    "one symbol": (b"".join(b"a" * n + b"\tA\n" for n in range(1, 250)), "only one source symbol"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_ends_in_one_clear_line_and_nothing_is_written(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, complaint = HOSTILE[kind]
    (tmp_path / "bad.tsv").write_bytes(content)
    code = main(["train", "transformer", "--data", str(tmp_path / "bad.tsv"), "--out", str(tmp_path / "run")])
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and "bad.tsv" in err and complaint in err
    assert not (tmp_path / "run").exists()


def test_a_byte_order_mark_and_windows_line_ends_are_taken_in_silence(tmp_path: Path) -> None:
    lines = "".join(f"{source}\t{target}\r\n" for source, target in made_up(GREEK, 300))
    (tmp_path / "words.tsv").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    row = call_json(
        "train", "transformer", "--data", str(tmp_path / "words.tsv"), "--epochs", "0.2", *SMALL, *TINY["transformer"],
        "--out", str(tmp_path / "run"),
    )  # fmt: skip
    assert row["num_unknown"] == 0
    assert json.loads((tmp_path / "run" / "vocabularies.json").read_text())["source"] == sorted(GREEK)


WRONG = [
    (
        ("train", "vit", "--data", "cmudict"),
        "vit classifies images (a folder of pictures, a table of them, or a .npz file); pairs are for transformer and recurrent",
    ),
    (
        ("train", "transformer", "--data", "fashion-mnist"),
        "fashion-mnist holds images, and transformer reads pairs of sequences",
    ),
    (("train", "transformer", "--data", "cmudct"), "unknown data set 'cmudct'"),
    (("train", "transformer", "--data", "absent.tsv"), "absent.tsv cannot be read"),
    (("train", "transformer", "--train", "a.tsv"), "--train, --dev and --test belong together"),
    (("train", "transformer", "--stress", "kept"), "--stress kept: choose strip or keep"),
    (("train", "transformer", "--data", "a.tsv", "--stress", "keep"), "--stress keep is for cmudict only"),
    (
        ("train", "transformer", "--recipe", "cnn_5"),
        "recipe 'cnn_5' is not for transformer models: for transformer choose transformer_10, transformer_24",
    ),
    (("train", "transformer", "--set", "src_vocab_size=9"), "--set src_vocab_size: the data determines it"),
    (("train", "transformr"), "did you mean 'transformer'"),
    (
        ("compare", "--models", "vit,transformer"),
        "vit is for classification and transformer for seq2seq: compare models of one task",
    ),
    (
        ("bench", "time-to-accuracy", "--models", "recurrent"),
        "time to accuracy needs a model that classifies, and recurrent is for seq2seq",
    ),
]


@pytest.mark.parametrize(
    ("words", "complaint"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_mistake_gets_one_clear_line(
    words: tuple[str, ...],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main([*words])
    out, err = capsys.readouterr()
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and complaint in err, err
    assert list(tmp_path.iterdir()) == []


def test_what_looks_like_a_mistake_is_said_before_training_and_a_moved_file_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [("word", "phonemes"), *made_up(GREEK, 300)]
    monkeypatch.chdir(tmp_path)
    write_tsv(Path("words.tsv"), words)
    order = ("recurrent", "--epochs", "1", *SMALL, *TINY["recurrent"], "--out", "run")
    code, out, err = call("train", *order, "--data", "words.tsv")
    assert code == 0 and err.count("hint: words.tsv, line 1 looks like a header ('word', 'phonemes'): delete it") == 1
    for name in ("./words.tsv", str(tmp_path / "words.tsv")):
        assert call("train", *order, "--data", name)[:2] == (0, out)  # the same run
    write_tsv(Path("other.tsv"), words[1:])
    code, _, err = call("train", *order, "--data", "other.tsv")
    assert code == 2 and "run holds a run with other settings or data" in err
    (tmp_path / "elsewhere").mkdir()
    Path("words.tsv").rename("elsewhere/mine.tsv")
    code, _, err = call("evaluate", "run")
    assert code == 2 and "words.tsv, the data of run, is missing: put it back, or use --data to say where it is" in err
    scores = call_json("evaluate", "run", "--data", "elsewhere/mine.tsv")
    assert (
        scores["val_word_error_rate"]
        == json.loads(Path("run/state.json").read_text())["evals"]["val"]["word_error_rate"]
    )
