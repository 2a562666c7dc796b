"""Write the published tables into README.md and docs/ from the raw records in results/. `--check` only compares.

A table is between `<!-- table: NAME -->` and `<!-- end -->`. All its numbers come from the records.
"""

import json
import re
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from fittingroom.comparison.mixture import mixture
from fittingroom.comparison.protocol import Budget
from fittingroom.comparison.summary import read_runs, summarise, summarise_runs
from fittingroom.core.records import RunRow, RunState, Summary, read_comparison, read_record, read_state
from fittingroom.core.upgrade import upgrade_summary
from fittingroom.evaluation.time_to_accuracy import finished_runs, milestone_lines, milestones
from fittingroom.explain.findings import faithfulness_of
from lab import cifar_tables, claims_tables, frontier_tables, guard_tables, model_cards, sequence_tables, speed_tables

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "your-images.md",
    ROOT / "docs" / "sequences.md",
    ROOT / "docs" / "speed.md",
    ROOT / "docs" / "fair-comparison.md",
    ROOT / "docs" / "statistics.md",
    *(
        ROOT / "docs" / "lab" / name
        for name in ("results.md", "records.md", "looking-inside.md", "benchmarks.md", "sequences.md", "coverage.md")
    ),
    ROOT / "docs" / "lecture" / "claims.md",
)
WEIGHTS = ROOT / "src" / "fittingroom" / "weights"
FAITHFULNESS = WEIGHTS / "faithfulness.json"
PLACE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
FAMILIES = ("cnn", "hybrid", "vit")
SHIPPED = (*FAMILIES, "vit_cls")
LADDER = RESULTS / "ladder"
SEEDS = 3  # of a rung that is done
RECIPES = ROOT / "src" / "fittingroom" / "recipes" / "ladder.py"
RECORDED = re.compile(
    r'(def (\w+)\(\) -> ClassificationConfig:\n    """(?:(?!""").)*?\n    Recorded: )[^\n]*', re.DOTALL
)
TARGETS = {  # test accuracy in percent that issue 3 asks for
    5: {"cnn": 93.8, "hybrid": 92.5, "vit": 90.0},
    20: {"cnn": 94.8, "hybrid": 94.2, "vit": 92.8},
    50: {"cnn": 95.3, "hybrid": 95.0, "vit": 94.0},
}
ATTEMPTS = {
    "base": "as it was: convolutions of stride 2, blocks 0-1-2",
    "gelu": "GELU in place of ReLU (the code was not kept)",
    "pool": "max-pooling after the convolution in place of stride 2",
    "pool011": "max-pooling, blocks 0-1-1",
    "hybrid-base": "as it was: convolutions of stride 2",
    "hybrid-pool": "max-pooling after the convolution in place of stride 2",
    "vit-base": "as it was: 4 heads, batches of 128",
    "vit-zero": "the last projection of each branch starts at zero (the code was not kept)",
    "vit-spt": "shifted patch tokenization, arXiv 2112.13492 (the code was not kept)",
    "vit-heads8": "8 heads in place of 4",
    "vit-64": "batches of 64, Muon at 0.005, AdamW at 0.002",
    "vit-64-heads8": "8 heads; batches of 64, Muon at 0.005, AdamW at 0.002",
}
EARLIER = {
    "cnn_5": "stride 2",
    "hybrid_5": "stride 2",
    "hybrid_20": "stride 2",
    "vit_5": "4 heads, batches of 128",
}
PEERS = {
    5: "fast.ai 93.4",
    20: "fast.ai 94.3",
    50: "fast.ai 94.9; after 300 epochs: CCT-2 94.08, ResNet-20 95.18",
}


def read(path: Path) -> Any:
    """A record."""
    return json.loads(path.read_text())


def quick() -> str:
    """The output of `make compare`: verdict, then table."""
    return sequence_tables.printed(summarise(RESULTS / "quick"))


def summary_file(name: str) -> Summary:
    """An earlier summary of the quick comparison, kept under another name."""
    path = RESULTS / "quick" / name
    return read_record(Summary, upgrade_summary(read(path)), path)


