"""Convolutional networks: ResNet-20 as published, and a small fast network for a few epochs on two cores.

ResNet-20: "Deep Residual Learning" (He et al. 2016, arXiv 1512.03385), section 4.2: 6n + 2 layers with n = 3, widths 16, 32, 64,
shortcuts without parameters (option A: stride and zero channels). Initialisation: He normal, fan out.
FastCNN: a ResNet that leaves full resolution early. Full-resolution layers hold few parameters and most of the multiply-adds,
so only two 3x3 layers run there; each later stage begins with a 3x3 convolution and max-pooling and goes on with residual
blocks of two 3x3 convolutions. The last scale of each block starts at 0 (arXiv 1812.01187), so training starts shallow.
Channels-last memory suits both on a CPU.
"""

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.models.registry import check_positive, check_rate, variant


@dataclass(frozen=True, kw_only=True)
class CNNConfig:
    """The shape of a convolutional network: one width and one number of residual blocks a stage.

    The defaults are no variant's; those stand at the end of the file.
    """

    img_size: int = 28
    """Height and width of the square input, pixels."""
    in_chans: int = 1
    """Colour channels of the input."""
    num_classes: int = 10
    """Outputs of the head."""
    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of each stage; every stage after the first halves the map."""
    blocks: tuple[int, ...] = (0, 1, 2)
    """Residual blocks of each stage."""
    downsample: Literal["stride", "pool"] = "stride"
    """How the fast network halves the map where a stage begins: by the convolution's stride, or by max-pooling after it."""
    drop_rate: float = 0.0
    """Dropout before the head."""

    def __post_init__(self) -> None:
        check_positive(img_size=self.img_size, in_chans=self.in_chans, num_classes=self.num_classes)
        check_rate("drop_rate", self.drop_rate)
        if len(self.widths) != len(self.blocks) or not self.widths:
            raise FittingRoomError(
                f"widths {self.widths} and blocks {self.blocks} must name the same stages, at least one"
            )
        check_positive(**{f"widths[{stage}]": width for stage, width in enumerate(self.widths)})
        if min(self.blocks) < 0:
            raise FittingRoomError(f"blocks {self.blocks} counts below zero: give 0 or more a stage")
        smallest = 2 ** (len(self.widths) - 1)
        if self.img_size < smallest:
            raise FittingRoomError(
                f"img_size {self.img_size} is too small for {len(self.widths)} stages: take {smallest} or more"
            )


def conv3x3(in_width: int, width: int, stride: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the map's size (or halves it); batch norm follows, so it has no bias."""
    return nn.Conv2d(in_width, width, kernel_size=3, stride=stride, padding=1, bias=False)


class ResidualBlock(nn.Module):
    """Figure 5 (left) of the ResNet paper: `relu(x + bn(conv(relu(bn(conv(x))))))`, with the shortcut of option A."""

    def __init__(self, in_width: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride, self.extra = stride, width - in_width
        self.conv1, self.bn1 = conv3x3(in_width, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)

    def forward(self, x: Float[Tensor, "batch in_width h_in w_in"]) -> Float[Tensor, "batch out_width h w"]:
        """The map plus what the two convolutions add to it."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.stride > 1 or self.extra:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return F.relu(out + x)


class ConvNet(nn.Module):
    """Stem, stages, global average pooling, linear head. Subclasses say what a stage is."""

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
        """Maps of the last stage."""
        return self.stages(self.stem(images))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.head(self.drop(self.forward_features(images).mean(dim=(2, 3))))


class ResNet(ConvNet):
    """The CIFAR ResNet of section 4.2: the first block of each later stage halves the map."""

    def __init__(self, config: CNNConfig) -> None:
        if min(config.blocks) < 1:
            raise FittingRoomError(f"blocks {config.blocks}: every stage of a ResNet needs a block: give 1 or more")
        stages: list[nn.Module] = []
        before = config.widths[0]
        for number, (width, num_blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
            for index in range(num_blocks):
                stages.append(ResidualBlock(before, width, stride=2 if number and index == 0 else 1))
                before = width
        super().__init__(config, stages)


def halving(in_width: int, width: int, downsample: str) -> list[nn.Module]:
    """The convolution that opens a stage at half the size. Pooled, it is evaluated at every place, for four times the cost."""
    after: list[nn.Module] = [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
    if downsample == "pool":
        return [conv3x3(in_width, width), nn.MaxPool2d(2), *after]
    return [conv3x3(in_width, width, stride=2), *after]


class FastCNN(ConvNet):
    """A convolution that halves the map opens each later stage; residual blocks, which start as identities, follow."""

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
    """The recommended CNN: widths 32, 64, 128; max-pooling; residual blocks at 14x14 and 7x7."""
    return CNNConfig(downsample="pool")


@variant("resnet20", family="cnn", title="ResNet-20", source="He 2016", build=ResNet)
def resnet20() -> CNNConfig:
    """ResNet-20 as published for CIFAR-10: 0.27 M parameters."""
    return CNNConfig(widths=(16, 32, 64), blocks=(3, 3, 3))
