"""Python as a user runs it: what importing costs, and a script that lacks its main guard."""

import re
import subprocess
import sys
from pathlib import Path

from tests.command import environment
from tests.own_images import write_images

MAX_SECONDS = 0.3

WITHOUT_GUARD = """
import fittingroom as fr

print("the script runs")
result = fr.compare(["vit", "cnn"], "mine.npz", seeds=1, epochs=0.1, folder="compared")
print(result.verdict)
"""


def python(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120
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


def test_a_script_without_a_main_guard_ends_with_the_line_that_says_so(tmp_path: Path) -> None:
    write_images(tmp_path / "mine.npz", size=(28, 28))
    (tmp_path / "script.py").write_text(WITHOUT_GUARD)
    done = python("-W", "ignore", "script.py", cwd=tmp_path)
    assert done.returncode != 0
    last = done.stderr.splitlines()[-1]
    assert 'put the call under `if __name__ == "__main__":`' in last
    assert "out of memory" not in done.stderr and done.stderr.count("Traceback") == 1
    assert not list(tmp_path.rglob("model.safetensors"))
