"""Format results as text for a terminal."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fittingroom.cli.text_width import padded, text_width
from fittingroom.core.text import epochs_text

if TYPE_CHECKING:
    from fittingroom.core.records import RunState
    from fittingroom.tasks.scoring import Scoring


def flat(state: "RunState") -> dict[str, Any]:
    """The state of a run as a flat dictionary for `--json`: `val_accuracy`, `images_per_second`, ..."""
    from fittingroom.tasks.scoring import SCORINGS

    keys = ("run", "task", "model", "seed", "status", "error", "epochs", "steps", "best_step", "train_seconds")
    costs = ("peak_memory_bytes", "config_hash", "num_params", "num_macs")
    row = {key: getattr(state, key) for key in (*keys, *costs)}
    if state.task in SCORINGS.names():
        scoring = SCORINGS.get(state.task)
        row[f"{scoring.batch_items}_per_second"] = state.items_per_second
        for split in ("val", "test"):
            found = state.evals.get(split, {})
            row |= {f"{split}_{metric.name}": found.get(metric.name) for metric in scoring.metrics}
    return {**row, **state.extras}


def finished_text(state: "RunState", folder: Path, *, test_wanted: bool) -> str:
    """What is said instead of training a finished run again."""
    hint = ""
    if test_wanted and state.evals and "test" not in state.evals:
        hint = f". It was sealed: fittingroom evaluate {shlex.quote(str(folder))} --split test scores it"
    return f"{folder}: already finished, nothing trained{hint}"


def run_text(state: "RunState", folder: Path) -> str:
    """The final output of `train`."""
    from fittingroom.tasks.scoring import SCORINGS

    scoring = SCORINGS.get(state.task)
    test = f"test {scoring.items} sealed"
    if "test" in state.evals:
        test = f"test {_scores(state.evals['test'], scoring)}{_shares(state.extras, scoring)}{_unknown(state.extras)}"
    best = "" if state.best_step is None else f" with the weights of step {state.best_step:,}, the best"
    seconds, speed = state.train_seconds or 0, state.items_per_second or 0
    memory = f", {state.peak_memory_bytes / 1e9:.1f} GB" if state.peak_memory_bytes else ""
    return (
        f"{state.run}: {test}; validation {_scores(state.evals['val'], scoring)} after {epochs_text(state.epochs or 0)}{best} "
        f"and {seconds:.0f} s ({speed:.0f} {scoring.batch_items}/s{memory})\n{folder}"
    )


def score_text(run: str, split: str, scores: dict[str, float], num_items: int, scoring: "Scoring[Any]") -> str:
    """The output of `evaluate`."""
    found = f"{_scores(scores, scoring)}{_shares(scores, scoring)}"
    return f"{run}: {split} {found} on {num_items:,} {scoring.items}{_unknown(scores)}"


def _scores(found: dict[str, float], scoring: "Scoring[Any]") -> str:
    """'accuracy 92.13 %', or 'word error rate 12.30 %, phoneme error rate 3.10 %'."""
    return ", ".join(f"{m.title} {m.scale * found[m.name]:.2f} {m.unit}".rstrip() for m in scoring.metrics)


def _shares(extras: dict[str, float], scoring: "Scoring[Any]") -> str:
    """', balanced accuracy 81.20 %, macro F1 79.90 %', where the classes are unbalanced."""
    names = [column.key for column in scoring.extras if column.is_share and column.key in extras]
    return "".join(f", {name.replace('_f1', ' F1').replace('_', ' ')} {100 * extras[name]:.2f} %" for name in names)


def _unknown(extras: dict[str, float]) -> str:
    counts = (("num_unknown", "unknown symbols"), ("num_read_as_known", "words read with look-alike symbols"))
    found = [f"{extras[key]:,.0f} {text}" for key, text in counts if extras.get(key)]
    return f" ({', '.join(found)})" if found else ""


def data_words(found: dict[str, Any]) -> str:
    """The output of `data check` for images."""
    lines = [f"{found['name']} in {found['folder']}"]
    for file in found["files"]:
        shape = " x ".join(map(str, file["shape"] or []))
        lines.append(f"  {Path(file['path']).name}: {file['problem'] or f'checksum correct, {shape}'}")
    if not found["ok"]:
        return "\n".join([*lines, "some files are damaged or missing: replace them"])
    for part, counts in found["class_counts"].items():
        lines.append(f"{part} images: {_counts(counts)}")
    copies = found["duplicates"]
    shared = copies["train_in_test"]
    lines += [
        f"exact copies within train: {copies['within_train']['num_copies']}, within test: {copies['within_test']['num_copies']}",
        f"train images that are also in test: {shared['num_train_images']} (left out of training)",
    ]
    return "\n".join(lines)


def pair_words(found: dict[str, Any]) -> str:
    """The output of `data check` for pairs."""
    stress = {None: "", "strip": ", stress stripped", "keep": ", stress kept"}[found["stress"]]
    lines = [f"{found['name']} ({', '.join(found['files'])}){stress}: {found['num_lines']:,} lines"]
    lines += [f"dropped: {count:,} lines, {reason}" for reason, count in found["dropped"].items()]
    lines.append(f"merged: {found['num_merged']:,} lines that repeat a source with the same target")
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
                lines.append(f"{side} symbols of {name} that are not in train: {sum(unknown.values()):,} ({several})")
    shared = found["overlap"]
    lines.append(
        f"sources in two parts: train and val {shared['train_val']:,}, train and test {shared['train_test']:,} "
        f"(left out of training), val and test {shared['val_test']:,}"
    )
    if found["num_unicode_twins"]:
        lines.append(
            f"sources that differ only in Unicode form (NFC, NFD): {found['num_unicode_twins']:,}; choose one form"
        )
    lines += [f"hint: {hint}" for hint in found["hints"]]
    return "\n".join(lines)


def inspection_message(found: dict[str, Any], paths: list[Path]) -> str:
    """The output of `explain`: each image with the answers of all networks, the faithfulness scores and the folder."""
    networks = found["networks"]
    rows = [["", "truth", *(network["name"] for network in networks)]]
    for place, image in enumerate(found["images"]):
        answers = [_answer(network, place, image["label"]) for network in networks]
        rows.append([image["name"], image["label"] or "unknown", *answers])
    widths = [max(text_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(padded(word, width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
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
    """For each measured method, a line that says whether it beats random maps."""
    from fittingroom.explain.findings import faithfulness_of

    lines = []
    for method, score in faithfulness_of(network).get("scores", {}).items():
        if method != "random":
            parts = [f"{name} {_interval(score[f'{name}_minus_random'])}" for name in ("deletion", "insertion")]
            verdict = "better than random" if score["beats_random"] else "NOT shown to be better than random"
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
