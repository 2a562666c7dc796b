"""The cost of a model before training: parameters and multiply-adds."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def num_params(model: nn.Module) -> int:
    """Number of trainable values."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def num_macs(model: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Multiply-adds of the forward pass of one image."""
    return _count(model, torch.zeros(1, *image_shape))


def sequence_macs(model: nn.Module, src_len: int, tgt_len: int) -> int:
    """Multiply-adds of a sequence model's forward pass, for one source and one target of these lengths."""
    ids = torch.zeros(1, max(src_len, tgt_len), dtype=torch.long)
    return _count(model, ids[:, :src_len], torch.ones(1, src_len, dtype=torch.bool), ids[:, :tgt_len])


@contextmanager
def _without_onednn() -> Iterator[None]:
    """Turn oneDNN off: torch's counter misses an LSTM that oneDNN computes. Turning it on again makes torch warn about GPUs."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="TF32 acceleration on top of oneDNN")
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def _count(model: nn.Module, *inputs: Tensor) -> int:
    """Matrix products and convolutions only. torch counts two flops for each multiply-add."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    # torch counts no flops for fused attention on a CPU. As plain matrix products they count on every device.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), _without_onednn(), torch.no_grad():
        model(*(each.to(device) for each in inputs))
    model.train(was_training)
    return counter.get_total_flops() // 2
