"""Odd environments: outputs that cannot encode a sign or are closed, a system without Unix modules, Ctrl-C at any moment."""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fittingroom.cli.main import main
from fittingroom.comparison.summary import summarise
from tests.command import TINY_VIT, environment, hear_ctrl_c
from tests.comparison_fixture import write_images

pytestmark = pytest.mark.usefixtures("torch_as_before")

SLURM = {"SLURM_JOB_NAME": "job", "SLURM_NTASKS": "4", "SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0"}

WITHOUT_UNIX = """
import os, signal, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("sched_getaffinity", "sched_setaffinity", "sysconf", "getuid", "fchmod"):
    delattr(os, name)
del signal.pthread_sigmask
from fittingroom.cli.main import main
sys.exit(main(sys.argv[1:]))
"""

Output = Callable[..., tuple[int, str]]


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Output:
    """Call `fittingroom WORDS`: exit code and standard output, which has the given encoding."""

    def call(*words: str, encoding: str = "ascii") -> tuple[int, str]:
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
        code = main([*words])
        sys.stdout.flush()
        return code, written.getvalue().decode(encoding)

    return call


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_report_and_a_verdict_escape_signs_that_the_output_lacks(
    encoding: str, output: Output, tmp_path: Path
) -> None:
    folder = write_images(tmp_path / "衬衫")
    code, out = output("report", str(folder), encoding=encoding)
    assert code == 0 and "\\u886c\\u886b/report.html" in out
    code, out = output("verdict", *predictions(tmp_path), encoding=encoding)
    assert code == 0 and "\\u6a21\\u578b" in out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_compare_escapes_signs_that_the_output_lacks(
    encoding: str, output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs are made up: what `compare` prints in the end is what matters here."""
    folder = write_images(tmp_path / "衬衫")
    monkeypatch.setattr("fittingroom.comparison.executors.processes.warm_up", lambda: None)
    monkeypatch.setattr("fittingroom.comparison.grid.run_comparison", lambda comparison, watcher: summarise(folder))
    code, out = output("compare", "--models", "vit", "--out", str(folder), encoding=encoding)
    assert code == 0 and "\\u886c\\u886b/report.html" in out and ("\u00b1" in out or "\\xb1" in out)


def test_train_and_explain_escape_signs_and_a_task_of_a_scheduler_logs(
    output: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "Łódź"
    code, out = output("train", "vit", "--epochs", "0.2", *TINY_VIT, "--logger", "tensorboard", "--out", str(folder))
    assert code == 0 and out.endswith("d\\u017a\n")
    assert list((folder / "tensorboard").glob("events.out.tfevents.*"))
    code, out = output("explain", str(folder), "--index", "3", "--out", str(tmp_path / "ś"))
    assert code == 0 and "\\u015b" in out


@pytest.mark.parametrize("words", [["--help"], ["verdict"], ["verdict", "--json"]], ids=" ".join)
def test_a_reader_that_leaves_ends_it_quietly(words: list[str], tmp_path: Path) -> None:
    with program(*words, *(() if words == ["--help"] else predictions(tmp_path))) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


class Left(io.FileIO):
    """A pipe whose reader leaves after so many pieces: `| true` reads none, `| head -n 1` the first."""

    def __init__(self, pieces: int) -> None:
        self.reader, writer = os.pipe()
        super().__init__(writer, "w")
        self.pieces = pieces
        self._leave()

    def write(self, piece: Any) -> int:
        """Python's own, then the reader may leave."""
        count = super().write(piece)
        self.pieces -= 1
        self._leave()
        return count

    def _leave(self) -> None:
        if self.pieces == 0:
            os.close(self.reader)


@pytest.mark.parametrize("pieces", [0, 1])
@pytest.mark.parametrize("command", ["compare", "explain"])
def test_a_reader_that_leaves_ends_compare_and_explain_quietly(
    command: str, pieces: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs of `compare` are made up: what it prints in the end is what matters here."""
    words = ["explain", "cnn", "--index", "3", "--out", str(tmp_path / "out")]
    if command == "compare":
        folder = write_images(tmp_path / "out")
        monkeypatch.setattr("fittingroom.comparison.executors.processes.warm_up", lambda: None)
        monkeypatch.setattr("fittingroom.comparison.grid.run_comparison", lambda comparison, watcher: summarise(folder))
        words = ["compare", "--models", "vit", "--quiet", "--out", str(folder)]
    errors, left = io.StringIO(), Left(pieces)
    monkeypatch.setattr(sys, "stderr", errors)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(left), line_buffering=True))
    assert main(words) == 0
    sys.stdout.close()
    assert left.pieces < pieces or pieces == 0, "it wrote nothing"
    said = errors.getvalue().splitlines()
    assert not [line for line in said if "roken pipe" in line or "Traceback" in line or "fittingroom:" in line], said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_behind_the_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        process = program("--version", stdout=full)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err == b"fittingroom: cannot write the output: No space left on device: free some space\n"


def test_closed_streams_are_no_reason_to_fail() -> None:
    for redirections, code in (("<&- >&- 2>&-", 0), (">&-", 0), ("2>&-", 0)):
        command = f'"{sys.executable}" -m fittingroom --version {redirections}'
        assert (
            subprocess.run(command, shell=True, env=environment(), capture_output=True, timeout=60).returncode == code
        )


def test_a_current_folder_that_was_deleted_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In it, the library behind torch ends the process."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["predict", "cnn", "a.png"]) == 2
    assert capsys.readouterr().err == (
        "fittingroom: the current folder cannot be used (No such file or directory): cd to another one\n"
    )


@pytest.mark.slow
def test_without_unix_a_run_is_trained(tmp_path: Path) -> None:
    words = ("train", "vit", "--epochs", "0.2", *TINY_VIT, "--out", str(tmp_path / "run"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_UNIX, *words],
        env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_ctrl_c_while_plans_are_measured_is_one_message(tmp_path: Path) -> None:
    """As in a terminal, the signal reaches all processes. The children import torch at that moment."""
    words = ("compare", "--models", "vit", "--budget", "100s", "--seeds", "1", "--out", str(tmp_path / "out"))
    with program(*words, cache=tmp_path / "cache") as process:
        assert process.stderr is not None and b"measuring" in process.stderr.readline()
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        err = process.stderr.read()
    assert process.returncode == 130
    assert err.count(b"\n") == 2 and err.startswith(b"\nfittingroom: interrupted; "), err


INTERRUPTED = """
import sys
import fittingroom.cli.main as cli
from fittingroom.__main__ import run

class Thing:
    def __del__(self):
        raise KeyboardInterrupt

def main():
    {code}
    for _ in range(10**9):
        pass

cli.main = main
sys.exit(run())
"""


@pytest.mark.parametrize("code", ["exec('raise KeyboardInterrupt')", "Thing()"])
def test_ctrl_c_inside_a_library_is_neither_lost_nor_another_exit_code(code: str, tmp_path: Path) -> None:
    """In code that a library executes, Python would end with the signal, but only in a module that runs as `python -m`.

    In a destructor, it would go on.
    """
    (tmp_path / "interrupted.py").write_text(INTERRUPTED.format(code=code))
    done = subprocess.run(
        [sys.executable, "-m", "interrupted"], capture_output=True, env=environment(), timeout=60, cwd=tmp_path,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, b"\nfittingroom: interrupted\n")


def predictions(folder: Path) -> list[str]:
    """The arguments of `fittingroom verdict` for two models, one with a Chinese name."""
    (folder / "labels.csv").write_text("\n".join("0101010101"))
    (folder / "a.csv").write_text("衬衫,b\n" + "0.9,0.1\n0.2,0.8\n" * 5, encoding="utf-8")
    return ["--labels", str(folder / "labels.csv"), f"模型={folder / 'a.csv'}", f"b={folder / 'a.csv'}"]


def program(*words: str, stdout: Any = subprocess.PIPE, cache: Path | None = None) -> subprocess.Popen[bytes]:
    """`fittingroom WORDS` in a process group of its own, which hears Ctrl-C."""
    variables = environment() | {"PYTHONUNBUFFERED": ""} | ({"XDG_CACHE_HOME": str(cache)} if cache else {})
    return subprocess.Popen(
        [sys.executable, "-m", "fittingroom", *words], stdout=stdout, stderr=subprocess.PIPE, env=variables,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