def shipped_networks() -> str:
    """One row per included image network."""
    lines = [
        "| network | run | parameters | multiply-adds | validation % | as stored, in half precision | test % |",
        "|---|---|" + "---:|" * 5,
    ]
    for name in SHIPPED:
        state = read_state(WEIGHTS / name)
        half = state.extras["half_precision_val_accuracy"]
        scores = " | ".join(f"{100 * each:.2f}" for each in (accuracy(state, "val"), half, accuracy(state, "test")))
        card = f"[{name}](../../src/fittingroom/weights/{name}/README.md)"
        size = f"{state.num_params:,} | {(state.num_macs or 0) / 1e6:.1f} M"
        lines.append(f"| {card} | {model_cards.run_of(name).name} | {size} | {scores} |")
    return "\n".join(lines) + "\n"


def of_recipe(name: str, records: Path = LADDER) -> list[RunState]:
    """The states of a recipe's runs, seed 0 first; empty if there is no record yet."""
    return [read_state(path.parent) for path in sorted(records.glob(f"{name}-seed*/state.json"))]


def accuracy(state: RunState, split: str) -> float:
    """The accuracy of a finished run."""
    return state.evals[split]["accuracy"]


def percent(values: list[float]) -> str:
    """The mean, with the standard deviation if there are several values."""
    mean = f"{100 * statistics.fmean(values):.2f}"
    return f"{mean} ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else mean


def minutes(name: str) -> str:
    """Median minutes of a recipe's runs in each precision. Processors without bf16 take about twice as long."""
    taken: dict[str, list[float]] = {}
    for path in sorted(LADDER.glob(f"{name}-seed*")):
        precision = read(path / "environment.json")["plan"]["precision"]
        taken.setdefault(precision, []).append((read_state(path).train_seconds or 0) / 60)
    return ", ".join(f"{statistics.median(each):.0f} in {precision}" for precision, each in sorted(taken.items()))


def ladder() -> str:
    """One row per rung and family, with test accuracy and its target."""
    lines = [
        "| epochs | model | test % | seeds | target | validation % | minutes per run |",
        "|---:|---|---:|---:|---:|---:|---|",
    ]
    for rung, targets in TARGETS.items():
        for model, target in targets.items():
            rows = of_recipe(f"{model}_{rung}")
            if not rows:
                continue
            test, val = ([accuracy(row, split) for row in rows] for split in ("test", "val"))
            cells = [
                rung,
                model,
                percent(test),
                len(rows),
                target,
                percent(val),
                minutes(f"{model}_{rung}"),
            ]
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def rungs() -> str:
    """One row per rung with records: test accuracy of each family, the number of seeds in brackets."""
    lines = ["| epochs | CNN | Hybrid | ViT | elsewhere |", "|---:|---:|---:|---:|---|"]
    for rung, targets in TARGETS.items():
        found = [[accuracy(row, "test") for row in of_recipe(f"{model}_{rung}")] for model in targets]
        if any(found):
            cells = [f"{percent(values)} ({len(values)})" if values else "" for values in found]
            lines.append(f"| {rung} | {' | '.join(cells)} | {PEERS[rung]} |")
    return "\n".join(lines) + "\n"


def rung_verdicts() -> str:
    """The verdict on each rung's runs, with the statistics of `compare`. Omits rungs where a family lacks seeds."""
    record = read_comparison(RESULTS / "quick")
    sentences = []
    for rung, targets in TARGETS.items():
        if any(len(of_recipe(f"{model}_{rung}")) < SEEDS for model in targets):
            continue
        paths = [path for model in targets for path in sorted(LADDER.glob(f"{model}_{rung}-seed*"))]
        runs = tuple(run_row(path) for path in paths)
        rung_record = replace(record, budget=Budget(epochs=rung).record, seeds=tuple(range(SEEDS)), runs=runs)
        summary = summarise_runs(rung_record, read_runs(ROOT, rung_record), mixture(ROOT, rung_record))
        sentences.append(f"> {summary.verdict}\n")
    return "\n".join(sentences)


