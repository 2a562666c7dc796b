"""The textbook training step for any network: cross-entropy, backward, torch's AdamW. Uses none of our code."""

import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lab.benchmarks.contenders import CHANNELS, CLASSES, SIDE, Contender


def num_params(model: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


class PlainSteps:
    """Steps on one synthetic batch, images and soft targets in memory."""

    def __init__(self, model: nn.Module, contender: Contender) -> None:
        self.contender = contender
        self.num_params = num_params(model)
        draw = torch.Generator().manual_seed(0)
        self.images = torch.randn(contender.batch_size, CHANNELS, SIDE, SIDE, generator=draw)
        self.targets = torch.rand(contender.batch_size, CLASSES, generator=draw).softmax(dim=-1)
        # By default torch updates parameters one by one. Its fused kernel is one of the speedups.
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=1e-4, weight_decay=0.05, fused=contender.tuned or None
        )
        self.model = model
        self.called = torch.compile(model, dynamic=False) if contender.compile else model

    def logits(self) -> Tensor:
        """The logits of the batch in this precision."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.contender.precision == "bf16"):
            return self.called(self.images)

    def train(self) -> float:
        """Seconds of one step."""
        self.model.train()
        start = time.perf_counter()
        F.cross_entropy(self.logits().float(), self.targets).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return time.perf_counter() - start

    def predict(self) -> float:
        """Seconds of one forward pass without gradients."""
        self.model.eval()
        start = time.perf_counter()
        with torch.inference_mode():
            logits = self.logits()
        seconds = time.perf_counter() - start
        wanted = (self.contender.batch_size, CLASSES)
        if tuple(logits.shape) != wanted:
            raise RuntimeError(f"logits have the shape {tuple(logits.shape)}, not {wanted}")
        return seconds
