"""The contents of `environment.json`: the machine, the software versions and the speed plan of a run."""

import platform
import resource
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
        "processor": f"{processor()}, {plan.num_threads} threads",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "plan": asdict(plan),
        "probe": probe,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def peak_memory_bytes(plan: Plan) -> int:
    """Peak memory so far: of the graphics card if the plan uses one, otherwise of this process."""
    return torch.cuda.max_memory_allocated() if plan.device == "cuda" else process_peak_bytes()


def process_peak_bytes() -> int:
    """Peak memory of this process so far.

    Linux reports it in /proc. Elsewhere it comes from getrusage, which may include the peak of the parent process.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _commit() -> str | None:
    here = Path(__file__).parents[1]  # the whole package: any file that differs from the commit adds "+changes"
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=5)
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--", "."], cwd=here, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() + ("+changes" if dirty.stdout.strip() else "") if found.returncode == 0 else None
