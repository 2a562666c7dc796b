"""Draw the figure of docs/lab/benchmarks.md from the record: `python -m lab.benchmarks.speed_figure`."""

from pathlib import Path
from typing import Any

from fittingroom.core.rundir import read_json
from fittingroom.report.inspection.style import MARGIN, WIDTH, drawing, place, save, sheet, wrapped, write
from fittingroom.report.palette import LIGHT
from lab.benchmarks.contenders import LIBRARIES
from lab.benchmarks.targets import AS_IT_COMES, BATCH, FLOPS_INFERENCE, FLOPS_TRAINING, ideal_seconds, our_seconds

ROOT = Path(__file__).parents[2]
BAR, LEFT, TOP, GAP = 0.24, 2.15, 0.62, 0.5
"""Sizes in inches: a bar with its gap, the space left of the bars, above them, and between the panels."""
PARTS = (("train", "training", FLOPS_TRAINING), ("predict", "inference", FLOPS_INFERENCE))


def bars(record: dict[str, Any], what: str) -> list[tuple[str, float, str]]:
    """(label, images per second, colour) at batch 128: ours, then each library with its best setting and its defaults.

    A peer's rate is ours divided by the ratio of times. Ratios were measured in turns; absolute times of different races are
    not comparable.
    """
    ours = BATCH / our_seconds(record, what)
    found = [("fittingroom", ours, LIGHT["accent"])]
    for library, title in LIBRARIES.items():
        rows = record["races"].get(library, {"rows": []})["rows"]
        ran = [row for row in rows if row["library"] == library and not row["error"]]
        if not ran:
            continue
        best = min(ran, key=lambda row: row[what]["ratio"])
        found.append((f"{title}, tuned", ours / best[what]["ratio"], LIGHT["series-7"]))
        plain = [row for row in ran if row["setting"] == AS_IT_COMES and row is not best]
        found += [(f"{title}, as it comes", ours / row[what]["ratio"], LIGHT["rule"]) for row in plain]
    return found


def draw(record: dict[str, Any], path: Path) -> None:
    """Two panels of bars. A dashed line marks the speed of the matrix products alone on this machine."""
    panels = [(title, bars(record, what), flops) for what, title, flops in PARTS]
    caption = wrapped(
        "Batch 128, all in one run, in turns. Tuned: the fastest of bf16, compiled and explicit attention. Dashed: nothing but "
        "the matrix products, at the best speed measured on this machine."
    )
    height = TOP + sum(BAR * len(each) + GAP for _, each, _ in panels) + 0.19 * len(caption) - 0.2
    with drawing():
        figure = sheet(height)
        name = "A ViT of 2.7 million parameters, images a second"
        write(figure, MARGIN, 0.12, name + (" (a smoke run)" if record["quick"] else ""), fontsize=11.0, weight="bold")
        top = TOP
        for title, found, flops in panels:
            ideal = BATCH / ideal_seconds(record, record["profile"]["vit"]["num_macs"], flops)
            write(figure, MARGIN, top - 0.22, title, color=LIGHT["quiet"])
            _panel(place(figure, LEFT, top, WIDTH - LEFT - 0.55, BAR * len(found)), found, ideal)
            top += BAR * len(found) + GAP
        for line in caption:
            write(figure, MARGIN, top - 0.3, line, color=LIGHT["quiet"], fontsize=9.0)
            top += 0.19
        save(figure, path.parent, path.stem, ("png",))


def _panel(axes: Any, found: list[tuple[str, float, str]], ideal: float) -> None:
    places = range(len(found))
    axes.barh(places, [rate for _, rate, _ in found], height=0.72, color=[colour for _, _, colour in found])
    for position, (_, rate, _) in enumerate(found):
        axes.text(rate, position, f" {rate:,.0f}", va="center", fontsize=9.0, color=LIGHT["ink"])
    axes.axvline(ideal, color=LIGHT["quiet"], linestyle="--", linewidth=1.0)
    axes.text(ideal, -0.62, f"{ideal:,.0f}", ha="center", va="bottom", fontsize=9.0, color=LIGHT["quiet"])
    axes.set_yticks(list(places), [label for label, _, _ in found])
    axes.set_xlim(0, 1.05 * max(ideal, *(rate for _, rate, _ in found)))
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.set_xticks([])
    axes.tick_params(left=False)
    for spine in axes.spines.values():
        spine.set_visible(False)


if __name__ == "__main__":
    RECORD = ROOT / "results" / "bench" / "speed.json"
    draw(read_json(RECORD), RECORD.with_suffix(".png"))
