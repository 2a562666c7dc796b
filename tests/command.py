"""Run the program as a user does: its exit code, what it prints where. `run` in a process of its own, `call` in this one.

A process of its own takes seconds to import torch, so most tests `call`. What must be killed can be a `fork`: also a process of
its own, made by a server that has imported torch.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

from fittingroom.cli.main import main
from fittingroom.comparison.executors.processes import _context, _without_script

TINY_VIT = (
    *("--set", "train_images=640", "--set", "batch_size=32", "--set", "embed_dim=16", "--set", "depth=1"),
    *("--set", "patch_size=14", "--set", "drop_rate=0.1", "--set", "drop_path_rate=0.1", "--set", "ema_decay=0.9"),
    *("--set", "augment.mixup_alpha=0.2", "--set", "augment.erase_rate=0.3"),
)
"""A ViT that trains in a second and uses everything that is drawn by chance: shuffling, augmentation, dropout, averages."""


def environment() -> dict[str, str]:
    """This process's, with one thread: the same arithmetic on every machine, and no fight over cores."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "100"}


def hear_ctrl_c() -> None:
    """As in a terminal: a job that a script puts into the background is born deaf to SIGINT, and so would its children be."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(*words: str, cwd: Path | None = None, program: str | None = None) -> subprocess.Popen[str]:
    """`fittingroom WORDS`, running; or `program`, Python source that takes those words."""
    call = ["-m", "fittingroom"] if program is None else ["-c", program]
    command = [sys.executable, "-W", "ignore", *call, *words]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=cwd,
        preexec_fn=hear_ctrl_c,
    )


PROGRAM = "import sys; from fittingroom.cli.main import main; sys.exit(main(sys.argv[1:]))"


class Fork:
    """`fittingroom WORDS`, running; or `program`. A process of its own, without seconds of imports; used as a Popen is."""

    def __init__(self, *words: str, program: str = PROGRAM) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [str(Path(self._folder.name, name)) for name in ("out", "err")]
        for path in self._outputs:
            Path(path).touch()
        self._process = _context().Process(target=_forked, args=(words, program, self._outputs, {**os.environ}))
        with _without_script():
            self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end: standard output, standard error."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"still running after {timeout} s")
        out, err = (Path(path).read_text() for path in self._outputs)
        self._folder.cleanup()
        return out, err


def _forked(words: tuple[str, ...], program: str, outputs: list[str], variables: dict[str, str]) -> None:
    """Runs in the new process."""
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY), number)
    os.environ.clear()  # the server has those of the moment when it started
    os.environ.update(variables)
    warnings.simplefilter("ignore")
    sys.argv = ["fittingroom", *words]
    exec(program, {"__name__": "__main__"})


def run(*words: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """`fittingroom WORDS` to its end: exit code, standard output, standard error."""
    process = start(*words, cwd=cwd)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def run_json(*words: str, cwd: Path | None = None) -> dict[str, Any]:
    """`fittingroom WORDS --json`, which must end well: the one object on its standard output."""
    code, out, err = run(*words, "--json", cwd=cwd)
    assert code == 0, err
    return json.loads(out)


def call(*words: str) -> tuple[int, str, str]:
    """`fittingroom WORDS` in this process: exit code, standard output, standard error."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main([*words])
    return code, out.getvalue(), err.getvalue()


def call_json(*words: str) -> dict[str, Any]:
    """`fittingroom WORDS --json` in this process, which must end well: the one object on its standard output."""
    code, out, err = call(*words, "--json")
    assert code == 0, err
    return json.loads(out)
