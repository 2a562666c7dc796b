"""The report of `fittingroom data check` on a user's images: counts, sizes, unreadable files, copies, and what training refuses.

Nothing is written, so the report comes before any cache or run.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.data.images.guard.findings import Finding, copies_of, find_all, near_pairs, of_labels, together
from fittingroom.data.images.guard.labels import Doubtful
from fittingroom.data.images.guard.near import Pairs
from fittingroom.data.images.listing import FEW
from fittingroom.data.images.options import PictureOptions
from fittingroom.data.images.scan import ALL, Checked, Scan, scan_images

WHY = "data check: class counts and copies"


@dataclass(frozen=True)
class ImageCheck:
    """What was found in a data set."""

    scan: Scan
    pairs: Pairs
    findings: tuple[Finding, ...]
    """Each kind of fault that occurs, the gravest first."""
    remarks: tuple[str, ...] = ()
    """Sentences about all of them."""

    @property
    def ok(self) -> bool:
        """Whether every file can be read and training would start."""
        return len(self.scan.good) == len(self.scan.found) and not self.scan.problems

    @cached_property
    def group(self) -> np.ndarray:
        """A number for each readable picture, the same for copies and near-duplicates."""
        return together(self.scan.good, self.pairs)

    def with_labels(self, doubtful: Doubtful, class_names: Sequence[str], rows: Sequence[int]) -> "ImageCheck":
        """With likely wrong labels. `rows` are the positions of the pictures that were judged."""
        found = of_labels(doubtful, class_names, rows)
        return replace(self, findings=(*self.findings, *([found] if found.number else [])))

    def name(self, place: int) -> str:
        """A readable picture's name."""
        return self.scan.good[place].name

    def to_dict(self) -> dict[str, Any]:
        """The report, ready for JSON."""
        return _report(self)


def check_images(source: str, data_dir: Path | None = None, options: PictureOptions | None = None) -> ImageCheck:
    """Check images by path or name.

    Raises FittingRoomError if there is nothing to check: no such file, no pictures, a broken table.
    """
    scan = scan_images(source, data_dir, options)
    pairs = near_pairs(scan.good, scan.small)
    return ImageCheck(scan, pairs, tuple(find_all(scan.good, scan.class_names, scan.looks, pairs)))


def _report(check: ImageCheck) -> dict[str, Any]:
    scan = check.scan
    good, parts, names = scan.good, scan.parts, scan.class_names
    counts = {part: Counter(each.label for each in good if each.part == part) for part in parts}
    train = counts.get("train", counts.get(ALL, Counter()))
    sizes = Counter(each.size for each in good)
    return {
        "name": scan.title,
        "source": scan.source,
        "ok": check.ok,
        "num_images": len(scan.found),
        "num_classes": len(names),
        "class_counts": {part: {label: counts[part][label] for label in names} for part in parts},
        "tiny_classes": {label: train[label] for label in names if train[label] < FEW},
        "sizes": {f"{height}x{width}": number for (height, width), number in sizes.most_common()},
        "unreadable": {each.name: each.fault for each in scan.found if each.fault},
        "constant": [each.name for each in good if each.constant],
        "duplicates": _copies(good, parts),
        "findings": [_finding(check, each) for each in check.findings],
        "remarks": list(check.remarks),
        "problems": list(scan.problems),
        "notes": list(scan.notes),
        "test_reads": [WHY] if "test" in parts else [],
    }


def _finding(check: ImageCheck, found: Finding) -> dict[str, Any]:
    good = check.scan.good
    return {
        "kind": found.kind,
        "title": found.title,
        "advice": found.advice,
        "number": found.number,
        "pictures": [[{"name": good[place].name, "label": good[place].label} for place in each] for each in found.sets],
        "details": list(found.details),
    }


def _copies(good: Sequence[Checked], parts: Sequence[str]) -> dict[str, Any]:
    """Exact copies. `within` counts all but the first of each group; `across` counts the images of the first part."""
    groups = [[good[place] for place in places] for places in copies_of(good)]
    in_part = [Counter(each.part for each in group) for group in groups]
    return {
        "within": {part: sum(max(0, number[part] - 1) for number in in_part) for part in parts},
        "across": {
            f"{one}_{other}": sum(number[one] for number in in_part if number[other])
            for one, other in combinations(parts, 2)
        },
        "num_groups": len(groups),
        "num_groups_with_different_labels": sum(len({each.label for each in group}) > 1 for group in groups),
        "groups": [[{"name": each.name, "label": each.label} for each in group] for group in groups],
    }
