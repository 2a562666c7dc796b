"""What `data check` finds: faults planted in Fashion-MNIST, and what it finds in the data set as it is.

    python lab/guard_faults.py                   everything: about 15 minutes on one core
    python lab/guard_faults.py --only faults     copies, near-duplicates, faulty pictures; or `clean`, or `labels`

Writes results/guard/planted.json; a part that is not run keeps its record. The 70,000 images become PNG files in a temporary
folder. In each kind, the planted faults are drawn by seed 0 from images without another fault.
"""

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from fittingroom.api.check import DataCheck, check_data
from fittingroom.core.rundir import write_json
from fittingroom.data.images.fashion_mnist import SPEC, find, load_test, load_train
from fittingroom.data.spec import ImageSet

RESULT = Path(__file__).parents[1] / "results" / "guard" / "planted.json"
EXACT, NEAR = 20, 100
"""Planted faults of each kind."""
FLIPPED = 0.03
EXACT_KINDS = {
    "copies-in-two-parts": "copy of a test picture in training",
    "copies-with-other-labels": "copy of a training picture in another class",
    "copies": "copy within training",
    "constant": "one colour",
    "dark": "very dark",
    "bright": "very bright",
    "blurred": "blurred",
    "odd-sizes": "odd size",
    "unreadable": "unreadable file",
    "tiny-classes": "tiny class",
    "missing-classes": "class missing from test",
}
CLASS_KINDS = ("tiny-classes", "missing-classes")
Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def jpeg(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Saved as JPEG, quality 50 to 90."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=int(draw.integers(50, 91)))
    return Image.open(file).convert("L")


def resized(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Scaled by 0.75 to 2 and back to its size."""
    return _scaled(picture, float(draw.uniform(0.75, 2)))


def halved(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Scaled to half its size and back."""
    return _scaled(picture, 0.5)


def cropped(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """A window of 95 % of the sides, anywhere, scaled back to its size."""
    return _window(picture, draw, 0.05)


def cropped_more(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """A window of 92 % of the sides."""
    return _window(picture, draw, 0.08)


def brighter(picture: Image.Image, draw: np.random.Generator) -> Image.Image:
    """Brightness times 0.8 to 1.2; what exceeds 255 is cut off."""
    factor = float(draw.uniform(0.8, 1.2))
    return picture.point([min(255, round(value * factor)) for value in range(256)])


NEAR_KINDS: dict[str, tuple[str, Change]] = {
    "jpeg": ("saved as JPEG, quality 50 to 90", jpeg),
    "resized": ("resized by 0.75 to 2 and back", resized),
    "cropped": ("cropped by 5 %, anywhere", cropped),
    "brightness": ("brightness times 0.8 to 1.2", brighter),
}
HARDER_KINDS: dict[str, tuple[str, Change]] = {
    "halved": ("resized to half and back", halved),
    "cropped-more": ("cropped by 8 %, anywhere", cropped_more),
}


def _scaled(picture: Image.Image, factor: float) -> Image.Image:
    side = round(28 * factor)
    return picture.resize((side, side), Image.Resampling.BICUBIC).resize((28, 28), Image.Resampling.BICUBIC)


def _window(picture: Image.Image, draw: np.random.Generator, share: float) -> Image.Image:
    left, top = draw.uniform(0, 28 * share, 2)
    side = 28 * (1 - share)
    return picture.resize((28, 28), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))


class Planter:
    """Writes the data set and plants faults in it."""

    def __init__(self, root: Path, train: ImageSet, test: ImageSet) -> None:
        self.root, self.draw = root, np.random.default_rng(0)
        self.images = {"train": train.images[:, 0].numpy(), "test": test.images[:, 0].numpy()}
        self.labels = {"train": train.labels.tolist(), "test": test.labels.tolist()}
        self._free = {part: iter(self.draw.permutation(len(found)).tolist()) for part, found in self.labels.items()}
        self.planted: dict[str, list[frozenset[str]]] = {}

    def write_all(self) -> None:
        """Every image as it is."""
        for part, images in self.images.items():
            for place, image in enumerate(images):
                self.save(Image.fromarray(image), part, self.labels[part][place], f"{place}")

    def save(self, picture: Image.Image, part: str, label: int | str, name: str) -> str:
        """Write a picture; return its name in the check."""
        folder = SPEC.class_names[label].replace("/", "-") if isinstance(label, int) else label
        path = self.root / part / folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
        return str(path.relative_to(self.root))

    def take(self, part: str) -> tuple[int, Image.Image, str]:
        """An image that was not taken before: its label, the picture and its name."""
        place = next(self._free[part])
        label = self.labels[part][place]
        folder = SPEC.class_names[label].replace("/", "-")
        return label, Image.fromarray(self.images[part][place]), f"{part}/{folder}/{place}.png"

    def plant(self, kind: str, *names: str) -> None:
        """Remember that these pictures are one fault."""
        self.planted.setdefault(kind, []).append(frozenset(names))

    def exact(self) -> None:
        """`EXACT` faults of each exact kind."""
        for number in range(EXACT):
            label, picture, name = self.take("test")
            self.plant("copies-in-two-parts", name, self.save(picture, "train", label, f"leak{number}"))
            label, picture, name = self.take("train")
            self.plant(
                "copies-with-other-labels", name, self.save(picture, "train", (label + 1) % 10, f"wrong{number}")
            )
            label, picture, name = self.take("train")
            self.plant("copies", name, self.save(picture, "train", label, f"twice{number}"))
            label, _, _ = self.take("train")
            self.plant(
                "constant", self.save(Image.new("L", (28, 28), 5 + 10 * number), "train", label, f"flat{number}")
            )
            for kind, picture, label in self._changed(number):
                self.plant(kind, self.save(picture, "train", label, f"{kind}{number}"))
            self._unreadable(number)
            for each in range(4):
                _, picture, _ = self.take("train")
                self.save(picture.transpose(Image.Transpose.ROTATE_90), "train", f"Extra {number}", f"{each}")
            self.plant("tiny-classes", f"Extra {number}")
            self.plant("missing-classes", f"Extra {number}")

    def _changed(self, number: int) -> Iterator[tuple[str, Image.Image, int]]:
        """Pictures that show nothing else in the data set: each is turned, so that it is no near-duplicate."""
        changes: dict[str, Callable[[Image.Image], Image.Image]] = {
            "dark": lambda picture: picture.point([value // 8 for value in range(256)]),
            "bright": lambda picture: picture.point([225 + value // 9 for value in range(256)]),
            "blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
            "odd-sizes": lambda picture: picture.resize((28, 56 + number)),
        }
        for kind, change in changes.items():
            label, picture, _ = self.take("train")
            yield kind, change(picture.transpose(Image.Transpose.ROTATE_90)), label

    def _unreadable(self, number: int) -> None:
        label, picture, _ = self.take("train")
        name = self.save(picture, "train", label, f"broken{number}")
        whole = (self.root / name).read_bytes()
        (self.root / name).write_bytes((b"", whole[: len(whole) // 2], b"no picture")[number % 3])
        self.plant("unreadable", name)

    def near(self) -> None:
        """`NEAR` near-duplicates of each kind, of test pictures, in training."""
        for kind, (_, change) in {**NEAR_KINDS, **HARDER_KINDS}.items():
            for number in range(NEAR):
                label, picture, name = self.take("test")
                changed = change(picture, self.draw)
                self.plant(kind, name, self.save(changed, "train", label, f"{kind}{number}"))


def found_sets(check: DataCheck) -> dict[str, list[frozenset[str]]]:
    """Kind -> what was found, by names."""
    names = check.names
    found = {
        each.kind: [frozenset(names[place] for place in places) for places in each.sets]
        or [frozenset([detail.partition(" in ")[0].rpartition(" ")[0] or detail]) for detail in each.details]
        for each in check.findings
    }
    if "missing-classes" in found:
        missing = check.finding("missing-classes")
        assert missing is not None
        found["missing-classes"] = [frozenset([detail.partition(" in ")[0]]) for detail in missing.details]
    found["unreadable"] = [frozenset([name]) for name in check.to_dict()["unreadable"]]
    return found


def _sets(found: dict[str, list[frozenset[str]]], kind: str) -> list[frozenset[str]]:
    """The sets of all kinds that begin so, each once."""
    return list(set(chain.from_iterable(sets for name, sets in found.items() if name.startswith(kind))))


def faults(train: ImageSet, test: ImageSet) -> dict[str, Any]:
    """How many planted faults are found, and false alarms. A planted pair counts as found if one set holds both pictures.

    A false alarm is a set without any planted picture. Some planted near-duplicates are faults of other kinds as well: those that
    were halved are blurred, and those whose brightness was multiplied by nearly 1 are copies.
    """
    with tempfile.TemporaryDirectory() as place:
        planter = Planter(Path(place), train, test)
        planter.write_all()
        planter.exact()
        planter.near()
        start = time.process_time()
        found = found_sets(check_data(Path(place)))
        seconds = time.process_time() - start
    planted = set(chain.from_iterable(chain.from_iterable(planter.planted.values())))
    rows = []
    for kind, title in EXACT_KINDS.items():
        sets = found.get(kind, [])
        hits = sum(any(fault <= each for each in sets) for fault in planter.planted[kind])
        false = sum(not each & planted for each in sets)
        rows.append({"kind": kind, "title": title, "planted": EXACT, "found": hits, "false": false})
    near = _sets(found, "near-duplicates")
    for kind, (title, _) in {**NEAR_KINDS, **HARDER_KINDS}.items():
        sets = [*near, *_sets(found, "copies")]
        hits = sum(any(fault <= each for each in sets) for fault in planter.planted[kind])
        rows.append({"kind": kind, "title": title, "planted": NEAR, "found": hits})
    return {
        "rows": rows,
        "near_sets": len(near),
        "near_sets_without_planted": sum(not each & planted for each in near),
        "images": len(train) + len(test) + sum(len(sets) for sets in planter.planted.values()),
        "cpu_seconds": round(seconds),
    }


def clean() -> dict[str, Any]:
    """What is found in Fashion-MNIST as it is."""
    start = time.process_time()
    check = check_data("fashion-mnist")
    return {
        "findings": {each.kind: each.number for each in check.findings},
        "near": [[check.names[place] for place in each] for kind in check.findings for each in kind.sets],
        "cpu_seconds": round(time.process_time() - start),
    }


def labels(train: ImageSet, test: ImageSet) -> dict[str, Any]:
    """Flip labels of `FLIPPED` of the images to another class at random, and look for them with `--labels`."""
    draw = np.random.default_rng(0)
    given = np.concatenate([train.labels.numpy(), test.labels.numpy()])
    flipped = draw.choice(len(given), round(FLIPPED * len(given)), replace=False)
    wrong = given.copy()
    wrong[flipped] = (given[flipped] + draw.integers(1, 10, len(flipped))) % 10
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "flipped.npz"
        cut = len(train)
        np.savez(
            path,
            images=train.images[:, 0].numpy(),
            labels=wrong[:cut],
            test_images=test.images[:, 0].numpy(),
            test_labels=wrong[cut:],
            class_names=np.array(SPEC.class_names),
        )
        start = time.process_time()
        check = check_data(path, labels=True)
    found = check.finding("doubtful-labels")
    assert found is not None
    order = np.array([place for (place,) in found.sets])
    seconds = round(time.process_time() - start)
    return {"images": len(given), **scored(order, flipped), "cpu_seconds": seconds}


def scored(order: np.ndarray, flipped: np.ndarray) -> dict[str, Any]:
    """How many of the flipped labels are in the list `order`, and how much of the list and of its beginning they are."""
    hits = np.isin(order, flipped)
    total = np.cumsum(hits)
    return {
        "flipped": len(flipped),
        "listed": len(order),
        "found": int(hits.sum()),
        "recall": round(float(hits.sum() / len(flipped)), 4),
        "precision": round(float(hits.mean()), 4),
        "precision_of_first": {
            str(number): round(float(total[number - 1] / number), 4)
            for number in (100, 500, 1000)
            if number <= len(order)
        },
    }


def main() -> None:
    """Run the parts that are asked for, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("faults", "clean", "labels"))
    only = parser.parse_args().only
    folder = find()
    train, test = load_train(folder), load_test(folder)
    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "clean": clean,
        "faults": lambda: faults(train, test),
        "labels": lambda: labels(train, test),
    }
    for name, run in parts.items():
        if only in (None, name):
            found = run()
            record: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
            record[name] = found
            print(json.dumps({name: {key: value for key, value in record[name].items() if key != "near"}}, indent=2))
            RESULT.parent.mkdir(parents=True, exist_ok=True)
            write_json(RESULT, record)


if __name__ == "__main__":
    main()
