"""What pictures in files cost: decoding them once, memory in training, and reading batches from the file rather than from memory.

    python lab/own_pictures.py                 100,000 JPEG files of 64 x 64 pixels; needs 2 GB of disk
    python lab/own_pictures.py --number 5000

Prints one JSON object. Files and cache are made below a temporary folder and deleted at the end.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

NUM_CLASSES, BATCH = 10, 64


def main() -> None:
    """Make the pictures, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--epochs", type=float, default=0.02, help="length of the training whose memory is measured")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = str(Path(place) / "cache")
        root = Path(place) / "pictures"
        write_pictures(root, args.number, args.size)
        found: dict[str, Any] = {"number": args.number, "size": args.size}
        found |= train(root, Path(place) / "run", args.epochs)
        found |= read_times(root)
    print(json.dumps(found, indent=2))


def write_pictures(root: Path, number: int, size: int) -> None:
    """`number` JPEG files: noise that is smooth, so that they are as large as photos of that size."""
    draw = np.random.default_rng(0)
    for each in range(number):
        coarse = draw.integers(0, 256, (size // 4, size // 4, 3), dtype=np.uint8)
        folder = root / f"class{each % NUM_CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(coarse).resize((size, size), Image.Resampling.BILINEAR).save(folder / f"{each}.jpg", quality=90)


def train(root: Path, run: Path, epochs: float) -> dict[str, Any]:
    """Seconds of the first training and of a second one that finds the cache, and the memory of both."""
    found: dict[str, Any] = {}
    for name in ("first", "again"):
        words = ("train", "cnn", "--data", str(root), "--epochs", str(epochs), "--sealed", "--out", f"{run}-{name}")
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "fittingroom", *words, "--json"], check=True, stdout=subprocess.DEVNULL)
        state = json.loads(Path(f"{run}-{name}", "state.json").read_text())
        found[f"{name}_seconds"] = round(time.perf_counter() - start, 1)
        found[f"{name}_peak_gb"] = round(state["peak_memory_bytes"] / 1e9, 2)
        found["training_ms_per_image"] = round(1000 / state["items_per_second"], 3)
    return found


def read_times(root: Path) -> dict[str, Any]:
    """Milliseconds an image of augmented batches from the file and from memory: the better of three passes, in turns."""
    import torch

    from fittingroom.data.images.augment import AugmentConfig
    from fittingroom.data.images.batches import TrainBatches
    from fittingroom.data.images.load import open_images
    from fittingroom.data.spec import ImageSet, Source

    torch.set_num_threads(1)
    splits = open_images(str(root)).split(0)
    stored = splits.train
    memory = ImageSet(stored.read(torch.arange(len(stored))), stored.labels, stored.index)
    best: dict[str, float] = {}
    for _ in range(3):
        for name, source in (("file", stored), ("memory", memory)):
            kind: Source = source
            batches = TrainBatches(
                train=kind, spec=splits.spec, seed=0, batch_size=BATCH, augment=AugmentConfig(shift_pixels=1)
            )
            steps = batches.steps_per_epoch
            start = time.perf_counter()
            for step, _ in zip(range(steps), batches.from_step(0), strict=False):
                del step
            best[name] = min(best.get(name, np.inf), (time.perf_counter() - start) / steps / BATCH * 1000)
    return {f"batch_ms_per_image_from_{name}": round(value, 4) for name, value in best.items()}


if __name__ == "__main__":
    main()
