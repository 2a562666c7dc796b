"""Measure the time and memory of explaining: `python lab/benchmarks/explaining.py`, about five minutes on two cores.

For each included network and method: seconds for one image (median of 5, after one warm-up), images per second for 1,000 images,
and the peak memory of a new process that explains 128 and 1,000 images. The images are noise, which does not change the work.
The record goes to results/bench/explaining.json.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from fittingroom.core.rundir import make_folder, write_json
from fittingroom.evaluation.shipped import shipped
from fittingroom.explain.methods import methods_for, saliency
from fittingroom.tasks.load import load_run
from fittingroom.training.environment import process_peak_bytes

RECORD = Path(__file__).parents[2] / "results" / "bench" / "explaining.json"
REPEATS, MANY, FEW = 5, 1000, 128


def seconds(name: str, method: str, num_images: int) -> float:
    """Seconds of one call."""
    model = load_run(name, "classification").model
    images = torch.randn(num_images, 1, 28, 28)
    targets = torch.zeros(num_images, dtype=torch.int64)
    began = time.perf_counter()
    saliency(model, images, targets, method)
    return time.perf_counter() - began


def peak_memory(name: str, method: str, num_images: int) -> int:
    """Peak memory in bytes, measured in a new process."""
    command = [sys.executable, __file__, name, method, str(num_images)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(name: str, method: str) -> dict[str, Any]:
    """One row of the record."""
    seconds(name, method, 1)
    once = [seconds(name, method, 1) for _ in range(REPEATS)]
    return {
        "network": name,
        "method": method,
        "one_image_seconds": statistics.median(once),
        "one_image_slowest_seconds": max(once),
        "images_per_second": MANY / seconds(name, method, MANY),
        f"peak_memory_bytes_{FEW}": peak_memory(name, method, FEW),
        f"peak_memory_bytes_{MANY}": peak_memory(name, method, MANY),
    }


def main() -> None:
    """Measure everything, print it and write the record."""
    rows = []
    for name in shipped("classification"):
        model = load_run(name, "classification").model
        for method in methods_for(model):
            rows.append(measure(name, method))
            print(json.dumps(rows[-1]), flush=True)
    make_folder(RECORD.parent)
    machine = {"threads": torch.get_num_threads(), "torch": torch.__version__, "cores": os.cpu_count()}
    write_json(RECORD, {"repeats": REPEATS, "machine": machine, "rows": rows})


if __name__ == "__main__":
    if len(sys.argv) > 1:
        seconds(sys.argv[1], sys.argv[2], int(sys.argv[3]))
        print(process_peak_bytes())
    else:
        main()
