"""The config of a run that learns to classify images."""

from dataclasses import field
from typing import ClassVar, Literal

from fittingroom.core.config import config_dataclass
from fittingroom.core.registry import Registry
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.folds import check_folds
from fittingroom.data.images.load import is_file_of_images
from fittingroom.data.images.options import PictureOptions
from fittingroom.models import MODELS, Variant
from fittingroom.tasks.config import RunConfig


@config_dataclass
class ClassificationConfig(RunConfig):
    """A run that learns to classify images."""

    registry: ClassVar[Registry[Variant]] = MODELS

    task: Literal["classification"] = "classification"
    data: str = "fashion-mnist"
    """The name of a data set, or the path of a folder of pictures, a table of them, or a .npz file."""
    digest: str = ""
    """Hash of the .npz file. It is filled in when the run begins; empty for other data."""
    pictures: PictureOptions = field(default_factory=PictureOptions)
    """How pictures in files become images."""
    folds: int | None = None
    """Cross-validation: the seed chooses one of this many folds as the test part; default: one test part for all seeds."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """Augmentation of the training images."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_folds(self.folds)

    @property
    def data_files(self) -> tuple[str, ...]:
        """The .npz file; none for a data set with a name."""
        return (self.data,) if is_file_of_images(self.data) else ()
