"""The config of a run that learns to classify images."""

from dataclasses import field
from typing import Any, ClassVar, Literal

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.core.registry import Registry
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.folds import check_folds
from fittingroom.data.images.load import is_file_of_images
from fittingroom.data.images.options import PictureOptions
from fittingroom.models import MODELS, Variant
from fittingroom.models.image_size import ImageSize, check_image_size
from fittingroom.tasks.config import RunConfig
from fittingroom.tasks.modes import Mode, with_mode


@config_dataclass
class FinetuneConfig:
    """How much of a pretrained network may change while it is finetuned."""

    body_rate: float = 0.1
    """Learning rate of the last layer before the head, as a share of the head's."""
    input_rate: float = 0.01
    """Learning rate of the first layer, as a share of the head's. Layers between have rates between, in equal ratios."""
    frozen_norms: bool | None = None
    """Whether batch norms keep the means and deviations of their first training; default: if a batch has under 64 images."""

    def __post_init__(self) -> None:
        for name in ("body_rate", "input_rate"):
            if not 0 < getattr(self, name) <= 1:
                raise FittingRoomError(
                    f"{name} {getattr(self, name)} is not a share: choose a number above 0, at most 1"
                )


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
    whiten_patches: bool = False
    """Start the patch projection of a ViT with the whitening of the training patches, in place of random weights."""
    mode: Mode = "scratch"
    """scratch: random weights. finetune: pretrained weights, all trained. probe: pretrained weights, only a new head trained."""
    weights: str = "auto"
    """Pretrained weights: auto (the network's own, from the local cache or package), a .safetensors or .pth file, or a run."""
    weights_digest: str = ""
    """Hash of the pretrained weights. It is filled in when the run begins."""
    input_size: ImageSize | None = None
    """Size of the images that the network gets; default: the data set's, or that for which the pretrained network was made."""
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)
    """Learning rates and batch norms of a pretrained network that is finetuned."""

    def __post_init__(self) -> None:
        RunConfig.__post_init__(self)
        check_folds(self.folds)
        if self.input_size is not None:
            check_image_size(self.input_size)
        if self.mode == "scratch" and self.weights != "auto":
            raise FittingRoomError(
                f"weights={self.weights}: {self.model} is trained from scratch: write {self.model}+finetune or {self.model}+probe"
            )

    def identity(self) -> dict[str, Any]:
        """Pretrained weights count by their digest. From scratch, a run has the identity that it had before there were others."""
        values = super().identity()
        if values.get("weights_digest"):
            values.pop("weights")
        if self.mode == "scratch":
            for name in ("mode", "weights", "weights_digest"):
                values.pop(name, None)
        if self.mode != "finetune":
            values.pop("finetune")
        if self.input_size is None:
            values.pop("input_size")
        if not self.whiten_patches:
            values.pop("whiten_patches")
        return values

    @property
    def label(self) -> str:
        """The model as one types it, such as `cnn` or `cnn+probe`."""
        return with_mode(self.model, self.mode)

    @property
    def data_files(self) -> tuple[str, ...]:
        """The .npz file; none for a data set with a name."""
        return (self.data,) if is_file_of_images(self.data) else ()
