"""The tables of docs/lab/benchmarks.md from results/bench/speed.json, for `published_tables.py`."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RECORD = Path(__file__).parents[1] / "results" / "bench" / "speed.json"
LIBRARIES = ("timm", "transformers", "torchvision", "vit-pytorch")


def read() -> dict[str, Any]:
    """The record."""
    return json.loads(RECORD.read_text())


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A Markdown table. The first `words` columns are text, the others numbers."""
    marks = ["---"] * words + ["---:"] * (len(head) - words)
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join(marks)}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def times(found: dict[str, Any]) -> str:
    """A ratio with its lowest and highest round."""
    return f"{found['ratio']:.2f} ({found['ratio_low']:.2f} to {found['ratio_high']:.2f})"


def machine() -> str:
    """A sentence about the machine and the run, with a warning if the record is a smoke run."""
    record = read()
    found = record["machine"]
    warning = "**A smoke run on a machine that was busy: its numbers mean nothing.** " if record["quick"] else ""
    versions = {
        row["library"]: row["version"]
        for race in record["races"].values()
        for row in race["rows"]
        if "version" in row
    }  # fmt: skip
    peers = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"> {warning}{found['processor']}, {found['instructions']}, {found['threads']} threads of {found['cores']} cores, "
        f"torch {found['torch']}, {peers}; {record['started'][:10]}, {record['seconds'] / 60:.0f} minutes.\n"
    )


def targets() -> str:
    """One row per target: measured value, met or not, and two upper limits of this machine."""
    limits = ("limit", "limit_in_our_step")
    rows = []
    for row in read()["targets"]:
        if row["measured"] is None:
            rows.append([row["what"], f"{row['target']:g} ×", "failed", "**no**", "", ""])
            continue
        met = "yes" if row["met"] else "**no**"
        spread = f"{row['measured']:.2f} × ({row['low']:.2f} to {row['high']:.2f})"
        rows.append(
            [
                f"{row['what']} ({row['against']})",
                f"{row['target']:g} ×",
                spread,
                met,
                *(f"{row[key]:.1f} ×" for key in limits),
            ]
        )
    head = (
        "ratio of speeds (against)", "target", "measured (lowest to highest round)", "met", "at most, products at the peak",
        "at most, products as in our step",
    )  # fmt: skip
    return table(head, rows)


def libraries(what: str) -> str:
    """One row per library and setting, ours first in each race."""
    record = read()
    rows = []
    for library in LIBRARIES:
        for row in record["races"].get(library, {"rows": []})["rows"]:
            rows.append(_line(row, what))
    batch = record["races"]["batch 256"]["rows"] if what == "train" else []
    rows += [_line({**row, "name": f"{row['name']}, batch 256"}, what) for row in batch]
    head = [
        "network and setting",
        "images/s",
        "time, ours = 1 (lowest to highest round)",
        "parameters",
        "peak memory, MB",
    ]
    # Memory was read after training, so it does not belong to inference.
    return table(head, rows) if what == "train" else table(head[:-1], [row[:-1] for row in rows])


def _line(row: dict[str, Any], what: str) -> list[str]:
    if row["error"]:
        return [row["name"], "failed", row["error"].replace("|", "/"), "", ""]
    setting = (
        row["setting"].removesuffix(", compiled") if what == "predict" else row["setting"]
    )  # evaluation never compiles
    name = f"**{row['name']}**, {setting}" if row["library"] == "ours" else row["name"]
    rate = row["batch_size"] / row[what]["median_seconds"]
    return [name, f"{rate:.0f}", times(row[what]), f"{row['num_params']:,}", f"{row['peak_memory_bytes'] / 1e6:.0f}"]


def race(name: str) -> Callable[[], str]:
    """The training rows of one race."""

    def lines() -> str:
        rows = [_line(row, "train") for row in read()["races"][name]["rows"]]
        head = (
            "setting",
            "images/s",
            "time, first line = 1 (lowest to highest round)",
            "parameters",
            "peak memory, MB",
        )
        return table(head, rows)

    return lines


def epoch() -> str:
    """Seconds of an epoch for both sides."""
    found = read()["races"]["epoch"]
    rows = []
    for row in found["rows"]:
        name = "`fit`" if row["library"] == "fit" else "the usual script"
        if row["error"]:
            rows.append([name, "failed", row["error"], ""])
            continue
        seconds = row["train"]["median_seconds"]
        rows.append([name, f"{seconds:.1f}", f"{found['images'] / seconds:.0f}", times(row["train"])])
    return table((f"an epoch of {found['images']:,} images", "seconds", "images/s", "time, `fit` = 1"), rows)


def ceiling() -> str:
    """Peak speeds of the machine, and the share that a step uses."""
    record = read()
    found, best = record["ceiling"], record["ceiling"]["best_gflops"]
    rows = [[f"matrix product, {name}", *(f"{found['gflops'][each][name]:.0f}" for each in best)] for name in
            found["gflops"]["fp32"]]  # fmt: skip
    text = table(("Gflop/s", *best), rows)
    return f"{text}\nA copy reads and writes {found['copy_gigabytes_per_second']:.0f} GB/s together.\n"


def arithmetic() -> str:
    """Flop of a step at batch 128, the least seconds for its matrix products, and the measured seconds."""
    record = read()
    peak = max(record["ceiling"]["best_gflops"].values())
    rows = []
    for model, races in (("vit", ("ours", *LIBRARIES)), ("cnn", ("cnn",))):
        gflop = 6 * 128 * record["profile"][model]["num_macs"] / 1e9
        found = sorted(
            record["races"][name]["rows"][0]["train"]["median_seconds"] for name in races if name in record["races"]
        )
        seconds = found[len(found) // 2]
        rows.append(
            [
                model,
                f"{gflop:.1f}",
                f"{1000 * gflop / peak:.0f}",
                f"{1000 * seconds:.0f}",
                f"{100 * gflop / peak / seconds:.0f} %",
            ]
        )
    head = ("model", "Gflop a step", "ms at the best product's speed", "ms measured", "share of the peak")
    return table(head, rows)


def profile() -> str:
    """Share of the time in torch's operators, by kind of work."""
    found = read()["profile"]
    kinds = list(found["vit"]["shares"])
    kinds += [kind for kind in found["cnn"]["shares"] if kind not in kinds]
    rows = [[kind, *(f"{100 * found[model]['shares'].get(kind, 0):.0f} %" for model in found)] for kind in kinds]
    return table(("work", *found), rows)


def growth() -> str:
    """Our step as one quantity grows; the others stay at batch 128, depth 6, 49 tokens."""
    rows = []
    for what, lines in read()["growth"].items():
        for row in lines:
            ms = "failed" if row["error"] else f"{1000 * row['train']['median_seconds'] / row['batch_size']:.2f}"
            memory = "" if row["error"] else f"{row['peak_memory_bytes'] / 1e6:.0f}"
            rows.append([f"{what} {row['size']}", ms, memory])
    return table(("grown", "ms an image", "peak memory, MB"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "speed-machine": machine,
    "speed-targets": targets,
    "speed-training": lambda: libraries("train"),
    "speed-inference": lambda: libraries("predict"),
    "speed-ours": race("ours"),
    "speed-cnn": race("cnn"),
    "speed-epoch": epoch,
    "speed-ceiling": ceiling,
    "speed-arithmetic": arithmetic,
    "speed-profile": profile,
    "speed-growth": growth,
}
