"""Write the published tables into README.md and docs/results.md from the raw records in results/; `--check` only compares.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; nobody types its numbers.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fittingroom.report.tables import markdown_table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
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


TABLES: dict[str, Callable[[], str]] = {"quick": quick, "five-epochs": five_epochs, "trials": trials}


def filled(text: str) -> str:
    """The page with each table made anew."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}{place[3]}", text)


def main(check: bool) -> int:
    """Exit code 1 where `check` finds a page that differs from the records."""
    stale = [page for page in PAGES if page.read_text() != filled(page.read_text())]
    for page in stale:
        if check:
            print(f"{page.name} differs from results/: run make tables", file=sys.stderr)
        else:
            page.write_text(filled(page.read_text()))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
