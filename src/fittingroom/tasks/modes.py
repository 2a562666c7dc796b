"""Three ways to train a network, as a suffix of its name: `cnn`, `cnn+finetune`, `timm:resnet18+probe`. No torch here."""

from typing import Literal

from fittingroom.core.errors import FittingRoomError, did_you_mean

Mode = Literal["scratch", "finetune", "probe"]
MODES: tuple[Mode, ...] = ("scratch", "finetune", "probe")


def split_mode(text: str) -> tuple[str, Mode]:
    """`timm:resnet18+probe` as (`timm:resnet18`, `probe`). Without a suffix a network is trained from scratch.

    Raises FittingRoomError for another suffix.
    """
    name, plus, mode = text.rpartition("+")
    if not plus:
        return text, "scratch"
    if mode not in MODES or not name:
        raise FittingRoomError(f"model '{text}': unknown way to train '{mode}': {did_you_mean(mode, MODES)}")
    return name, mode


def with_mode(name: str, mode: Mode) -> str:
    """The opposite of `split_mode`."""
    return name if mode == "scratch" else f"{name}+{mode}"
