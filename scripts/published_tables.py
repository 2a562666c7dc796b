"""Write the published tables into README.md and docs/ from the raw records in results/; `--check` only compares.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; nobody types its numbers.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import speed_tables

from fittingroom.report.tables import markdown_table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = (ROOT / "README.md", *(ROOT / "docs" / name for name in ("results.md", "looking-inside.md", "benchmarks.md")))
FAITHFULNESS = ROOT / "src" / "fittingroom" / "weights" / "faithfulness.json"
PLACE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
ORDER = ("cnn", "hybrid", "vit", "vit_cls")


def read(path: Path) -> Any:
    """A record."""
    return json.loads(path.read_text())


def quick() -> str:
    """What `make compare` printed: verdict, then table."""
    summary = read(RESULTS / "quick" / "summary.json")
    return f"> {summary['verdict']}\n\n{markdown_table(summary)}"


def five_epochs() -> str:
    """One line a run of `fittingroom train MODEL --epochs 5 --seed 0`."""
    lines = [
        "| model | parameters | multiply-adds | test % | validation % | training s | images/s |",
        "|---|" + "---:|" * 6,
    ]
    for model in ORDER:
        row = read(RESULTS / "five-epochs" / model / "state.json")
        lines.append(
            f"| {model} | {row['num_params']:,} | {row['num_macs'] / 1e6:.1f} M | {100 * row['test_accuracy']:.2f} | "
            f"{100 * row['val_accuracy']:.2f} | {row['train_seconds']:.0f} | {row['images_per_second']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def trials() -> str:
    """One line a trial of the search for recipes."""
    lines = [
        "| model | shape | epochs | batch | optimizer | Muon rate | AdamW rate | validation % |",
        "|---|---|---:|---:|---|---:|---:|---:|",
    ]
    for trial in read(RESULTS / "trials.json")["trials"]:
        rate = "" if trial["optimizer"] == "adamw" else f"{trial['muon_lr']:g}"
        lines.append(
            f"| {trial['model']} | {trial['shape']} | {trial['epochs']:g} | {trial['batch_size']} | {trial['optimizer']} | "
            f"{rate} | {trial['lr']:g} | {100 * trial['val_accuracy']:.2f} |"
        )
    return "\n".join(lines) + "\n"


def faithfulness() -> str:
    """One line a network and method: areas, what they gain on random maps, and how much of the map forgetting leaves."""
    lines = [
        "| network | method | deletion area | insertion area | deletion − random | insertion − random | beats random "
        "| correlation, head shuffled | correlation, all shuffled |",
        "|---|---|" + "---:|" * 4 + "---|" + "---:|" * 2,
    ]
    for network in read(RESULTS / "explain" / "explain.json")["networks"]:
        proof = network["proof"]
        for method, score in proof["faithfulness"].items():
            areas = " | ".join(_interval(score[name]) for name in ("deletion", "insertion"))
            line = f"| {network['name']} | {method} | {areas} | "
            if method == "random":
                lines.append(f"{line}| | | | |")
                continue
            gains = " | ".join(_interval(score[f"{name}_minus_random"], "+") for name in ("deletion", "insertion"))
            kept = proof["rank_correlations"][method]
            verdict = "yes" if score["beats_random"] else "**no**"
            lines.append(f"{line}{gains} | {verdict} | {kept[0]:.2f} | {kept[-1]:.2f} |")
    return "\n".join(lines) + "\n"


def _interval(score: dict[str, float], sign: str = "") -> str:
    return f"{score['mean']:{sign}.3f} ({score['low']:{sign}.3f} to {score['high']:{sign}.3f})"


def positions() -> str:
    """One line a network: what its positions know of neighbours, and of mirror images."""
    lines = [
        "| network | positions | nearest is a neighbour | by chance | nearest is the mirror image | neighbour, mirror images "
        "as one | by chance |",
        "|---|---|" + "---:|" * 5,
    ]
    known = {each["name"]: each for each in read(RESULTS / "explain" / "explain.json")["networks"]}
    (unflipped,) = read(RESULTS / "explain" / "no-flip" / "explain.json")["networks"]
    known["vit_cls trained without flips"] = unflipped
    for name, network in known.items():
        if "positions" in network:
            found = network["positions"]
            keys = ("neighbours", "chance", "mirrored", "neighbours_folded", "chance_folded")
            shares = " | ".join(f"{100 * found[key]:.0f} %" for key in keys)
            lines.append(f"| {name} | {found['kind']} | {shares} |")
    return "\n".join(lines) + "\n"


def explaining() -> str:
    """One line a network and method: seconds for one image, images a second for 1,000."""
    lines = ["| network | method | one image, ms | 1,000 images, images/s |", "|---|---|---:|---:|"]
    for row in read(RESULTS / "bench" / "explaining.json")["rows"]:
        lines.append(
            f"| {row['network']} | {row['method']} | {1000 * row['one_image_seconds']:.0f} | {row['images_per_second']:.0f} |"
        )
    return "\n".join(lines) + "\n"


def shipped_faithfulness() -> str:
    """`weights/faithfulness.json`: of each shipped network which methods beat random maps, for their captions."""
    networks = read(RESULTS / "explain" / "explain.json")["networks"]
    found = {
        network["name"]: {method: score["beats_random"] for method, score in network["proof"]["faithfulness"].items()}
        for network in networks
    }
    return json.dumps(found, indent=2) + "\n"


TABLES: dict[str, Callable[[], str]] = {
    "quick": quick, "five-epochs": five_epochs, "trials": trials,
    "faithfulness": faithfulness, "positions": positions, "explaining": explaining, **speed_tables.TABLES,
}  # fmt: skip


def filled(text: str) -> str:
    """The page with each table made anew."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}{place[3]}", text)


def main(check: bool) -> int:
    """Exit code 1 where `check` finds a page that differs from the records."""
    wanted = {page: filled(page.read_text()) for page in PAGES} | {FAITHFULNESS: shipped_faithfulness()}
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.name} differs from results/: run make tables", file=sys.stderr)
        else:
            path.write_text(wanted[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
