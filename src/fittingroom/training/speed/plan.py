"""The speed plan of a run: how its arithmetic is computed. It changes the speed and the last digits, never the method."""

from collections.abc import Mapping
from dataclasses import replace as with_changes
from typing import Any, Literal

import torch

from fittingroom.core.config import config_dataclass, replace
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.machine import num_cores
from fittingroom.tasks.config import RunConfig

MOST_THREADS = 1024
Device = Literal["cpu", "cuda", "mps"]


@config_dataclass
class Plan:
    """How a run is computed.

    On one processor, the same seed and plan give the same weights bit for bit. On a graphics card the last digits may differ.
    """

    device: Device
    """The device that computes the run."""
    precision: Literal["fp32", "bf16"]
    """bf16: autocast for matrix products and convolutions, bf16 for Muon's iteration, fp32 for the weights."""
    channels_last: bool
    """Whether images and feature maps have channels-last memory layout."""
    attention: Literal["explicit", "fused"]
    """explicit: separate matrix products and softmax; fused: torch's fused kernel."""
    compile: bool
    """Whether torch.compile compiles the forward and backward pass of the training step."""
    num_threads: int
    """CPU threads per step."""

    def __post_init__(self) -> None:
        if self.num_threads < 1:
            raise FittingRoomError(f"num_threads {self.num_threads} is too small: choose 1 or more")
        if self.num_threads > MOST_THREADS:
            raise FittingRoomError(f"num_threads {self.num_threads} is too large: choose at most {MOST_THREADS:,}")


def first_guess(config: RunConfig) -> Plan:
    """The plan without any measurement, from the features that the hardware reports.

    bf16 if the processor multiplies it natively; channels-last for convolutions; explicit attention on a CPU, because the
    backward pass of the fused kernel is slow there for few tokens.
    """
    return _guess(convolutions=config.family in ("cnn", "hybrid"))


def _guess(*, convolutions: bool) -> Plan:
    device = _device()
    return Plan(
        device=device,
        precision=_precision_for(device),
        channels_last=convolutions and device != "mps",
        attention=_attention_for(device),
        compile=False,
        num_threads=min(torch.get_num_threads(), num_cores()),
    )


def check_fixed(fixed: Mapping[str, str]) -> None:
    """Raise FittingRoomError for parts that no run on this machine can have. Needs neither model nor data."""
    with_fixed(_guess(convolutions=False), fixed)


def with_fixed(plan: Plan, fixed: Mapping[str, str]) -> Plan:
    """The plan with the parts that the user chose, such as `{"precision": "fp32"}`.

    A different device also changes attention, precision and memory layout to suit it, unless the user chose those too. Raises
    FittingRoomError for an unknown part or a device that this machine does not have.
    """
    changed = replace(plan, dict(fixed), "--plan")
    if changed.device == plan.device:
        return changed
    check_device(changed.device)
    suited: dict[str, Any] = {
        "attention": _attention_for(changed.device),
        "precision": _precision_for(changed.device),
        "channels_last": changed.channels_last and changed.device != "mps",
    }
    return with_changes(changed, **{part: value for part, value in suited.items() if part not in fixed})


def check_device(device: Device) -> None:
    """Raise FittingRoomError unless this machine has `device`."""
    has = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not has[device]:
        there = ", ".join(name for name, found in has.items() if found)
        raise FittingRoomError(f"device '{device}' is not on this machine: --plan device= takes {there}")


def differences(one: Plan, other: Plan) -> dict[str, Any]:
    """The parts of `one` that differ from `other`."""
    return {key: value for key, value in vars(one).items() if value != getattr(other, key)}


def _device() -> Device:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _attention_for(device: Device) -> Literal["explicit", "fused"]:
    return "explicit" if device == "cpu" else "fused"


def _precision_for(device: Device) -> Literal["fp32", "bf16"]:
    return "bf16" if has_fast_bf16(device) else "fp32"


def has_fast_bf16(device: Device) -> bool:
    """Whether the device multiplies bf16 in hardware."""
    if device == "cpu":
        # Without these instructions bf16 is emulated: 2 to 90 times slower than fp32 (pytorch#86270, #118499).
        return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return device == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
