"""RunConfig: all settings that decide the result of a run. It is resolved, hashed (the run's id) and saved in the run folder.

RunConfig holds what every run has. Each task adds its own fields in a subclass (`tasks/*/config.py`).
"""

from contextlib import suppress
from dataclasses import field
from typing import Any, ClassVar, Literal

from fittingroom.core.config import config_dataclass, to_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import check_seed
from fittingroom.core.registry import Registry
from fittingroom.models import Variant, resolve_config
from fittingroom.models.image_size import ImageSizeError

MOST_EPOCHS, MOST_SECONDS = 1_000_000, 366 * 24 * 3600
"""The longest run: more is a slip of the keyboard."""


@config_dataclass
class OptimConfig:
    """The optimizer and its settings."""

    name: Literal["adamw", "muon"] = "muon"
    """adamw for all parameters, or muon for hidden matrices and adamw for the rest."""
    lr: float = 0.003
    """Peak learning rate of AdamW."""
    muon_lr: float = 0.02
    """Peak learning rate of Muon. Its updates are scaled to a root mean square of about 0.2, as AdamW's are."""
    weight_decay: float = 0.05
    """Decoupled weight decay of matrices and filters. Vectors do not decay."""
    momentum: float = 0.95
    """Muon's Nesterov momentum."""
    betas: tuple[float, float] = (0.9, 0.99)
    """AdamW's decay rates."""

    def __post_init__(self) -> None:
        for name in ("lr", "muon_lr"):
            if not 0 < getattr(self, name) < float("inf"):
                raise FittingRoomError(f"{name} {getattr(self, name)} is out of range: choose a number above 0")
        if not 0 <= self.weight_decay < float("inf"):
            raise FittingRoomError(f"weight_decay {self.weight_decay} is out of range: choose 0 or more")
        if not all(0 <= rate < 1 for rate in (self.momentum, *self.betas)):
            raise FittingRoomError(f"momentum {self.momentum} and betas {self.betas} must each be from 0 to below 1")


@config_dataclass
class ScheduleConfig:
    """How the learning rate changes during a run."""

    shape: Literal["linear", "cosine", "constant", "inverse_sqrt"] = "linear"
    """Decay after the warm-up: to zero (linear, cosine), none, or as 1 / sqrt(step) (Vaswani 2017, equation 3)."""
    warmup_rate: float = 0.1
    """Fraction of all steps in which the rate rises from zero to its peak."""

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_rate < 1:
            raise FittingRoomError(f"warmup_rate {self.warmup_rate} is out of range: choose a number from 0 to below 1")
        if self.shape == "inverse_sqrt" and self.warmup_rate == 0:
            raise FittingRoomError("warmup_rate 0 gives inverse_sqrt no peak: choose a number above 0, such as 0.1")


@config_dataclass
class RunConfig:
    """One training run."""

    registry: ClassVar[Registry[Variant]]
    """The models that this task can train."""

    task: str
    """Name of the task."""
    model: str
    """Name of the variant, see `fittingroom models`."""
    model_config: dict[str, Any] = field(default_factory=dict)
    """Settings of that variant that differ from its defaults."""
    data: str
    """Name of a data set, or path of a file."""
    num_train: int | None = None
    """Train on this many items, drawn by seed; default: all."""
    seed: int = 0
    """Decides everything random: initial weights, order, dropout; for images also split and augmentation."""
    epochs: float | None = None
    """Passes over the training split; or give budget_seconds."""
    budget_seconds: float | None = None
    """Wall-clock seconds to train for, with the schedule fitted to them; or give epochs."""
    batch_size: int = 128
    """Items per step."""
    label_smoothing: float = 0.1
    """Share of the target spread over all classes."""
    clip_norm: float = 1.0
    """Largest norm of the whole gradient; 0 turns clipping off."""
    ema_decay: float = 0.0
    """Decay of the moving average of the weights, which is then evaluated and saved; 0 turns it off."""
    early_stopping: int | None = None
    """Stop after this many validations without a lower validation loss, and keep the weights of the lowest; default: never.

    A run validates after each epoch, a run of over 50 epochs 50 times."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """The optimizer."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """Learning rate over the run."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        with suppress(ImageSizeError):  # the data decides the image size: `Task.config` checks it
            resolve_config(self.model, self.model_config, self.registry)
        if (self.epochs is None) == (self.budget_seconds is None):
            raise FittingRoomError("give exactly one of epochs and budget_seconds")
        for name, most in (("epochs", MOST_EPOCHS), ("budget_seconds", MOST_SECONDS)):
            value = getattr(self, name)
            if value is not None and not 0 < value <= most:
                raise FittingRoomError(f"{name} {value:g} is not a length: choose a number above 0, at most {most:,}")
        for name in ("batch_size", "early_stopping", "num_train"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise FittingRoomError(f"{name} {value} is too small: choose 1 or more")
        if not 0 <= self.label_smoothing < 1 or not 0 <= self.ema_decay < 1:
            raise FittingRoomError(
                f"label_smoothing {self.label_smoothing} and ema_decay {self.ema_decay} must be at least 0 and below 1"
            )
        if self.clip_norm < 0:
            raise FittingRoomError(f"clip_norm {self.clip_norm} is negative: choose 0 (off) or more")

    @property
    def data_files(self) -> tuple[str, ...]:
        """The paths of the data; none if the data set has a name."""
        return ()

    def identity(self) -> dict[str, Any]:
        """The values that identify the run. Files count by their digest, wherever they are."""
        values = to_dict(self)
        if not values.get("digest"):
            values.pop("digest", None)
        elif self.data_files:
            for name in ("data", "dev", "test"):
                values.pop(name, None)
        return values

    @property
    def label(self) -> str:
        """The model as one types it."""
        return self.model

    @property
    def run(self) -> str:
        """The run's short name, such as `vit-seed0`."""
        return f"{self.label}-seed{self.seed}"

    @property
    def family(self) -> str:
        """vit, cnn, hybrid, transformer or recurrent."""
        return self.registry.get(self.model).family
