"""What the other rooms may know of a data set: a description, and images with their labels. Imports torch only."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Int, Int64, UInt8
from torch import Tensor

ReadLog = Callable[[str], None]
"""Called with the reason before the sealed test split is opened. It should write that reason down."""


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """All that a model or a recipe needs to know of a data set."""

    name: str
    """The word by which commands and files know it, such as 'fashion-mnist'."""
    title: str
    """The name that people read."""
    class_names: tuple[str, ...]
    """One name a label, label 0 first."""
    channels: int
    height: int
    """Pixels."""
    width: int
    """Pixels."""
    mean: tuple[float, ...]
    """Mean of the training pixels, scaled to 0..1, of each channel."""
    std: tuple[float, ...]
    """Standard deviation of the same pixels."""
    num_test: int
    """Images in the test split, known without opening it."""

    @property
    def num_classes(self) -> int:
        """How many labels there are."""
        return len(self.class_names)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images in memory with their labels, and where each stands in its file."""

    images: UInt8[Tensor, "num channels height width"]
    labels: Int64[Tensor, " num"]
    index: Int64[Tensor, " num"]
    """Positions in the original file, so that a prediction can be traced back to its image."""

    def __post_init__(self) -> None:
        lengths = {len(self.images), len(self.labels), len(self.index)}
        assert len(lengths) == 1, f"images, labels and index differ in length: {sorted(lengths)}"

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, positions: Int[Tensor, " chosen"]) -> "ImageSet":
        """The images at these positions of this set, in that order. `index` still points into the original file."""
        return ImageSet(self.images[positions], self.labels[positions], self.index[positions])