def run_row(folder: Path) -> RunRow:
    """A run as a row of a comparison with one candidate per model."""
    state = read_state(folder)
    shared = ("run", "seed", "status", "steps", "epochs", "train_seconds", "num_params", "num_macs", "evals")
    return RunRow(folder=str(folder), candidate=state.model, **{name: getattr(state, name) for name in shared})


def records() -> str:
    """Median seconds to each validation accuracy, for each model and length of the ladder."""
    head, *rows = milestone_lines(milestones(finished_runs(LADDER)))
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def search() -> str:
    """The three best trials of each family's search; the others are in results/search/."""
    lines = [
        "| model | shape | batch | Muon rate | label smoothing | chosen by | validation % |",
        "|---|---|---:|---:|---:|---|---:|",
    ]
    for model in FAMILIES:
        for trial in read(RESULTS / "search" / f"{model}.json")["trials"][:3]:
            lines.append(
                f"| {model} | {trial['shape']} | {trial['batch_size']} | {trial['muon_lr']:.4f} | "
                f"{trial['label_smoothing']:g} | {trial['chosen_by']} | {100 * trial['val_accuracy']:.2f} |"
            )
    return "\n".join(lines) + "\n"


def recipe_docstrings() -> str:
    """The text of recipes/ladder.py with the recorded result of each recipe."""
    text, number = RECORDED.subn(lambda place: place[1] + recorded(place[2]), RECIPES.read_text())
    assert number, f"no recipe in {RECIPES} has a line that begins 'Recorded'"
    return text


def recorded(name: str) -> str:
    """The result of a recipe as one line."""
    rows = of_recipe(name)
    if not rows:
        return "not yet."
    seeds = "1 seed" if len(rows) == 1 else f"{len(rows)} seeds"
    test = percent([accuracy(row, "test") for row in rows])
    return f"{test} % of the test images, {seeds}; minutes on one of two cores: {minutes(name)} (results/ladder/)."


def attempts() -> str:
    """One row per change that was tried outside the search, with the validation accuracy of each seed."""
    runs: dict[str, list[RunState]] = {}
    for path in sorted((RESULTS / "attempts").glob("*/state.json")):
        runs.setdefault(path.parent.name.rpartition("-")[0], []).append(read_state(path.parent))
    lines = ["| model | change | epochs | multiply-adds | validation % | images/s |", "|---|---|---:|---:|---|---:|"]
    for name, rows in sorted(runs.items(), key=lambda item: list(ATTEMPTS).index(item[0])):
        found = ", ".join(f"{100 * accuracy(row, 'val'):.2f} (seed {row.seed})" for row in rows)
        speed = statistics.median(row.items_per_second or 0 for row in rows)
        cells = [rows[0].model, ATTEMPTS[name], f"{rows[0].epochs:g}", f"{(rows[0].num_macs or 0) / 1e6:.1f} M"]
        lines.append(f"| {' | '.join(cells)} | {found} | {speed:.0f} |")
    return "\n".join(lines) + "\n"


def earlier() -> str:
    """The recipes that were changed after they had been run, with results before and after."""
    lines = ["| recipe | as it was | validation % | test % | seeds |", "|---|---|---:|---:|---:|"]
    for name, change in EARLIER.items():
        for words, records in ((change, RESULTS / "earlier"), ("as it is now", LADDER)):
            rows = of_recipe(name, records)
            found = [percent([accuracy(row, split) for row in rows]) if rows else "" for split in ("val", "test")]
            lines.append(f"| {name} | {words} | {found[0]} | {found[1]} | {len(rows) or 'not run yet'} |")
    return "\n".join(lines) + "\n"


def hours() -> str:
    """The cost of the ladder and of the search before it, in hours of one core."""

    def of_runs(folder: str) -> float:
        return (
            sum(read_state(path.parent).train_seconds or 0 for path in (RESULTS / folder).glob("*/state.json")) / 3600
        )

    trials = [trial for model in FAMILIES for trial in read(RESULTS / "search" / f"{model}.json")["trials"]]
    tried = of_runs("attempts") + of_runs("earlier") + sum(trial["train_seconds"] for trial in trials) / 3600
    return (
        f"> Hours of one core: {of_runs('ladder'):.0f} for the runs of this table; {tried:.0f} for the search, the attempts, and "
        "the runs of recipes that were changed.\n"
    )


