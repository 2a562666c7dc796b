"""A linear layer and its activation in one pass over memory, for evaluation on a CPU.

torch writes the product and applies the activation in a pass of its own; oneDNN does it while the numbers are at hand, which
takes about a tenth off a ViT's evaluation. It keeps nothing for a backward pass, so training goes the usual way.
"""

from typing import Any

import torch
from torch import Tensor, nn

# The operator that torch's compiler uses for this. Where a torch lacks it, all goes the usual way.
ONEDNN_LINEAR: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
LEAST_ROWS = 256
"""For fewer rows, as when a word is written symbol by symbol, the operator's call costs more than it saves."""


def linear_then(activation: nn.GELU | nn.ReLU, linear: nn.Linear, x: Tensor) -> Tensor:
    """`activation(linear(x))` for x of shape (..., in_features), fused where nothing is to be differentiated.

    fp32 gives the same up to rounding; bf16 is rounded once, at the end, where two modules round twice.
    """
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    if not _can_fuse(activation, linear, x, dtype):
        return activation(linear(x))
    bias = None if linear.bias is None else linear.bias.to(dtype)
    # oneDNN's name of the activation, what else it would have to know, and the formula (GELU: exact, by the error function).
    what = ("gelu", [], "none") if isinstance(activation, nn.GELU) else ("relu", [], "")
    return ONEDNN_LINEAR(x.to(dtype), linear.weight.to(dtype), bias, *what)


def _can_fuse(activation: nn.GELU | nn.ReLU, linear: nn.Linear, x: Tensor, dtype: torch.dtype) -> bool:
    """Nothing is recorded (gradients, a graph to compile or export), nobody watches the modules, oneDNN does just the same."""
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if type(linear) is not nn.Linear or getattr(activation, "approximate", "none") != "none":
        return False  # what does something else
    if any(each._forward_hooks or each._forward_pre_hooks for each in (activation, linear)):
        return False
    if x.device.type != "cpu" or x.numel() < LEAST_ROWS * linear.in_features:
        return False
    if ONEDNN_LINEAR is None or not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    same_types = x.dtype == linear.weight.dtype or torch.is_autocast_enabled(
        "cpu"
    )  # if not, torch's error says it best
    bf16 = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return same_types and (bf16 or dtype == torch.float32)
