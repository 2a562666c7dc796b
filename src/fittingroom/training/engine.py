"""Which device, precision and memory layout a run takes: chosen by what the machine says of itself."""

import platform
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch

from fittingroom import __version__
from fittingroom.core.errors import FittingRoomError
from fittingroom.training.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How the arithmetic is done. It changes speed and the last digits, never the method."""

    device: Literal["cpu", "cuda", "mps"]
    precision: Literal["fp32", "bf16"]
    channels_last: bool
    num_threads: int


def make_plan(config: RunConfig) -> Plan:
    """bf16 where the processor multiplies it natively; channels-last for convolutions, which is their fast layout on a CPU."""
    device = _device(config.accelerator)
    fast = {"cpu": _cpu_has_fast_bf16(), "cuda": device == "cuda" and torch.cuda.is_bf16_supported(), "mps": False}[
        device
    ]
    precision = config.precision if config.precision != "auto" else ("bf16" if fast else "fp32")
    return Plan(
        device=device,
        precision=precision,
        channels_last=config.family != "vit" and device != "mps",
        num_threads=torch.get_num_threads(),
    )


def _device(accelerator: str) -> Literal["cpu", "cuda", "mps"]:
    has_gpu, has_mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if (accelerator == "gpu" and not has_gpu) or (accelerator == "mps" and not has_mps):
        raise FittingRoomError(f"accelerator '{accelerator}' is not on this machine: choose auto or cpu")
    if accelerator == "gpu" or (accelerator == "auto" and has_gpu):
        return "cuda"
    return "mps" if accelerator == "mps" or (accelerator == "auto" and has_mps) else "cpu"


def _cpu_has_fast_bf16() -> bool:
    # Without these instructions bf16 is emulated: 2 to 90 times slower than fp32 (pytorch#86270, #118499).
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


def describe_environment(plan: Plan) -> dict[str, Any]:
    """What `environment.json` holds: enough to explain a difference between two machines."""
    packages = ("torch", "lightning", "numpy", "scipy", "safetensors")
    return {
        "fittingroom": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
        "platform": platform.platform(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "plan": asdict(plan),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _commit() -> str | None:
    here = Path(__file__).parents[1]  # the whole package: "+changes" where any of its files differs from the commit
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=5)
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--", "."], cwd=here, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() + ("+changes" if dirty.stdout.strip() else "") if found.returncode == 0 else None


def _processor() -> str:
    """The processor's name, with its number of cores that this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {torch.get_num_threads()} threads"


def peak_memory_bytes(plan: Plan) -> int:
    """Largest memory so far: of the graphics card where one is used, else of this process."""
    if plan.device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
