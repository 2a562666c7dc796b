"""The contents of `environment.json`: the machine, the software versions and the speed plan of a run."""

import platform
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from fittingroom import __version__
from fittingroom.training.speed.plan import Plan


def describe_environment(plan: Plan, probe: list[dict[str, Any]]) -> dict[str, Any]:
    """Enough to explain a difference between two machines. `probe` is the table of timings behind the plan."""
    packages = ("torch", "lightning", "numpy", "scipy", "safetensors")
    return {
        "fittingroom": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "platform": platform.platform(),
        "processor": f"{processor()}, {plan.num_threads} thread{'' if plan.num_threads == 1 else 's'}",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "plan": asdict(plan),
        "probe": probe,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak_memory_bytes(plan: Plan) -> int | None:
    """Peak memory so far: of the graphics card if the plan uses one, otherwise of this process. None if not known."""
    return torch.cuda.max_memory_allocated() if plan.device == "cuda" else process_peak_bytes()


def process_peak_bytes() -> int | None:
    """Peak memory of this process so far; None on Windows, which does not report it.

    Linux reports it in /proc. Elsewhere it comes from getrusage, which may include the peak of the parent process.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        try:
            import resource
        except ModuleNotFoundError:
            return None
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _commit() -> str | None:
    here = Path(__file__).parents[1]  # the whole package: any file that differs from the commit adds "+changes"
    try:
        commit, changes = (
            subprocess.run(
                ["git", *words], cwd=here, capture_output=True, encoding="utf-8", errors="replace", timeout=5
            )
            for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", "."])
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return commit.stdout.strip() + ("+changes" if changes.stdout.strip() else "") if commit.returncode == 0 else None
