"""Results as sentences for a terminal."""

from pathlib import Path
from typing import Any


def run_words(row: dict[str, Any], folder: Path) -> str:
    """What `train` says at the end."""
    return (
        f"{row['run']}: test accuracy {row['test_accuracy']:.2%}, validation {row['val_accuracy']:.2%} after "
        f"{row['epochs']:g} epochs and {row['train_seconds']:.0f} s ({row['images_per_second']:.0f} images/s, "
        f"{row['peak_memory_bytes'] / 1e9:.1f} GB)\n{folder}"
    )


def data_words(found: dict[str, Any]) -> str:
    """What `data check` says."""
    lines = [f"{found['name']} in {found['folder']}"]
    for file in found["files"]:
        shape = " x ".join(map(str, file["shape"] or []))
        lines.append(f"  {Path(file['path']).name}: {file['problem'] or f'checksum right, {shape}'}")
    if not found["ok"]:
        return "\n".join([*lines, "not all files are right: replace those named above"])
    for part, counts in found["class_counts"].items():
        lines.append(f"{part} images: {_counts(counts)}")
    copies = found["duplicates"]
    shared = copies["train_in_test"]
    lines += [
        f"exact copies within train: {copies['within_train']['num_copies']}, within test: {copies['within_test']['num_copies']}",
        f"train images that stand in test: {shared['num_train_images']} (left out of training)",
    ]
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    if len(set(counts.values())) == 1:
        return f"{sum(counts.values()):,}, {next(iter(counts.values())):,} of each of {len(counts)} classes"
    return f"{sum(counts.values()):,}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
