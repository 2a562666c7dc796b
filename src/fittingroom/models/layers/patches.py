"""Images to tokens: ViT's linear patch projection, and the convolutional tokenizers of the hybrids."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn


def to_tokens(maps: Float[Tensor, "batch dim height width"]) -> Float[Tensor, "batch tokens dim"]:
    """Feature maps as tokens, row by row. Each token is contiguous in memory, and so is every sum with it later."""
    return maps.flatten(2).transpose(1, 2).contiguous()


class PatchEmbed(nn.Module):
    """ViT (arXiv 2010.11929), equation 1: cut patches and project each. A convolution with stride = kernel = patch does both."""

    def __init__(self, patch_size: int, in_chans: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_chans, dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch tokens dim"]:
        """One token per patch, row by row."""
        return to_tokens(self.proj(images))


class ConvTokenizer(nn.Sequential):
    """3x3 convolutions with batch norm and ReLU, one for each width. A stride of 2 halves the map. Output: feature maps.

    "Early Convolutions Help Transformers See Better" (arXiv 2106.14881) halves with strided convolutions. CCT (arXiv 2104.05704)
    halves with max-pooling after a convolution at full size, `downsample="pool"`, which costs four times as much.
    """

    def __init__(
        self, in_chans: int, widths: Sequence[int], strides: Sequence[int], downsample: str = "stride"
    ) -> None:
        layers: list[nn.Module] = []
        for width, stride in zip(widths, strides, strict=True):
            pooled = downsample == "pool" and stride > 1
            layers.append(nn.Conv2d(in_chans, width, 3, stride=1 if pooled else stride, padding=1, bias=False))
            layers += [nn.MaxPool2d(stride, ceil_mode=True)] if pooled else []
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            in_chans = width
        super().__init__(*layers)
