"""The config of a run that learns to classify images."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fittingroom.core.registry import Registry
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.load import is_file_of_images
from fittingroom.models import MODELS, Variant
from fittingroom.tasks.config import RunConfig


@dataclass(frozen=True, kw_only=True)
class ClassificationConfig(RunConfig):
    """A run that learns to classify images."""

    registry: ClassVar[Registry[Variant]] = MODELS

    task: Literal["classification"] = "classification"
    data: str = "fashion-mnist"
    """fashion-mnist, or a .npz file of images."""
    digest: str = ""
    """Hash of the file of images. It is filled in when the run begins; empty for a data set with a name."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation of the training images."""

    @property
    def data_files(self) -> tuple[str, ...]:
        """The .npz file; none for a data set with a name."""
        return (self.data,) if is_file_of_images(self.data) else ()
