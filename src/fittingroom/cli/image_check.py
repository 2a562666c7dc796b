"""Format the report of `data check` on images as text for a terminal."""

from statistics import median
from typing import Any

from fittingroom.data.images.listing import FEW

MOST_CLASSES = 20
"""With more classes, only the smallest, the middle and the largest are printed."""
MOST_NAMES = 10
"""Names of files that are printed for each finding; --json has them all."""


def image_words(found: dict[str, Any]) -> str:
    """The output of `data check` for a user's images."""
    lines = [
        f"{found['name']}: {_num(found['num_images'], 'image')} of {_num(found['num_classes'], 'class', 'classes')}"
    ]
    for part, counts in found["class_counts"].items():
        lines.append(f"{part}: {_counts(counts)}")
    if found["sizes"]:
        lines.append(f"height x width: {_sizes(found['sizes'])}")
    lines += [f"note: {note}" for note in found["notes"]]
    if found["tiny_classes"]:
        lines.append(_tiny(found["tiny_classes"], found["num_classes"]))
    if found["constant"]:
        lines.append(f"images of one colour: {len(found['constant']):,} ({_some(found['constant'])})")
    lines += _copies(found["duplicates"])
    if found["unreadable"]:
        lines.append(f"cannot be read: {len(found['unreadable']):,} (train and compare leave them out with --skip-bad)")
        faults = [f"  {name}: {fault}" for name, fault in found["unreadable"].items()]
        lines += faults[:MOST_NAMES]
        lines += [f"  and {len(faults) - MOST_NAMES:,} more: see --json"] if len(faults) > MOST_NAMES else []
    lines += [f"problem: {problem}" for problem in found["problems"]]
    return "\n".join(lines if not found["ok"] else [*lines, "train and compare accept these images"])


def _tiny(tiny: dict[str, int], num_classes: int) -> str:
    number = f"all {num_classes:,}" if len(tiny) == num_classes else f"{len(tiny):,} of {num_classes:,}"
    few = [f"{name} {count:,}" for name, count in sorted(tiny.items(), key=lambda each: each[1])]
    names = "" if len(set(tiny.values())) == 1 and len(tiny) == num_classes else f": {_some(few)}"
    return f"classes with fewer than {FEW} training images: {number}{names}"


def _copies(copies: dict[str, Any]) -> list[str]:
    within = [f"{number:,} within {part}" for part, number in copies["within"].items()]
    across = [
        f"{number:,} of {part.partition('_')[0]} also in {part.partition('_')[2]}"
        for part, number in copies["across"].items()
    ]
    if not copies["num_groups"]:
        return ["exact copies: none"]
    lines = [f"exact copies: {', '.join(within + across)}"]
    mixed = [group for group in copies["groups"] if len({each["label"] for each in group}) > 1]
    if copies["across"]:
        lines[0] += " (training leaves out copies of validation and test images)"
    if mixed:
        pairs = [" = ".join(f"{each['name']} ({each['label']})" for each in group[:3]) for group in mixed]
        lines.append(f"copies with different labels: {_num(len(mixed), 'image')}: {_some(pairs, 3)}")
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
        return f"{next(iter(sizes))}, all images"
    sides = [tuple(map(int, size.split("x"))) for size in sizes]
    low, high = (f"{pick(a for a, _ in sides)}x{pick(b for _, b in sides)}" for pick in (min, max))
    common, number = next(iter(sizes.items()))
    often = f"; most often {common} ({_num(number, 'image')})" if number > 1 else ""
    return f"{low} to {high}, {_num(len(sizes), 'size')}{often}"


def _some(names: list[str], most: int = MOST_NAMES) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _num(number: int, noun: str, plural: str = "") -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
