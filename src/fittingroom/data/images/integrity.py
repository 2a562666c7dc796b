"""The report of `fittingroom data check` on images: file integrity, class counts and duplicates.

The current release of Fashion-MNIST has no exact copies. Those in zalandoresearch/fashion-mnist#44 (43 pairs within train, ten
train images in test) were in the first release of August 2017. This check shows that the copies are gone.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fittingroom.data.images import fashion_mnist, idx
from fittingroom.data.images.fashion_mnist import RELEASE, SPEC, DataFile, Release
from fittingroom.data.spec import ImageSet, digests

WHY = "data check: class counts and duplicates"


def check(folder: Path, release: Release = RELEASE) -> dict[str, Any]:
    """A report on the data set in `folder`, ready for JSON.

    `ok` tells whether all files are correct. `files` holds the path, sha256_ok, shape and problem of each file.
    `class_counts` and `duplicates` are null unless all files are correct. `test_reads` lists the reasons for opening the
    test split.
    """
    files = [_check_file(folder / file.name, file) for file in release.files]
    ok = all(file["sha256_ok"] for file in files)
    reads: list[str] = []
    report: dict[str, Any] = {"name": SPEC.name, "folder": str(folder), "ok": ok, "files": files}
    report |= {"class_counts": None, "duplicates": None, "test_reads": reads}
    if ok:
        train = fashion_mnist.load_train(folder)
        reads.append(WHY)
        test = fashion_mnist.load_test(folder)
        report["class_counts"] = {"train": _class_counts(train), "test": _class_counts(test)}
        report["duplicates"] = find_duplicates(train, test)
    return report


def find_duplicates(train: ImageSet, test: ImageSet) -> dict[str, Any]:
    """Find exact copies within train, within test, and between train and test. Images are given by position in their files."""
    train_groups, test_groups = _by_digest(train), _by_digest(test)
    shared = [key for key in train_groups if key in test_groups]
    pairs: list[dict[str, Any]] = [
        {
            "train": [int(train.index[place]) for place in train_groups[key]],
            "test": [int(test.index[place]) for place in test_groups[key]],
            "labels_differ": len(_labels(train, train_groups[key]) | _labels(test, test_groups[key])) > 1,
        }
        for key in shared
    ]
    return {
        "within_train": _repeats(train, train_groups),
        "within_test": _repeats(test, test_groups),
        "train_in_test": {
            "num_train_images": sum(len(pair["train"]) for pair in pairs),
            "num_test_images": sum(len(pair["test"]) for pair in pairs),
            "pairs": pairs,
        },
    }


def _check_file(path: Path, file: DataFile) -> dict[str, Any]:
    problem = fashion_mnist.fault_of(path, file)
    shape = None if problem else list(idx.read(path).shape)
    return {"path": str(path), "sha256_ok": problem is None, "shape": shape, "problem": problem}


def _class_counts(images: ImageSet) -> dict[str, int]:
    counts = images.labels.bincount(minlength=SPEC.num_classes).tolist()
    return dict(zip(SPEC.class_names, counts, strict=True))


def _by_digest(images: ImageSet) -> dict[bytes, list[int]]:
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, fingerprint in enumerate(digests(images.images)):
        places[fingerprint].append(place)
    return places


def _repeats(images: ImageSet, groups: dict[bytes, list[int]]) -> dict[str, Any]:
    """The groups of equal images. `num_copies` counts all images except the first of each group."""
    repeated = [places for places in groups.values() if len(places) > 1]
    return {
        "num_groups": len(repeated),
        "num_copies": sum(len(places) - 1 for places in repeated),
        "num_groups_with_different_labels": sum(len(_labels(images, places)) > 1 for places in repeated),
        "groups": [[int(images.index[place]) for place in places] for places in repeated],
    }


def _labels(images: ImageSet, places: Sequence[int]) -> set[int]:
    return {int(images.labels[place]) for place in places}
