"""Python as a user runs it: what importing costs, and scripts without a main guard."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import environment
from tests.own_images import write_images

MAX_SECONDS = 0.3

WITHOUT_GUARD = """
import fittingroom as fr

SMALL = {"embed_dim": 16, "depth": 1, "patch_size": 14}

print("the script runs")
result = fr.compare(["vit"], "mine.npz", seeds=1, epochs=0.1, folder="compared", settings=SMALL)
print(result.verdict.headline)
"""
REGISTERS_WITHOUT_GUARD = """
import fittingroom as fr

SMALL = {"embed_dim": 16, "depth": 1, "patch_size": 14}
from fittingroom.data.images.dataset import image_data
from fittingroom.data.images.fashion_mnist import open_fashion_mnist

SMALL = {"embed_dim": 16, "depth": 1, "patch_size": 14}
image_data("mine")(lambda data_dir=None: open_fashion_mnist(data_dir))
run = fr.train("vit", "mine", epochs=0.01, folder="run", settings=SMALL)
result = fr.compare(["vit"], "mine", seeds=1, epochs=0.01, folder="compared", settings=SMALL)
"""


def python(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=300
    )


def test_importing_the_package_is_quick_and_imports_no_torch() -> None:
    """Counted by the interpreter itself, its own start left out; the best of up to five on a busy machine."""
    seconds = []
    while len(seconds) < 5 and min(seconds, default=1.0) >= MAX_SECONDS:
        done = python("-X", "importtime", "-c", "import fittingroom, sys; print('torch' in sys.modules)")
        assert done.stdout == "False\n", done.stderr
        (microseconds,) = re.findall(r"\|\s*(\d+) \| fittingroom$", done.stderr, re.MULTILINE)
        seconds.append(int(microseconds) / 1e6)
    assert min(seconds) < MAX_SECONDS


@pytest.mark.slow
def test_a_script_needs_no_main_guard_and_runs_once(tmp_path: Path) -> None:
    write_images(tmp_path / "mine.npz", size=(28, 28))
    (tmp_path / "script.py").write_text(WITHOUT_GUARD)
    done = python("-W", "ignore", "script.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the script runs\n") and done.stdout.count("the script runs") == 1
    assert len(list((tmp_path / "compared").rglob("model.safetensors"))) == 1


@pytest.mark.slow
def test_a_script_that_registers_something_without_a_guard_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(REGISTERS_WITHOUT_GUARD)
    done = python("-W", "ignore", "script.py", cwd=tmp_path)
    assert done.returncode != 0
    last = done.stderr.splitlines()[-1]
    assert "your script registers something" in last and 'under `if __name__ == "__main__":`' in last
    assert "out of memory" not in done.stderr and done.stderr.count("Traceback") == 1
    assert not list((tmp_path / "compared").rglob("model.safetensors"))
