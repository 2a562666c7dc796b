"""Results as sentences for a terminal."""

from pathlib import Path
from typing import Any


def run_words(row: dict[str, Any], folder: Path) -> str:
    """What `train` says at the end."""
    if "val_word_error_rate" in row:
        return _pair_run_words(row, folder)
    test = "test images sealed" if row["test_accuracy"] is None else f"test accuracy {row['test_accuracy']:.2%}"
    return (
        f"{row['run']}: {test}, validation {row['val_accuracy']:.2%} after "
        f"{row['epochs']:g} epochs and {row['train_seconds']:.0f} s ({row['images_per_second']:.0f} images/s, "
        f"{row['peak_memory_bytes'] / 1e9:.1f} GB)\n{folder}"
    )


def _pair_run_words(row: dict[str, Any], folder: Path) -> str:
    test = "test words sealed"
    if row["test_word_error_rate"] is not None:
        test = f"test word error {row['test_word_error_rate']:.2%}, phoneme error {row['test_phoneme_error_rate']:.2%}"
    if row["num_unknown"]:
        test += f" ({row['num_unknown']:,} symbols there were unknown)"
    return (
        f"{row['run']}: {test}; validation {row['val_word_error_rate']:.2%} and {row['val_phoneme_error_rate']:.2%} after "
        f"{row['epochs']:g} epochs and {row['train_seconds']:.0f} s ({row['pairs_per_second']:.0f} pairs/s, "
        f"{row['peak_memory_bytes'] / 1e9:.1f} GB)\n{folder}"
    )


def score_words(scores: dict[str, Any]) -> str:
    """What `evaluate` says."""
    split = scores["split"]
    if "num_images" in scores:
        return f"{scores['run']}: {split} accuracy {scores[f'{split}_accuracy']:.2%} on {scores['num_images']:,} images"
    rates = (scores[f"{split}_word_error_rate"], scores[f"{split}_phoneme_error_rate"])
    unknown = f" ({scores['num_unknown']:,} symbols there were unknown)" if scores["num_unknown"] else ""
    return (
        f"{scores['run']}: {split} word error {rates[0]:.2%}, phoneme error {rates[1]:.2%} on {scores['num_words']:,} words"
        f"{unknown}"
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


def pair_words(found: dict[str, Any]) -> str:
    """What `data check` says of pairs."""
    stress = {None: "", "strip": ", stress stripped", "keep": ", stress kept"}[found["stress"]]
    lines = [f"{found['name']} ({', '.join(found['files'])}){stress}: {found['num_lines']:,} lines"]
    lines += [f"dropped: {count:,} lines, {reason}" for reason, count in found["dropped"].items()]
    lines.append(f"merged: {found['num_merged']:,} lines, whose source had that target already")
    for name, counts in [("all", found["all"]), *found["parts"].items()]:
        lines.append(
            f"{name}: {counts['num_sources']:,} sources with {counts['num_pairs']:,} targets ({counts['num_with_several']:,} "
            f"with several, at most {counts['most_targets']}); {counts['num_source_symbols']:,} source symbols (longest "
            f"{counts['longest_source']}), {counts['num_target_symbols']:,} target symbols (longest {counts['longest_target']})"
        )
    for name, counts in found["parts"].items():
        for side, unknown in counts["unknown"].items():
            if unknown:
                several = ", ".join(map(ascii, list(unknown)[:5])) + (", ..." if len(unknown) > 5 else "")
                lines.append(f"{side} symbols of {name} that train lacks: {sum(unknown.values()):,} ({several})")
    shared = found["overlap"]
    lines.append(
        f"sources in two parts: train and val {shared['train_val']:,}, train and test {shared['train_test']:,} "
        f"(left out of training), val and test {shared['val_test']:,}"
    )
    if found["num_unicode_twins"]:
        lines.append(
            f"sources equal to another but for Unicode form (NFC, NFD): {found['num_unicode_twins']:,}; choose one form"
        )
    return "\n".join(lines)


def inspection_message(found: dict[str, Any], paths: list[Path]) -> str:
    """What `explain` prints: each image with every network's answer, the measured faithfulness, and where the pictures are."""
    networks = found["networks"]
    rows = [["", "truth", *(network["name"] for network in networks)]]
    for place, image in enumerate(found["images"]):
        answers = [_answer(network, place, image["label"]) for network in networks]
        rows.append([image["name"], image["label"] or "unknown", *answers])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for network in networks:
        lines += _faithfulness_lines(network)
    lines += [f"note: {note}" for note in found["notes"]]
    return "\n".join(
        [*lines, f"{len(paths) - 1} pictures and explain.json in {paths[0].parent}: start with {paths[0].name}"]
    )


def _answer(network: dict[str, Any], place: int, label: str | None) -> str:
    from fittingroom.report.numbers import probability

    answer, share = network["predicted"][place], max(network["probs"][place])
    mark = "" if label is None else " right" if answer == label else " WRONG"
    return f"{answer} {probability(share)}{mark}"


def _faithfulness_lines(network: dict[str, Any]) -> list[str]:
    """One line per method, if measured: does it beat random maps?"""
    from fittingroom.explain.findings import faithfulness_of

    lines = []
    for method, score in faithfulness_of(network).get("scores", {}).items():
        if method != "random":
            parts = [f"{name} {_interval(score[f'{name}_minus_random'])}" for name in ("deletion", "insertion")]
            verdict = "better than random" if score["beats_random"] else "NOT shown better than random"
            lines.append(
                f"{network['name']}, {method}: {verdict} on {score['num_images']:,} images; {', '.join(parts)}"
            )
    return lines


def _interval(score: dict[str, Any]) -> str:
    return f"{score['mean']:+.3f} ({score['low']:+.3f} to {score['high']:+.3f})"


def _counts(counts: dict[str, int]) -> str:
    if len(set(counts.values())) == 1:
        return f"{sum(counts.values()):,}, {next(iter(counts.values())):,} of each of {len(counts)} classes"
    return f"{sum(counts.values()):,}: " + ", ".join(f"{name} {count:,}" for name, count in counts.items())
