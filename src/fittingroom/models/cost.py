"""What a model costs before it has seen an image: parameters and multiply-adds."""

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def num_params(model: nn.Module) -> int:
    """Trainable numbers."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def num_macs(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of one image's forward pass, matrix products and convolutions counted (torch counts two flops for each)."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    # torch counts no flops of its fused attention on a CPU; as plain matrix products they count on every device.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        model(torch.zeros(1, *image_shape, device=device))
    model.train(was_training)
    return counter.get_total_flops() // 2
