"""Run the program as a user does: its exit code, what it prints where. `run` in a process of its own, `call` in this one.

A process of its own takes seconds to import torch, so most tests `call`.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from fittingroom.cli.main import main

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
