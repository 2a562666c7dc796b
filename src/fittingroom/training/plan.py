"""The speed plan of a run: how its arithmetic is done. It changes speed and the last digits, never the method."""

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import Any, Literal

import torch

from fittingroom.core.config import replace
from fittingroom.core.errors import FittingRoomError
from fittingroom.training.config import RunConfig

Device = Literal["cpu", "cuda", "mps"]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Same seed and same plan on the same machine: the same weights, bit for bit."""

    device: Device
    """Where it is computed."""
    precision: Literal["fp32", "bf16"]
    """bf16: matrix products and convolutions by autocast, weights kept in fp32, Muon's iteration in bf16."""
    channels_last: bool
    """Memory layout of images and maps."""
    attention: Literal["explicit", "fused"]
    """Matrix products one by one, or torch's fused kernel."""
    compile: bool
    """The training step's forward and backward pass through torch.compile."""
    num_threads: int
    """Cores that one step is spread over."""

    def __post_init__(self) -> None:
        if self.num_threads < 1:
            raise FittingRoomError(f"num_threads {self.num_threads} is too small: choose 1 or more")


def first_guess(config: RunConfig) -> Plan:
    """Without a measurement: what the machine says of itself.

    bf16 where the processor multiplies it natively; explicit attention on a CPU, where the fused kernel's backward pass is
    slow for few tokens; channels-last for convolutions.
    """
    device = _device()
    return Plan(
        device=device,
        precision="bf16" if _has_fast_bf16(device) else "fp32",
        channels_last=config.family != "vit" and device != "mps",
        attention="explicit" if device == "cpu" else "fused",
        compile=False,
        num_threads=torch.get_num_threads(),
    )


def with_fixed(plan: Plan, fixed: Mapping[str, str]) -> Plan:
    """The plan with the user's parts, such as `{"precision": "fp32"}`. FittingRoomError: unknown part, or no such device."""
    changed = replace(plan, dict(fixed), "--plan")
    if "device" in fixed:
        check_device(changed.device)
        if "attention" not in fixed and changed.device != plan.device:
            changed = with_changes(changed, attention="explicit" if changed.device == "cpu" else "fused")
        if "precision" not in fixed and not _has_fast_bf16(changed.device):
            changed = with_changes(changed, precision="fp32")
    return changed


def check_device(device: Device) -> None:
    """Raise FittingRoomError unless this machine has it."""
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not has[device]:
        there = ", ".join(name for name, found in has.items() if found)
        raise FittingRoomError(f"device '{device}' is not on this machine: --plan device= takes {there}")


def differences(one: Plan, other: Plan) -> dict[str, Any]:
    """The parts of `one` that differ from `other`."""
    return {key: value for key, value in vars(one).items() if value != getattr(other, key)}


def _device() -> Device:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _has_fast_bf16(device: Device) -> bool:
    if device == "cpu":
        # Without these instructions bf16 is emulated: 2 to 90 times slower than fp32 (pytorch#86270, #118499).
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device == "cuda" and torch.cuda.is_bf16_supported()
