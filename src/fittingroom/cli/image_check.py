"""`data check` on images: its options, the files it writes, and its report as text for a terminal."""

import argparse
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from fittingroom.core.errors import FittingRoomError

if TYPE_CHECKING:
    from fittingroom.api.check import DataCheck
    from fittingroom.data.images.check import ImageCheck
    from fittingroom.data.images.guard.findings import Finding

MOST_CLASSES = 20
"""With more classes, only the smallest, the middle and the largest are printed."""
MOST_NAMES = 10
"""Unreadable files that are printed; --json has them all."""
EXAMPLES = 3
"""Examples that are printed of each finding."""


def check_options(args: argparse.Namespace, name: str) -> None:
    """Raise FittingRoomError for options that do not fit, before anything is read."""
    from fittingroom.data.images.clean import check_target
    from fittingroom.data.images.load import is_pictures
    from fittingroom.report.check_page import check_page_path

    if args.labels and args.run is not None:
        raise FittingRoomError("--labels trains networks and --from uses the predictions of a run: give one of the two")
    if args.epochs is not None and not args.labels:
        raise FittingRoomError("--epochs sets the length of the training for --labels: add --labels, or omit it")
    if args.write_clean is not None:
        check_target(args.write_clean, name, is_pictures(name))
    if args.html is not None:
        check_page_path(args.html)


def integrity_of(name: str, data_dir: Path | None) -> tuple[dict[str, Any], str]:
    """For Fashion-MNIST, the report on its files and its text; nothing for other data."""
    if name != "fashion-mnist":
        return {}, ""
    from fittingroom.cli.messages import data_words
    from fittingroom.data.images import fashion_mnist, integrity

    found = integrity.check(fashion_mnist.find(data_dir))
    return found, data_words(found)


def write_files(args: argparse.Namespace, found: "DataCheck") -> dict[str, Any]:
    """Write what --html and --write-clean ask for. Returns it for JSON."""
    written: dict[str, Any] = {}
    if args.html is not None:
        written["html"] = str(found.write_html(args.html))
    if args.write_clean is not None:
        left_out = found.write_clean(args.write_clean)
        written |= {"clean": str(args.write_clean), "left_out": left_out}
    return written


def image_words(check: "ImageCheck", first: str = "", written: dict[str, Any] | None = None) -> str:
    """The output of `data check` for images. `first` is printed before the findings, in place of the counts."""
    found = check.to_dict()
    lines = [first] if first else _counts_of(found)
    lines += [_finding(check, each) for each in check.findings]
    lines += check.remarks
    if found["unreadable"]:
        lines.append(f"cannot be read: {len(found['unreadable']):,} (train and compare leave them out with --skip-bad)")
        faults = [f"  {name}: {fault}" for name, fault in found["unreadable"].items()]
        lines += faults[:MOST_NAMES]
        lines += [f"  and {len(faults) - MOST_NAMES:,} more: see --json"] if len(faults) > MOST_NAMES else []
    lines += [f"problem: {problem}" for problem in found["problems"]]
    if not check.findings and found["ok"]:
        lines.append("no copies, near-duplicates or faulty pictures were found")
    if found["ok"]:
        lines.append("train and compare accept these images")
    return "\n".join([*lines, *_written(written or {}, bool(check.findings))])


def _counts_of(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{found['name']}: {_num(found['num_images'], 'image')} of {_num(found['num_classes'], 'class', 'classes')}"
    ]
    for part, counts in found["class_counts"].items():
        lines.append(f"{part}: {_counts(counts)}")
    if found["sizes"]:
        lines.append(_sizes(found["sizes"]))
    return lines + [f"note: {note}" for note in found["notes"]]


def _finding(check: "ImageCheck", found: "Finding") -> str:
    """`title: 20 (a.png = b.png, c.png = d.png, and 18 more): advice`"""
    with_labels = found.kind.endswith("labels")
    examples = []
    for number in range(min(EXAMPLES, found.number)):
        pictures = [check.scan.good[place] for place in (found.sets[number] if found.sets else ())]
        names = [f"{each.name} ({each.label})" if with_labels else each.name for each in pictures[:EXAMPLES]]
        names += [f"{len(pictures) - EXAMPLES:,} more"] if len(pictures) > EXAMPLES else []
        detail = found.details[number] if number < len(found.details) else ""
        examples.append(" ".join(filter(None, [" = ".join(names), detail])))
    more = f" and {found.number - EXAMPLES:,} more" if found.number > EXAMPLES else ""
    return f"{found.title}: {found.number:,} ({', '.join(examples)}{more}): {found.advice}"


def _written(written: dict[str, Any], found: bool) -> list[str]:
    lines = []
    if "html" in written:
        lines.append(f"page: {written['html']}")
    elif found:
        lines.append("to see the pictures: --html check.html")
    if "clean" in written:
        lines.append(
            f"table: {written['clean']} (leaves out {_num(written['left_out'], 'picture')}): use it with --data"
        )
    return lines


def _counts(counts: dict[str, int]) -> str:
    whole, numbers = sum(counts.values()), sorted(counts.values())
    if numbers[0] == numbers[-1]:
        return f"{whole:,}, {numbers[0]:,} of each class"
    if len(counts) <= MOST_CLASSES:
        return f"{whole:,}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
    least, most = min(counts, key=lambda name: counts[name]), max(counts, key=lambda name: counts[name])
    middle = f"{median(numbers):g} in the middle"
    return f"{whole:,}: from {numbers[0]:,} ({least}) to {numbers[-1]:,} ({most}) images a class, {middle}"


def _sizes(sizes: dict[str, int]) -> str:
    if len(sizes) == 1:
        return f"height x width: {next(iter(sizes))}, all images"
    heights, widths = zip(*(map(int, size.split("x")) for size in sizes), strict=True)
    common, number = next(iter(sizes.items()))
    often = f"; most often {common} ({_num(number, 'image')})" if number > 1 else ""
    return (
        f"height x width: {_num(len(sizes), 'size')}, heights {min(heights):,} to {max(heights):,}, widths {min(widths):,} to "
        f"{max(widths):,}{often}"
    )


def _num(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
