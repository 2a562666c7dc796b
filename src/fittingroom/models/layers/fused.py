"""A linear layer and its activation in one pass over memory, for evaluation on a CPU.

torch writes the product to memory and applies the activation in a second pass. oneDNN does both in one, which saves about a
tenth of a ViT's evaluation. It stores nothing for a backward pass, so training uses two modules.
"""

from typing import Any

import torch
from torch import Tensor, nn

# The operator that torch's compiler uses for this. A torch without it uses two modules.
ONEDNN_LINEAR: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
LEAST_ROWS = 256
"""With fewer rows, such as when generating symbol by symbol, calling the operator costs more than it saves."""


def linear_then(activation: nn.GELU | nn.ReLU, linear: nn.Linear, x: Tensor) -> Tensor:
    """`activation(linear(x))` for x of shape (..., in_features), fused when no gradients are needed.

    In fp32 both ways agree up to rounding. In bf16 the fused way rounds once, at the end; two modules round twice.
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    if not _can_fuse(activation, linear, x, dtype):
        return activation(linear(x))
    bias = None if linear.bias is None else linear.bias.to(dtype)
    # oneDNN's name for the activation, its scalars, and its formula ("none" is the exact GELU, with the error function).
    what = ("gelu", [], "none") if isinstance(activation, nn.GELU) else ("relu", [], "")
    return ONEDNN_LINEAR(x.to(dtype), linear.weight.to(dtype), bias, *what)


def _can_fuse(activation: nn.GELU | nn.ReLU, linear: nn.Linear, x: Tensor, dtype: torch.dtype) -> bool:
    """True if nothing records (gradients, a graph to compile or export), no hook watches, and oneDNN computes the same."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if type(linear) is not nn.Linear or getattr(activation, "approximate", "none") != "none":
        return False  # these compute something else
    if any(each._forward_hooks or each._forward_pre_hooks for each in (activation, linear)):
        return False
    if x.device.type != "cpu" or x.numel() < LEAST_ROWS * linear.in_features:
        return False
    if ONEDNN_LINEAR is None or not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    # With different dtypes, the two modules raise torch's own error.
    same_types = x.dtype == linear.weight.dtype or torch.is_autocast_enabled("cpu")
    bf16 = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return same_types and (bf16 or dtype == torch.float32)
