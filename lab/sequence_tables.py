"""The tables of docs/lab/sequences.md, from the records in results/. `published_tables.py` inserts them."""

import statistics
from collections.abc import Callable
from itertools import chain
from pathlib import Path

from fittingroom.comparison.summary import summarise
from fittingroom.core.records import Summary, read_state, read_summary
from fittingroom.core.rundir import read_json
from fittingroom.report.tables import markdown_table
from fittingroom.tasks.seq2seq.scoring import SequencePredictions, read_pair_predictions

RESULTS = Path(__file__).parents[1] / "results"
LETTERS = {
    "to 8, as in training": range(1, 9), "9": range(9, 10), "10": range(10, 11), "11 and 12": range(11, 13),
    "13 and more": range(13, 100),
}  # fmt: skip
"""Lengths of words: one row each in the table of positions."""


def comparison(name: str) -> str:
    """The output of a comparison: verdict, then table."""
    return printed(summarise(RESULTS / name))


def printed(summary: Summary) -> str:
    """The verdict, then the table."""
    return f"> {summary.verdict}\n\n{markdown_table(summary)}"


def sequence_search() -> str:
    """One row per trial of the search for the sequence recipes, each family's best first."""
    lines = [
        "| model | batch | Muon rate | wrong words % | wrong phonemes % | seconds |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for model in ("transformer", "recurrent"):
        for trial in read_json(RESULTS / "search" / f"{model}.json")["trials"]:
            wrong = 100 * (1 - trial["val_accuracy"])
            lines.append(
                f"| {model} | {trial['batch_size']} | {trial['muon_lr']:g} | {wrong:.1f} | "
                f"{100 * trial['val_phoneme_error_rate']:.1f} | {trial['train_seconds']:.0f} |"
            )
    return "\n".join(lines) + "\n"


def sequence_speed() -> str:
    """One row per contender: pairs per second, and speedup over the plain ones, with lowest and highest round in brackets."""
    rows = read_json(RESULTS / "bench" / "sequences.json")["step"]
    bases = list(rows[0]["speedup"])
    lines = ["| training | pairs/s | " + " | ".join(f"times {base}" for base in bases) + " |", "|---|---:|---:|---:|"]
    for row in rows:
        cells = (
            f"{found['median']:.2f} ({found['low']:.2f} to {found['high']:.2f})" for found in row["speedup"].values()
        )
        lines.append(f"| {row['name']} | {row['pairs_per_second']:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def sequence_machine() -> str:
    """The machine of the measurement, and the share of padding in the batches."""
    record = read_json(RESULTS / "bench" / "sequences.json")
    mixed, like = (100 * record["padding"][kind] for kind in ("shuffled", "like"))
    decoding = record["decoding"]
    return (
        f"> {record['processor']}, torch {record['torch']}; {record['rounds']} rounds of {record['steps_a_round']} batches of "
        f"{record['batch_size']} pairs. Padding: {mixed:.0f} % of shuffled batches, {like:.0f} % of ours. The "
        f"{decoding['num_words']:,} validation words were written greedily in {decoding['seconds']:.0f} s (fp32).\n"
    )


def sequence_no_bf16() -> str:
    """One line with the speedups on a processor without bf16."""
    record = read_json(RESULTS / "bench" / "sequences-no-bf16.json")
    base = record["step"][0]["name"]
    found = "; ".join(f"{row['name']} {row['speedup'][base]['median']:.2f}" for row in record["step"])
    return f"> {record['processor']}, times the first: {found}.\n"


def claims() -> str:
    """One row per length: milliseconds of a training step with attention and with recurrence, and the reach of gradients."""
    record = read_json(RESULTS / "bench" / "claims.json")
    names = list(record["rows"][0]["step_seconds"])
    heads = [*(f"{name}, ms" for name in names), "gradient at the first symbol: attention", "recurrence"]
    lines = ["| length | " + " | ".join(heads) + " |", "|---:|" + "---:|" * len(heads)]
    for row in record["rows"]:
        times = [f"{1000 * row['step_seconds'][name]:.0f}" for name in names]
        reach = [f"{row['reach'][name]:.2g}" for name in ("attention", "recurrence")]
        lines.append(f"| {row['length']:,} | " + " | ".join([*times, *reach]) + " |")
    return "\n".join(lines) + "\n"


def long_run() -> str:
    """The long run, compared with the 20-minute run that the package included before."""
    lines = [
        "| run | epochs | hours of one core | validation WER % | PER % | test WER % | PER % |",
        "|---|" + "---:|" * 6,
    ]
    for name, folder in (("20 minutes, seed 2", "sequences/runs/transformer-seed2"), ("the long run", "long")):
        state = read_state(RESULTS / folder)
        rates = [
            f"{100 * state.evals[split][f'{kind}_error_rate']:.2f}"
            for split in ("val", "test")
            for kind in ("word", "phoneme")
        ]
        cells = [name, f"{state.epochs:.1f}", f"{(state.train_seconds or 0) / 3600:.2f}", *rates]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def word_lengths() -> str:
    """One row per word length, in training or longer: word error rate of each model, the mean over its seeds."""
    folder = RESULTS / "positions"
    titles = {each.name: each.title for each in read_summary(folder).candidates}
    runs = {
        name: [read_pair_predictions(run) for run in sorted((folder / "runs").glob(f"{name}-seed*"))] for name in titles
    }
    lines = [
        "| letters | words | " + " | ".join(f"{title}, %" for title in titles.values()) + " |",
        "|---|" + "---:|" * (1 + len(titles)),
    ]
    for words, letters in LETTERS.items():
        wrong = {name: [wrong_of_length(run, letters) for run in of_model] for name, of_model in runs.items()}
        number = len(wrong["transformer"][0])
        means = (f"{100 * statistics.fmean(chain(*of_model)):.1f}" for of_model in wrong.values())
        lines.append(f"| {words} | {number:,} | {' | '.join(means)} |")
    return "\n".join(lines) + "\n"


def wrong_of_length(run: dict[str, SequencePredictions], letters: range) -> list[bool]:
    """Whether the answer is wrong, for each word of that many letters in any split."""
    return [
        not right
        for part in run.values()
        for source, right in zip(part.sources, part.right, strict=True)
        if len(source) in letters
    ]


def profile() -> str:
    """The share of each kind of work in the recipe's training step, and the speed if avoidable work took no time."""
    record = read_json(RESULTS / "bench" / "sequences.json")
    found = record["profile"]
    lines = ["| work | share |", "|---|---:|"]
    lines += [f"| {kind} | {100 * share:.0f} % |" for kind, share in found["shares"].items()]
    limits = ", ".join(f"{limit:.2f} times {base}" for base, limit in record["limit"].items())
    return (
        "\n".join(lines) + f"\n\n> If products and optimizer alone took time, the recipe's step would be: {limits}.\n"
    )


TABLES: dict[str, Callable[[], str]] = {
    "sequences": lambda: comparison("sequences"), "sequence-heads": lambda: comparison("heads"),
    "sequence-positions": lambda: comparison("positions"), "sequence-lengths": word_lengths,
    "sequence-long": long_run, "sequence-search": sequence_search, "sequence-speed": sequence_speed,
    "sequence-machine": sequence_machine, "sequence-no-bf16": sequence_no_bf16,
    "sequence-profile": profile, "claims": claims,
}  # fmt: skip