def faithfulness() -> str:
    """One row per network and method: areas, gains over random maps, and correlation after shuffling weights."""
    lines = [
        "| network | method | deletion area | insertion area | deletion − random | insertion − random | beats random "
        "| correlation, head shuffled | correlation, all shuffled |",
        "|---|---|" + "---:|" * 4 + "---|" + "---:|" * 2,
    ]
    for network in read(RESULTS / "explain" / "explain.json")["networks"]:
        measured = faithfulness_of(network)
        for method, score in measured["scores"].items():
            areas = " | ".join(_interval(score[name]) for name in ("deletion", "insertion"))
            line = f"| {network['name']} | {method} | {areas} | "
            if method == "random":
                lines.append(f"{line}| | | | |")
                continue
            gains = " | ".join(_interval(score[f"{name}_minus_random"], "+") for name in ("deletion", "insertion"))
            kept = measured["rank_correlations"][method]
            verdict = "yes" if score["beats_random"] else "**no**"
            lines.append(f"{line}{gains} | {verdict} | {kept[0]:.2f} | {kept[-1]:.2f} |")
    return "\n".join(lines) + "\n"


def _interval(score: dict[str, float], sign: str = "") -> str:
    between = " to " if sign else "–"
    return f"{score['mean']:{sign}.3f} ({score['low']:{sign}.3f}{between}{score['high']:{sign}.3f})"


def positions() -> str:
    """One row per network: do its position embeddings reflect neighbours and mirror images?"""
    lines = [
        "| network | positions | nearest is a neighbour | by chance | nearest is the mirror image | neighbour, mirror images "
        "as one | by chance |",
        "|---|---|" + "---:|" * 5,
    ]
    known = {each["name"]: each for each in read(RESULTS / "explain" / "explain.json")["networks"]}
    (unflipped,) = read(RESULTS / "explain" / "no-flip" / "explain.json")["networks"]
    known["vit_cls, 3 epochs, trained without flips"] = unflipped
    for name, network in known.items():
        if "positions" in network:
            found = network["positions"]
            keys = ("neighbours", "chance", "mirrored", "neighbours_folded", "chance_folded")
            shares = " | ".join(f"{100 * found[key]:.0f} %" for key in keys)
            lines.append(f"| {name} | {found['kind']} | {shares} |")
    return "\n".join(lines) + "\n"


def explaining() -> str:
    """One row per network and method: time for one image, and images per second for 1,000."""
    lines = ["| network | method | one image, ms | 1,000 images, images/s |", "|---|---|---:|---:|"]
    for row in read(RESULTS / "bench" / "explaining.json")["rows"]:
        if row["method"] != "random":
            lines.append(
                f"| {row['network']} | {row['method']} | {1000 * row['one_image_seconds']:.0f} | {row['images_per_second']:.0f} |"
            )
    return "\n".join(lines) + "\n"


def shipped_faithfulness() -> str:
    """`weights/faithfulness.json`: the methods that beat random maps, for each included network. Captions use it."""
    networks = read(RESULTS / "explain" / "explain.json")["networks"]
    found = {
        network["name"]: {method: score["beats_random"] for method, score in faithfulness_of(network)["scores"].items()}
        for network in networks
    }
    return json.dumps(found, indent=2) + "\n"


