"""The types that describe an image data set to other packages: `DataSpec`, and images with labels. Needs torch and numpy only."""

import hashlib
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int64, UInt8
from torch import Tensor

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError

Resize = Literal["crop", "pad", "stretch"]


@config_dataclass
class Preprocessing:
    """How any picture is converted to an image of this data set."""

    resize: Resize = "pad"
    """crop: scale, then keep the middle. pad: scale, then fill up with the border colour. stretch: ignore proportions."""
    bright_ground: Literal["keep", "invert"] = "keep"
    """invert: the data set shows light objects on black, so a picture with a bright background is inverted."""
    white: tuple[tuple[str, int], ...] = ()
    """Pillow's mode -> the value that was taken as white in the pictures of this mode, which have more than 8 bits."""
    input_size: tuple[int, int] | None = None
    """The network gets images of this size (height, width), enlarged or reduced from the data set's. None: of the same size."""
    input_channels: int | None = None
    """The network gets this many channels: grey repeated as RGB, or RGB as grey. None: as many as the data set has."""


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Everything that a model, a recipe or a report needs to know about a data set. Stored in every run's data.json."""

    name: str
    """The name used in commands and files, such as 'fashion-mnist'."""
    title: str
    """The name shown to people."""
    source: str
    """The value of `--data` that opens this data set: a name or a path."""
    digest: str
    """Twelve hex digits of the SHA-256 of its content."""
    class_names: tuple[str, ...]
    """One name per label, starting with label 0."""
    channels: int
    height: int
    """Pixels."""
    width: int
    """Pixels."""
    mean: tuple[float, ...]
    """Mean of the training pixels, scaled to 0..1, per channel. For a pretrained network: of the pixels it was trained on."""
    std: tuple[float, ...]
    """Standard deviation of the same pixels, per channel."""
    num_val: int
    """Number of images that each seed takes from the training file for validation."""
    num_test: int
    """Number of images in the test split. Known without opening it."""
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    split_rule: str = ""
    """How parts were made, if not in the usual way: a sentence for the report."""
    skipped: tuple[str, ...] = ()
    """Pictures that could not be read and were left out, each with its fault."""
    notes: tuple[str, ...] = ()
    """What the program chose and what it noticed, for the user."""

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or min(self.height, self.width) < 1 or not self.class_names:
            raise FittingRoomError(
                f"channels {self.channels}, height {self.height}, width {self.width} and {len(self.class_names)} class names "
                "describe no images: write 1 or 3 channels, sizes above 0, and the names"
            )
        if self.input_shape[0] not in (1, 3) or min(self.input_shape) < 1:
            raise FittingRoomError(
                f"input {self.input_shape} describes no images: write 1 or 3 channels, sizes above 0"
            )
        if not len(self.mean) == len(self.std) == self.input_shape[0] or min(self.std) <= 0:
            raise FittingRoomError(f"mean {self.mean} and std {self.std}: write one number per channel, std above 0")

    @property
    def num_classes(self) -> int:
        """Number of labels."""
        return len(self.class_names)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height, width."""
        return self.channels, self.height, self.width

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what the network gets."""
        given = self.preprocessing
        return given.input_channels or self.channels, *(given.input_size or (self.height, self.width))


def digests(images: UInt8[Tensor, "num ..."] | UInt8[np.ndarray, "num ..."]) -> list[bytes]:
    """A 16-byte fingerprint (BLAKE2b) of each image. Fingerprints are equal exactly when all pixels are equal."""
    return [hashlib.blake2b(row, digest_size=16).digest() for row in np.ascontiguousarray(images)]


@runtime_checkable  # The unit tests check every annotation at run time.
class Source(Protocol):
    """Labelled images, in memory or elsewhere. `read` returns uint8 pixels in the requested order."""

    @property
    def labels(self) -> Int64[Tensor, " num"]:
        """One label per image."""
        ...

    @property
    def index(self) -> Int64[Tensor, " num"]:
        """Positions in the original file. They trace a prediction back to its image."""
        ...

    def __len__(self) -> int: ...

    def read(self, positions: Int[Tensor, " chosen"]) -> UInt8[Tensor, "chosen channels height width"]:
        """The images at these positions."""
        ...

    def subset(self, positions: Int[Tensor, " chosen"]) -> "Source":
        """The images at these positions, in the given order. `index` still points into the original file."""
        ...

    def digests(self) -> list[bytes]:
        """A fingerprint of each image, as `digests` makes it."""
        ...


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A `Source` in memory."""

    images: UInt8[Tensor, "num channels height width"]
    labels: Int64[Tensor, " num"]
    index: Int64[Tensor, " num"]
    """Positions in the original file."""

    def __post_init__(self) -> None:
        lengths = {len(self.images), len(self.labels), len(self.index)}
        assert len(lengths) == 1, f"images, labels and index differ in length: {sorted(lengths)}"

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, positions: Int[Tensor, " chosen"]) -> UInt8[Tensor, "chosen channels height width"]:
        """The images at these positions."""
        return self.images[positions]

    def subset(self, positions: Int[Tensor, " chosen"]) -> "ImageSet":
        """The images at these positions, in the given order. `index` still points into the original file."""
        return ImageSet(self.images[positions], self.labels[positions], self.index[positions])

    def digests(self) -> list[bytes]:
        """A fingerprint of each image."""
        return digests(self.images)
