"""`lab/gpu_check.py` awaits a graphics card. Without one it says so, and its program is tried on the CPU."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fittingroom.core.rundir import read_json

ROOT = Path(__file__).parents[2]
PARTS = {"parity", "resume", "paths", "accuracy", "memory", "throughput"}


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab.gpu_check", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500, check=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_the_check_says_so_and_writes_nothing(tmp_path: Path) -> None:
    done = check("--out", str(tmp_path))
    assert done.returncode == 2 and done.stderr.startswith("no graphics card here") and not done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_whole_check_runs_on_a_cpu_which_agrees_with_itself(tmp_path: Path) -> None:
    assert check("--device", "cpu", "--short", "--out", str(tmp_path), "parity", "resume").returncode == 0
    first = read_json(tmp_path / "cpu.json")
    assert check("--device", "cpu", "--short", "--out", str(tmp_path)).returncode == 0
    record = read_json(tmp_path / "cpu.json")
    assert record.keys() == {"card", *PARTS}
    assert {part: record[part] for part in ("parity", "resume")} == {part: first[part] for part in ("parity", "resume")}
    assert record["parity"]["found"]["vit, fp32"] == {"logits": 0.0, "losses": 0.0, "weights": 0.0}
    assert 0 < record["parity"]["found"]["vit, bf16"]["logits"] < 0.02
    assert record["resume"]["found"]["vit"] == {"again equal": True, "stopped equal": True}
    assert record["paths"]["found"]["vit"]["best"]["device"] == "cpu"
    assert record["accuracy"]["found"]["vit"]["seconds"].keys() == {"93%", "94%"}
    assert record["throughput"]["found"]["vit, batch 16"] > 0
