"""Start a patch projection with the whitening of the training patches.

Neighbouring pixels are nearly equal, so most directions of a patch hardly vary, and a random projection shows little of them.
Whitened, all directions vary equally, and a network need not learn that first. Fast CNNs start their first convolution the same
way (arXiv 2404.00498, section 3.2).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

LEAST = 0.01
"""Added to each variance, as a share of their mean: directions that hardly vary are noise and must not fill the tokens."""


@torch.no_grad()
def whiten_patches(
    projection: nn.Conv2d, images: Float[Tensor, "batch channels height width"], scale: float = 1.0
) -> None:
    """Set the weights and the bias of a patch projection, so that the tokens of `images` are whitened patches.

    The outputs are the principal directions of the patches, each divided by its standard deviation, largest first, then their
    negatives, and so on until the outputs are used up. Their mean is 0 and their variance `scale`^2, or less if a direction
    hardly varies.
    """
    side, stride = projection.kernel_size, projection.stride
    patches = F.unfold(images.float(), side, stride=stride).transpose(1, 2).flatten(0, 1).double()
    mean = patches.mean(dim=0)
    variances, directions = torch.linalg.eigh(torch.cov(patches.T, correction=0))
    variances, directions = variances.flip(0), directions.flip(1)
    white = (directions / (variances + LEAST * variances.mean()).sqrt()).T
    repeats = -(-len(projection.weight) // len(white))
    rows = torch.cat([white * (-1) ** number for number in range(repeats)])[: len(projection.weight)] * scale
    projection.weight.copy_(rows.reshape(projection.weight.shape))
    assert projection.bias is not None
    projection.bias.copy_(-rows @ mean)
