"""Measure the peak speed of this machine: matrix products in fp32 and bf16, and copying (`python -m lab.benchmarks.ceiling`)."""

import json
import time
from collections.abc import Callable
from typing import Any

import torch

from lab.benchmarks.contenders import DIM

TOKENS = 128 * 49  # of a batch of 128
SHAPES = {
    "square": (2048, 2048, 2048),
    "fc1": (TOKENS, DIM, 4 * DIM),
    "fc2": (TOKENS, 4 * DIM, DIM),
    "qkv": (TOKENS, DIM, 3 * DIM),
    "proj": (TOKENS, DIM, DIM),
    "weight gradient of fc1": (DIM, TOKENS, 4 * DIM),
}
"""(rows, inner, columns): one square product, and those of a block at batch 128."""
COPIED_BYTES = 256 << 20
REPEATS = 7


def least_seconds(work: Callable[[], Any]) -> float:
    """Seconds of the fastest call, after two warm-up calls. A ceiling is the best speed, not the average."""
    work()
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def product_gflops(rows: int, inner: int, columns: int, dtype: torch.dtype) -> float:
    """Speed of one matrix product in 10^9 floating-point operations per second. A multiply-add counts as two."""
    left, right = torch.randn(rows, inner).to(dtype), torch.randn(inner, columns).to(dtype)
    out = torch.empty(rows, columns, dtype=dtype)
    repeats = max(1, int(2e9 / (rows * inner * columns)))

    def multiply() -> None:
        for _ in range(repeats):
            torch.mm(left, right, out=out)

    return 2 * rows * inner * columns * repeats / least_seconds(multiply) / 1e9


def measure() -> dict[str, Any]:
    """Gflop/s of each product in both precisions, and the bytes that a copy reads and writes per second."""
    products: dict[str, Any] = {
        precision: {name: round(product_gflops(*shape, dtype), 1) for name, shape in SHAPES.items()}
        for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))
    }
    source = torch.ones(COPIED_BYTES // 4)
    target = torch.empty_like(source)
    copied = 2 * COPIED_BYTES / least_seconds(lambda: target.copy_(source)) / 1e9
    return {
        "threads": torch.get_num_threads(),
        "gflops": products,
        "best_gflops": {precision: max(found.values()) for precision, found in products.items()},
        "copy_gigabytes_per_second": round(copied, 1),
    }


if __name__ == "__main__":
    print(json.dumps(measure()))