def false_claims() -> str:
    """Simulated comparisons of equal models: how many claim a difference, by models, spread and seeds."""
    rows = read(RESULTS / "statistics" / "verdicts.json")["equal"]
    seeds = sorted({row["num_seeds"] for row in rows})
    lines = [
        f"| models | spread over seeds, points | {' | '.join(f'{number} seeds' for number in seeds)} |",
        "|---:|---:|" + "---:|" * len(seeds),
    ]
    for models, spread in sorted({(row["num_models"], row["spread"]) for row in rows}):
        found = {row["num_seeds"]: row for row in rows if (row["num_models"], row["spread"]) == (models, spread)}
        cells = [f"{found[number]['any_false_claim']:.1f}" if number in found else "" for number in seeds]
        lines.append(f"| {models} | {spread} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def folds() -> str:
    """What simulated cross-validations showed, in a sentence."""
    record = read(RESULTS / "statistics" / "folds.json")["cells"]
    cells, alone = ([each for each in record if (each["models"] == 1) == single] for single in (False, True))
    covered, claims = [each["coverage"] for each in cells], [each["false_claims"] for each in cells]
    above = sum(each > 98 for each in covered)
    wide = [each["coverage"] for each in alone]
    return (
        f"> In {len(cells)} simulated settings with two or three models ({cells[0]['number']:,} comparisons each), 95 % "
        f"intervals contained the true accuracy in {min(covered):.1f} to {max(covered):.1f} % (above 98 % in {above} settings), "
        f"and two equal models were told apart in {min(claims):.1f} to {max(claims):.1f} %. One model alone with two seeds has "
        f"wider intervals than it needs: {min(wide):.1f} to {max(wide):.1f} %.\n"
    )


def few_words() -> str:
    """Word error rates after training on few words, with both recipes."""
    points = read(RESULTS / "few-words.json")["points"]
    rates = {(each["num_train"], each["model"], each["recipe"]): each for each in points}
    lines = [
        "| training words | model | 10 epochs, recipe for all words | default: recipe for few words | change |",
        "|---:|---|---:|---:|---:|",
    ]
    for number, model in sorted({key[:2] for key in rates}, key=lambda key: (key[0], key[1] != "transformer")):
        old, new = (rates.get((number, model, recipe)) for recipe in ("for all words", "for few words"))
        if old and new:
            before, after = old["word_error_rate"], new["word_error_rate"]
            lines.append(
                f"| {number:,} | `{model}` | {100 * before:.1f} | {100 * after:.1f} ({new['epochs']:.0f} epochs) | "
                f"{100 * (after / before - 1):+.0f} % |"
            )
    return "\n".join([*lines, "", "Word error rates (%) on all validation words, one seed."]) + "\n"


def power() -> str:
    """How often a lead is found, and what became of ties to which more seeds were advised."""
    record = read(RESULTS / "statistics" / "verdicts.json")
    found = ", ".join(f"{row['percent']:.0f} % with {row['num_seeds']} seeds" for row in record["power"])
    settled = [row["settled"] for row in record["advice"] if row["settled"] is not None]
    return (
        f"> Simulated comparisons of three models, the best {record['power'][0]['gap']} points ahead: the verdict says so in "
        f"{found}. When it advised more seeds for a tie and we added them, {min(settled):.0f} to {max(settled):.0f} % of the "
        "ties were settled.\n"
    )


TABLES: dict[str, Callable[[], str]] = {
    "quick": quick,
    "shipped": shipped_networks, "attempts": attempts, "earlier": earlier,
    "ladder": ladder, "hours": hours, "rungs": rungs, "rung-verdicts": rung_verdicts, "records": records, "search": search,
    "frontier": frontier_tables.table, "false-claims": false_claims, "power": power, "folds": folds,
    "few-words": few_words,
    "faithfulness": faithfulness, "positions": positions, "explaining": explaining,
    **cifar_tables.TABLES,
    **guard_tables.TABLES,
    **claims_tables.TABLES,
    **sequence_tables.TABLES,
    **speed_tables.TABLES,
}  # fmt: skip


def filled(text: str) -> str:
    """The page with all tables replaced by current ones."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}{place[3]}", text)


def main(check: bool) -> int:
    """Write the pages. With `check`, only compare them, and return exit code 1 if one differs from the records."""
    wanted = {page: filled(page.read_text()) for page in PAGES} | {
        FAITHFULNESS: shipped_faithfulness(),
        RECIPES: recipe_docstrings(),
        **model_cards.cards(),
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(ROOT)} differs from results/: run make tables", file=sys.stderr)
        else:
            path.write_text(wanted[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
