"""RunConfig: all that decides a run's result, resolved, hashed (the run's id) and written to the run folder.

What every run has stands in RunConfig; ImageRunConfig adds what belongs to images, PairRunConfig what belongs to pairs of
sequences.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from fittingroom.core.config import from_dict
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.randomness import check_seed
from fittingroom.core.registry import Registry
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.models import MODELS, SEQUENCE_MODELS, Variant, resolve_config
from fittingroom.training.optim import OptimConfig
from fittingroom.training.schedule import ScheduleConfig

Kind = Literal["images", "pairs"]


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """One training run of either kind."""

    kind: ClassVar[Kind]
    registry: ClassVar[Registry[Variant]]

    model: str
    """Name of the variant, see `fittingroom models`."""
    model_config: dict[str, Any] = field(default_factory=dict)
    """Settings of that variant that differ from its defaults."""
    data: str
    """What is learnt from."""
    seed: int = 0
    """Decides all that is drawn by chance: initial weights, order, dropout; of images the split and the augmentation too."""
    epochs: float | None = None
    """Passes over the training part; or give budget_seconds."""
    budget_seconds: float | None = None
    """Wall-clock seconds to train for, the schedule fitted to them; or give epochs."""
    batch_size: int = 128
    """Images, or pairs, a step."""
    label_smoothing: float = 0.1
    """Share of the target spread over all classes."""
    clip_norm: float = 1.0
    """Largest norm of the whole gradient; 0 is off."""
    ema_decay: float = 0.0
    """Decay of the exponential moving average of the weights, which is then evaluated and saved; 0 is off."""
    early_stopping: int | None = None
    """Stop after this many validations without a better validation loss; absent is off."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """What moves the weights."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """Learning rate over the run."""

    def __post_init__(self) -> None:
        check_seed(self.seed)
        resolve_config(self.model, self.model_config, self.registry)
        if (self.epochs is None) == (self.budget_seconds is None):
            raise FittingRoomError("give either epochs or budget_seconds, not both and not neither")
        for name in ("epochs", "budget_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise FittingRoomError(f"{name} {value:g} is not a length: choose a number above 0")
        if self.batch_size < 1:
            raise FittingRoomError(f"batch_size {self.batch_size} is too small: choose 1 or more")
        if not 0 <= self.label_smoothing < 1 or not 0 <= self.ema_decay < 1:
            raise FittingRoomError(
                f"label_smoothing {self.label_smoothing} and ema_decay {self.ema_decay} must be from 0 up to, not with, 1"
            )
        if self.clip_norm < 0:
            raise FittingRoomError(f"clip_norm {self.clip_norm} is negative: choose 0 (off) or more")
        if self.early_stopping is not None and self.early_stopping < 1:
            raise FittingRoomError(f"early_stopping {self.early_stopping} is too small: choose 1 or more")

    @property
    def run(self) -> str:
        """The run's short name, such as `vit-seed0`."""
        return f"{self.model}-seed{self.seed}"

    @property
    def family(self) -> str:
        """vit, cnn, hybrid, transformer or recurrent."""
        return self.registry.get(self.model).family


@dataclass(frozen=True, kw_only=True)
class ImageRunConfig(RunConfig):
    """A run that learns to classify images."""

    kind: ClassVar[Kind] = "images"
    registry: ClassVar[Registry[Variant]] = MODELS

    data: Literal["fashion-mnist"] = "fashion-mnist"
    """The images."""
    train_images: int | None = None
    """Train on this many images, drawn by seed; all when absent."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """What is done to training batches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.train_images is not None and self.train_images < 1:
            raise FittingRoomError(f"train_images {self.train_images} is too small: choose 1 or more")


@dataclass(frozen=True, kw_only=True)
class PairRunConfig(RunConfig):
    """A run that learns to write a target for a source."""

    kind: ClassVar[Kind] = "pairs"
    registry: ClassVar[Registry[Variant]] = SEQUENCE_MODELS

    data: str = "cmudict"
    """cmudict, or a TSV file of pairs; with dev and test, the training file."""
    dev: str | None = None
    """TSV file to validate with; absent: a part of `data`."""
    test: str | None = None
    """TSV file to test with; absent: a part of `data`."""
    keep_stress: bool = False
    """Leave the stress on cmudict's vowels: 69 phonemes, not 39."""
    digest: str = ""
    """Of the data; filled in when the run begins, so that a file that has changed since is noticed."""
    batch_size: int = 256
    """Pairs a step."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.dev is None) != (self.test is None):
            raise FittingRoomError("dev and test belong together: give both files, or one file of pairs alone")
        if self.keep_stress and self.data != "cmudict":
            raise FittingRoomError("keep_stress is for cmudict: leave it away")


def run_config(values: dict[str, Any], where: str = "config") -> RunConfig:
    """The config of a run, of whichever kind its model is, from plain values. FittingRoomError as `from_dict` raises it."""
    is_pairs = isinstance(values, dict) and values.get("model") in SEQUENCE_MODELS.names()
    return from_dict(PairRunConfig if is_pairs else ImageRunConfig, values, where)
