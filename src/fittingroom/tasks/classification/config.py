"""The config of a run that learns to classify images."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fittingroom.core.registry import Registry
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.options import PictureOptions
from fittingroom.models import MODELS, Variant
from fittingroom.tasks.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class ClassificationConfig(RunConfig):
    """A run that learns to classify images."""

    registry: ClassVar[Registry[Variant]] = MODELS

    task: Literal["classification"] = "classification"
    data: str = "fashion-mnist"
    """The name of a data set, or the path of a folder of pictures, a table of them, or a .npz file."""
    pictures: PictureOptions = field(default_factory=PictureOptions)
    """How pictures in files become images."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation of the training images."""
