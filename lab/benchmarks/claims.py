"""Measure two common claims about attention and recurrence: `python -m lab.benchmarks.claims`, a minute.

The first is the time of one layer's training step against the length of sequences, with the same number of tokens per batch. A
GRU does as many sequential steps as a sequence is long. Attention does one step, with products that grow with the square of the
length. The second is the share of the last output's gradient that reaches the first input. With attention the gradient passes
through one layer, with recurrence through the whole sequence. Writes results/bench/claims.json.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fittingroom.core.rundir import make_folder, write_json
from fittingroom.models.layers.attention import SelfAttention
from fittingroom.training.environment import processor

RECORD = Path(__file__).parents[2] / "results" / "bench" / "claims.json"
LENGTHS = (16, 32, 64, 128, 256, 512, 1024)
TOKENS, DIM, HEADS, ROUNDS = 8192, 192, 4, 5


class Attention(nn.Module):
    """One layer of self-attention, fused or as explicit matrix products, which are fastest on a CPU for short sequences."""

    def __init__(self, path: Any) -> None:
        super().__init__()
        self.attention = SelfAttention(DIM, HEADS, path=path)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, dim) to the same."""
        return self.attention(x, None)


class Recurrence(nn.Module):
    """One GRU layer."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(DIM, DIM, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, tokens, dim) to the same."""
        return self.gru(x)[0]


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: Attention("explicit"),
    "attention, fused": lambda: Attention("fused"),
    "recurrence": Recurrence,
}


def step(layer: nn.Module, x: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    start = time.perf_counter()
    layer(x).square().mean().backward()
    return time.perf_counter() - start


def step_seconds(length: int) -> dict[str, float]:
    """Median seconds of each layer at that length, timed in turns. The first round, which allocates memory, does not count."""
    torch.manual_seed(0)
    layers = {name: make() for name, make in LAYERS.items()}
    x = torch.randn(TOKENS // length, length, DIM)
    rounds = [{name: step(layer, x) for name, layer in layers.items()} for _ in range(1 + ROUNDS)]
    return {name: round(statistics.median(each[name] for each in rounds[1:]), 5) for name in layers}


def reach(length: int) -> dict[str, float]:
    """Norm of the last output's gradient at the first input, divided by its norm at all inputs.

    Uses random weights and the mean over 8 sequences.
    """
    torch.manual_seed(0)
    found = {}
    for name, make in LAYERS.items():
        x = torch.randn(8, length, DIM, requires_grad=True)
        make()(x)[:, -1].sum().backward()
        assert x.grad is not None
        norms = x.grad.norm(dim=-1)
        found[name] = float((norms[:, 0] / norms.square().sum(dim=1).sqrt()).mean())
    return found


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--longest", type=int, default=max(LENGTHS), metavar="N", help="skip lengths above N")
    parser.add_argument("--out", type=Path, default=RECORD, metavar="FILE")
    args = parser.parse_args()
    torch.set_num_threads(1)
    lengths = [length for length in LENGTHS if length <= args.longest]
    rows = [{"length": n, "step_seconds": step_seconds(n), "reach": reach(n)} for n in lengths]
    make_folder(args.out.parent)
    write_json(
        args.out,
        {
            "processor": f"{processor()}, 1 thread", "torch": torch.__version__, "precision": "fp32", "dim": DIM,
            "num_heads": HEADS, "tokens": TOKENS, "rounds": ROUNDS, "rows": rows,
        },
    )  # fmt: skip
    for row in rows:
        print(row["length"], {name: f"{seconds * 1000:.0f} ms" for name, seconds in row["step_seconds"].items()})


if __name__ == "__main__":
    main()
