"""Convolutional networks: ResNet-20 as published, and a small network that trains well in a few epochs on a CPU.

ResNet-20: "Deep Residual Learning" (He et al. 2016, arXiv 1512.03385), section 4.2: 6n + 2 layers with n = 3, widths 16, 32, 64,
and shortcuts without parameters (option A: stride and zero channels). Initialisation: He normal, fan out.
FastCNN: a ResNet that leaves full resolution early, because layers there have few parameters but cost most of the
multiply-adds. By default two 3x3 layers run at full resolution. Each later stage starts with a 3x3 convolution that halves the
map; residual blocks of two 3x3 convolutions follow. The last scale of each block starts at 0 (arXiv 1812.01187), so blocks
start as identities. On a CPU both are fastest in channels-last memory.
"""

from typing import ClassVar, Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.models.image_size import ImageSize, ImageSizeError, check_image_size, height_width, size_text
from fittingroom.models.registry import DEEPEST, check_positive, check_rate, variant
from fittingroom.models.roles import Roles


@config_dataclass
class CNNConfig:
    """The shape of a convolutional network: for each stage a width and a number of residual blocks.

    Each variant at the end of this file sets its own values.
    """

    img_size: ImageSize = 28
    """Size of the images, pixels: one number for squares, or [height, width]."""
    in_chans: int = 1
    """Colour channels of the images."""
    num_classes: int = 10
    """Number of classes."""
    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of each stage; every stage after the first halves the map."""
    blocks: tuple[int, ...] = (0, 1, 2)
    """Residual blocks of each stage."""
    downsample: Literal["stride", "pool"] = "stride"
    """How the fast network halves the map at the start of a stage: by a strided convolution, or by max-pooling after it."""
    drop_rate: float = 0.0
    """Dropout before the head."""

    def __post_init__(self) -> None:
        check_image_size(self.img_size)
        check_positive(in_chans=self.in_chans, num_classes=self.num_classes)
        check_rate("drop_rate", self.drop_rate)
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise FittingRoomError(
                f"widths {self.widths} and blocks {self.blocks} must have the same length, at least 1"
            )
        check_positive(**{f"widths[{stage}]": width for stage, width in enumerate(self.widths)})
        if min(self.blocks) < 0:
            raise FittingRoomError(f"blocks {self.blocks} contains a negative number: choose 0 or more for each stage")
        if max(self.blocks) > DEEPEST:
            raise FittingRoomError(f"blocks {self.blocks} is too deep: choose at most {DEEPEST:,} for each stage")
        num_stages, side = len(self.widths), min(self.image_size)
        smallest = 2 ** (num_stages - 1)
        if side < smallest:
            fits = side.bit_length()  # stages until one pixel is left
            raise ImageSizeError(
                f"img_size {size_text(self.img_size)} is too small for {num_stages} stages: "
                f"each side needs at least {smallest} pixels",
                fix={"widths": self.widths[:fits], "blocks": self.blocks[:fits]},
            )

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        return height_width(self.img_size)


def conv3x3(in_width: int, width: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size of the map, or halves it. Batch norm follows, so it has no bias."""
    return nn.Conv2d(in_width, width, kernel_size=3, stride=stride, padding=1, bias=False)


class ResidualBlock(nn.Module):
    """Figure 5 (left) of the ResNet paper: `relu(x + bn(conv(relu(bn(conv(x))))))`, with the shortcut of option A."""

    def __init__(self, in_width: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.extra = stride, width - in_width
        self.conv1, self.bn1 = conv3x3(in_width, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)

    def forward(self, x: Float[Tensor, "batch in_width h_in w_in"]) -> Float[Tensor, "batch out_width h w"]:
        """Two convolutions around a shortcut."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.extra:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return F.relu(out + x)


class ConvNet(nn.Module):
    """Stem, stages, global average pooling, linear head. Subclasses build the stages. Images may have any size."""

    weight_roles: ClassVar[Roles] = {"stem": "input", "stages": "hidden", "head": "head"}

    def __init__(self, config: CNNConfig, stages: list[nn.Module]) -> None:
        super().__init__()
        self.config = config
        width = config.widths[0]
        self.stem = nn.Sequential(conv3x3(config.in_chans, width), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.stages = nn.Sequential(*stages)
        self.drop = nn.Dropout(config.drop_rate)
        self.head = nn.Linear(config.widths[-1], config.num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch dim h w"]:
        """The maps of the last stage."""
        return self.stages(self.stem(images))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.head(self.drop(self.forward_features(images).mean(dim=(2, 3))))


class ResNet(ConvNet):
    """The CIFAR ResNet of section 4.2: the first block of each later stage halves the map."""

    def __init__(self, config: CNNConfig) -> None:
        if min(config.blocks) < 1:
            raise FittingRoomError(
                f"blocks {config.blocks}: every stage of a ResNet needs a block: choose 1 or more for each"
            )
        stages: list[nn.Module] = []
        before = config.widths[0]
        for number, (width, num_blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
            for index in range(num_blocks):
                stages.append(ResidualBlock(before, width, stride=2 if number and index == 0 else 1))
                before = width
        super().__init__(config, stages)


def halving(in_width: int, width: int, downsample: str) -> list[nn.Module]:
    """The convolution at the start of a stage, which halves the map. Pooling costs four times as much as a stride."""
    after: list[nn.Module] = [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    if downsample == "pool":
        return [conv3x3(in_width, width), nn.MaxPool2d(2), *after]
    return [conv3x3(in_width, width, stride=2), *after]


class FastCNN(ConvNet):
    """Each later stage starts with a convolution that halves the map. Residual blocks follow, which start as identities."""

    def __init__(self, config: CNNConfig) -> None:
        stages: list[nn.Module] = []
        before = config.widths[0]
        for number, (width, num_blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
            if number:
                stages += halving(before, width, config.downsample)
            stages += [ResidualBlock(width, width) for _ in range(num_blocks)]
            before = width
        super().__init__(config, stages)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.bn2.weight)


@variant("cnn", family="cnn", title="CNN", source="after He 2016, for few epochs", build=FastCNN)
def cnn() -> CNNConfig:
    """The recommended CNN: widths 32, 64, 128; max-pooling; residual blocks at a half and a quarter of full size."""
    return CNNConfig(downsample="pool")


@variant("resnet20", family="cnn", title="ResNet-20", source="He 2016", build=ResNet)
def resnet20() -> CNNConfig:
    """ResNet-20 as published for CIFAR-10: 0.27 M parameters."""
    return CNNConfig(widths=(16, 32, 64), blocks=(3, 3, 3))
