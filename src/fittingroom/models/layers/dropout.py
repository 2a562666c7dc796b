"""Dropout (Srivastava et al. 2014) with cheap random numbers: 16 bits for each entry.

torch's own dropout draws a full Bernoulli variable for each entry. On a CPU that took 22 % of a Transformer's training step in
bfloat16.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEVELS = 2**16


def dropout(x: Tensor, rate: float) -> Tensor:
    """Zero each entry with probability `rate` (to the nearest 1/65536), and divide the others by `1 - rate`.

    Draws from torch's global generator. On other devices, and in compiled code (which fuses it), this is torch's dropout.
    """
    if x.device.type != "cpu" or torch.compiler.is_compiling():
        return F.dropout(x, rate)
    draws = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(
        -(2**63), None
    )  # one holds four draws of 16 bits
    draws = draws.view(torch.int16)[: x.numel()].view(x.shape)
    # Ones and zeros in x's dtype, for a product: `masked_fill` takes eight times as long, forward and backward.
    kept = torch.ge(draws, round(rate * LEVELS) - LEVELS // 2, out=torch.empty_like(x))
    return x * kept * (1 / (1 - rate))


class Dropout(nn.Module):
    """`dropout` in training; the identity in evaluation and at rate 0."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """For tensors of any shape."""
        return dropout(x, self.rate) if self.training and self.rate else x
