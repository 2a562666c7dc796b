"""How often `predict --none 5` is right: false alarms on test images, and foreign pictures that it finds.

    python lab/none_of_these.py ../shared/data/cifar10/test     a folder of colour photographs; writes results/guard/none.json

The included networks of Fashion-MNIST look at 2,000 of its test images; at photographs, read as `predict` reads them;
at handwritten digits (scikit-learn's); at test images upside down; and at noise. The method was chosen among five on validation
images and on foreign pictures of these kinds, so the last columns are slightly too good; the false alarms are not.
"""

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor

from fittingroom.core.rundir import write_json
from fittingroom.data.images.folder import pictures_in
from fittingroom.data.images.image_file import read_image
from fittingroom.evaluation.read_log import log_test_read
from fittingroom.tasks.classification.unlike import usual
from fittingroom.tasks.load import load_run

RECORD = Path(__file__).parents[1] / "results" / "guard" / "none.json"
ALARMS, NUMBER, NETWORKS = 0.05, 2000, ("cnn", "hybrid", "vit")


def main() -> None:
    """Measure all networks, write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="folder of photographs")
    photos = sorted(pictures_in(parser.parse_args().photos, Counter()))
    found = {name: measure(name, photos[:: max(1, len(photos) // NUMBER)][:NUMBER]) for name in NETWORKS}
    write_json(RECORD, {"alarms": ALARMS, "networks": found})
    print(json.dumps(found, indent=2))


def measure(name: str, photos: list[Path]) -> dict[str, dict[str, float]]:
    """For each kind of picture its number, and the share that gets the answer 'none of these'."""
    saved = load_run(name)
    known = usual(saved, ALARMS)
    task: Any = saved.task
    test = task.splits.open_test(lambda why: log_test_read(saved.folder, why), "none of these")
    images = test.read(torch.arange(NUMBER))
    draw = torch.Generator().manual_seed(0)
    kinds = {
        "test images": images,
        "noise": torch.randint(0, 256, images.shape, generator=draw, dtype=torch.uint8),
        "digits": digits(),
        "photographs": torch.stack([read_image(path, saved.task.spec).pixels for path in photos]),
        "test images upside down": images.flip(2),
    }
    shares = {kind: np.array(known.shares(pictures)) for kind, pictures in kinds.items()}
    return {kind: {"number": len(each), "none": float((each <= ALARMS).mean())} for kind, each in shares.items()}


def digits() -> Tensor:
    """scikit-learn's digits of 8 x 8 pixels, light on black, enlarged to 28 x 28."""
    data: Any = load_digits()
    pictures = [Image.fromarray((16 * each).clip(0, 255).astype(np.uint8)) for each in data.images]
    return torch.stack(
        [torch.from_numpy(np.array(each.resize((28, 28), Image.Resampling.BILINEAR)))[None] for each in pictures]
    )


if __name__ == "__main__":
    main()
