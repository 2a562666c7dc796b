"""The table and the figure of accuracy against compute, from results/frontier/ and results/ladder/."""

from collections import defaultdict
from pathlib import Path
from statistics import fmean
from typing import Any

from fittingroom.core.records import read_state
from fittingroom.core.rundir import read_json
from fittingroom.recipes.budget import TRAINING, Images
from fittingroom.recipes.sizes import SIZED, SIZES

ROOT = Path(__file__).parents[1]
POINTS, LADDER = ROOT / "results" / "frontier" / "points.json", ROOT / "results" / "ladder"
FIGURE = ROOT / "docs" / "frontier.svg"


def records() -> list[dict[str, Any]]:
    """The points on record."""
    return read_json(POINTS)["points"] if POINTS.exists() else []


def curves() -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Family -> size -> (compute, mean validation accuracy in percent), with the runs of the ladder as size base."""
    found: dict[tuple[str, str, float], list[float]] = defaultdict(list)
    for each in records():
        found[each["family"], each["size"], each["compute"]].append(100 * each["val_accuracy"])
    for path in LADDER.glob("*/state.json"):
        state = read_state(path.parent)
        family, rung = path.parent.name.split("-")[0].split("_")
        compute = TRAINING * (state.num_macs or 0) * int(rung) * Images().num_train
        found[family, "base", compute].append(100 * state.evals["val"]["accuracy"])
    lines: dict[str, dict[str, list[tuple[float, float]]]] = defaultdict(lambda: defaultdict(list))
    for (family, size, compute), values in sorted(found.items()):
        lines[family][size].append((compute, fmean(values)))
    return lines


def table() -> str:
    """One row per compute: validation accuracy of each size, the best in bold, and the number of seeds if over 1."""
    found: dict[tuple[float, str, str], list[float]] = defaultdict(list)
    for each in records():
        found[each["compute"], each["family"], each["size"]].append(100 * each["val_accuracy"])
    lines = ["| multiply-adds of training | CNN | Hybrid | ViT |", "|---:|---|---|---|"]
    for compute in sorted({key[0] for key in found}):
        cells = [
            _cell({size: found[compute, family, size] for size in SIZES if (compute, family, size) in found})
            for family in SIZED
        ]
        lines.append(f"| {compute / 1e12:g} T | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(sizes: dict[str, list[float]]) -> str:
    best = max(sizes, key=lambda size: fmean(sizes[size]), default="")
    texts = []
    for size, values in sizes.items():
        text = f"{size} {fmean(values):.2f}" + (f" ({len(values)})" if len(values) > 1 else "")
        texts.append(f"**{text}**" if size == best else text)
    return ", ".join(texts)


def draw() -> None:
    """Accuracy against compute: one panel per family, one line per size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, len(SIZED), sharey=True, sharex=True)
    for axes, (family, title) in zip(panels, (("cnn", "CNN"), ("hybrid", "Hybrid"), ("vit", "ViT")), strict=True):
        for size, points in curves()[family].items():
            axes.plot(*zip(*sorted(points), strict=True), marker="o", markersize=3, linewidth=1, label=size)
        axes.set(xscale="log", title=title, xlabel="multiply-adds of training")
        axes.legend(fontsize=7, frameon=False, loc="lower right")
        axes.grid(alpha=0.3, linewidth=0.5)
    panels[0].set_ylabel("validation accuracy (%)")
    figure.savefig(FIGURE, metadata={"Date": None})
