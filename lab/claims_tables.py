"""The table of docs/lecture/claims.md: what lectures say, against the records in results/. `published_tables.py` inserts it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fittingroom.api.verdict import verdict
from fittingroom.comparison.summary import read_runs, summarise_runs
from fittingroom.core.records import Summary, read_comparison, read_summary
from fittingroom.core.rundir import read_json
from fittingroom.explain.findings import faithfulness_of
from lab.claims import EXPERIMENTS, SEEDS, TRAIN_SIZES, Experiment

RESULTS = Path(__file__).parents[1] / "results"
HOLDS, FAILS, OPEN, MISSING = "**holds**", "**does not hold here**", "not settled", "not measured yet"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A difference in points with its 95 % interval. `decided` takes the number of comparisons into account."""

    value: float
    low: float
    high: float
    decided: bool

    def __str__(self) -> str:
        low, high = math.floor(100 * self.low) / 100, math.ceil(100 * self.high) / 100  # outward, as everywhere
        return f"{self.value:+.2f} ({low:+.2f} to {high:+.2f})"


def judged(gap: Gap, positive: bool) -> str:
    """The verdict on a claim that the difference is positive, or else negative."""
    if not gap.decided:
        return OPEN
    return HOLDS if (gap.value > 0) == positive else FAILS


def answers_gap(name: str, a: str, b: str) -> Gap:
    """Test accuracy of a minus that of b, in points, from the answers of an experiment of `lab/claims.py`."""
    runs: dict[str, list[Any]] = {}
    with np.load(RESULTS / "claims" / f"{name}.npz") as answers:
        labels = answers["labels"]
        certain = np.eye(labels.max() + 1)  # a predicted class as probabilities: only right and wrong count here
        for run in read_json(RESULTS / "claims" / f"{name}.json")["runs"]:
            runs.setdefault(run["candidate"], []).append(certain[answers[run["run"]]])
    contrasts = {(each.a, each.b): each for each in verdict(runs, labels).contrasts}
    each, sign = (contrasts[a, b], 100) if (a, b) in contrasts else (contrasts[b, a], -100)
    low, high = sorted((sign * each.low, sign * each.high))
    return Gap(value=sign * each.difference, low=low, high=high, decided=each.separated)


def ladder_gap(a: str, b: str, epochs: int) -> Gap:
    """Test accuracy of a minus that of b, in points, over the recorded runs of three image models."""
    probs: dict[str, list[Any]] = {}
    labels: Any = None
    for model in ("cnn", "hybrid", "vit"):
        for path in sorted((RESULTS / "ladder").glob(f"{model}_{epochs}-seed*/predictions.npz")):
            with np.load(path) as archive:
                probs.setdefault(model, []).append(archive["test_probs"].astype(float))
                labels = archive["test_labels"]
    found = {(each.a, each.b): each for each in verdict(probs, labels).contrasts}
    each = found[a, b]
    return Gap(value=100 * each.difference, low=100 * each.low, high=100 * each.high, decided=each.separated)


def word_gap(name: str, a: str, b: str) -> Gap:
    """Word error rate of a minus that of b on test words, in points, from a recorded comparison of sequence models."""
    return _word_gap(read_summary(RESULTS / name), a, b)


def word_gap_again(name: str, a: str, b: str, part: str) -> Gap:
    """The same, computed from the recorded answers to the words of one part, `val` or `test`."""
    record = read_comparison(RESULTS / name)
    runs: Mapping[str, Any] = read_runs(RESULTS / name, record)
    chosen = {model: {seed: {"test": parts[part]} for seed, parts in seeds.items()} for model, seeds in runs.items()}
    return _word_gap(summarise_runs(record, chosen), a, b)


def _word_gap(summary: Summary, a: str, b: str) -> Gap:
    found = {(each.a, each.b): each.metrics["word_error_rate"] for each in summary.contrasts}
    each, sign = (found[a, b], 100) if (a, b) in found else (found[b, a], -100)
    low, high = sorted((sign * each.low, sign * each.high))
    return Gap(value=sign * each.difference, low=low, high=high, decided=each.is_decided)


def attention_maps() -> dict[str, dict[str, bool]]:
    """For each included network with attention: does each map beat random maps in both tests?"""
    networks = read_json(RESULTS / "explain" / "explain.json")["networks"]
    found = {each["name"]: faithfulness_of(each)["scores"] for each in networks}
    return {
        name: {method: score["beats_random"] for method, score in scores.items() if method != "random"}
        for name, scores in found.items()
        if "attention" in scores
    }


def heads() -> list[str]:
    """Many heads beat one."""
    gap = word_gap("heads", "transformer", "transformer_1head")
    return [
        row(
            "Many heads beat one",
            "words: four heads minus one head of equal width, 2 epochs, 2 seeds",
            f"word errors {gap} points",
            judged(gap, positive=False),
            "heads/",
        ),
        *measured("heads", _heads_on_images, "The same on images"),
    ]


def _heads_on_images() -> list[str]:
    gaps = {number: answers_gap("heads", "vit", f"vit@num_heads={number}") for number in (1, 2, 4)}
    return [
        row(
            "The same on images" if number == 1 else "...",
            f"ViT, {setting(EXPERIMENTS['heads'])}: 8 heads minus {number} of equal width",
            f"accuracy {gap} points",
            judged(gap, positive=True),
            "claims/heads.json",
        )
        for number, gap in gaps.items()
    ]


def positions() -> list[str]:
    """The form of positions hardly matters, having them does."""
    near = word_gap_again("positions", "transformer", "transformer_learned", "val")
    far = word_gap("positions", "transformer", "transformer_learned")
    return [
        row(
            "The form of positions hardly matters: at lengths seen in training",
            "words of up to 8 letters: sinusoids minus a learned table, 2 epochs, 2 seeds",
            f"word errors {near} points",
            f"{OPEN}: no difference found" if not near.decided else judged(near, positive=True),
            "positions/",
        ),
        row(
            "... at greater lengths",
            "words of 9 letters and more, after training on words of up to 8",
            f"word errors {far} points",
            FAILS if far.decided else OPEN,
            "positions/",
        ),
        *measured("positions", _positions_on_images, "Having positions matters, their form hardly: on images"),
    ]


def _positions_on_images() -> list[str]:
    gaps = {kind: answers_gap("positions", "vit", f"vit@positions={kind}") for kind in ("none", "sincos1d", "learned")}
    names = {"none": "no positions", "sincos1d": "1-D sinusoids", "learned": "a learned table"}
    lines = []
    for kind, gap in gaps.items():
        same = f"{OPEN}: no difference found" if not gap.decided else FAILS
        lines.append(
            row(
                "Having positions matters: on images" if kind == "none" else "... their form hardly: on images",
                f"ViT, {setting(EXPERIMENTS['positions'])}: 2-D sinusoids minus {names[kind]}",
                f"accuracy {gap} points",
                judged(gap, positive=True) if kind == "none" else same,
                "claims/positions.json",
            )
        )
    return lines


def data() -> list[str]:
    """ViT wins with enough data."""
    gaps = {epochs: ladder_gap("cnn", "vit", epochs) for epochs in (5, 20)}
    numbers = ", ".join(f"{epochs} epochs: {gap}" for epochs, gap in gaps.items())
    return [
        row(
            "A ViT beats a CNN with enough data: all of Fashion-MNIST",
            "55,000 training images, 3 seeds; CNN minus ViT",
            f"{numbers} points",
            FAILS if all(gap.decided and gap.value > 0 for gap in gaps.values()) else OPEN,
            "ladder/",
        ),
        *(line for number in TRAIN_SIZES for line in _less_data(number)),
        *measured(f"data-{TRAIN_SIZES[-1]}", _lead_shrinks, "The lead of the CNN shrinks with more data"),
    ]


def _less_data(number: int) -> list[str]:
    name = f"data-{number}"

    def lines() -> list[str]:
        gap = answers_gap(name, "cnn", "vit")
        experiment = f"{setting(EXPERIMENTS[name])}; CNN minus ViT"
        return [row(claim, experiment, f"accuracy {gap} points", judged(gap, positive=True), f"claims/{name}.json")]

    claim = "A CNN wins with little data" if number == TRAIN_SIZES[0] else "..."
    return measured(name, lines, claim)


def _lead_shrinks() -> list[str]:
    few, all_images = (answers_gap(f"data-{number}", "cnn", "vit") for number in (TRAIN_SIZES[0], TRAIN_SIZES[-1]))
    apart = few.low > all_images.high or all_images.low > few.high
    verdict = OPEN if not apart else HOLDS if few.value > all_images.value else FAILS
    leads = f"lead of {few} points with {TRAIN_SIZES[0]} images, of {all_images} with {TRAIN_SIZES[-1]:,}"
    measured_sizes = [number for number in TRAIN_SIZES if (RESULTS / "claims" / f"data-{number}.json").exists()]
    crossed = [f"{number:,}" for number in measured_sizes if answers_gap(f"data-{number}", "cnn", "vit").value < 0]
    crossing = f"the ViT leads at {', '.join(crossed)}" if crossed else "no crossing within what was measured"
    return [
        row(
            "The lead of the CNN shrinks with more data",
            "the runs of the rows above; the verdict asks that the two intervals do not overlap",
            f"{leads}; {crossing}",
            verdict,
            "claims/",
        )
    ]


def setting(experiment: Experiment) -> str:
    """What the runs of an experiment have in common, in words."""
    number = experiment.num_train
    return f"{number:,} training images, {experiment.epochs:g} epochs, size `{experiment.size}`, {SEEDS} seeds"


def looking() -> list[str]:
    """Attention shows where the network looks."""
    found = attention_maps()
    lines = []
    for method, title in (("attention", "weights of the last block"), ("rollout", "rollout")):
        good = [name for name, methods in found.items() if methods[method]]
        bad = [name for name in found if name not in good]
        numbers = f"beats random maps on {', '.join(good) or 'none'}" + (f"; not on {', '.join(bad)}" if bad else "")
        judgement = (
            HOLDS if not bad else FAILS if not good else f"{HOLDS} on {', '.join(good)}; {FAILS} on {', '.join(bad)}"
        )
        claim = "Attention shows where the network looks" if method == "attention" else "..."
        experiment = f"{title}: better than random maps in deletion and in insertion, 1,000 test images"
        lines.append(row(claim, experiment, numbers, judgement, "explain/explain.json"))
    return lines


def recurrence() -> list[str]:
    """Constant path length and parallel speed."""
    record = read_json(RESULTS / "bench" / "claims.json")
    first, last = record["rows"][0], record["rows"][-1]
    reach = "; ".join(
        f"at {each['length']:,} symbols attention {each['reach']['attention']:.2g}, recurrence {each['reach']['recurrence']:.2g}"
        for each in (first, last)
    )
    seconds = {each["length"]: each["step_seconds"] for each in record["rows"]}
    times = {length: each["recurrence"] / each["attention"] for length, each in seconds.items()}
    faster, slower = ([length for length, ratio in times.items() if (ratio > 1) == wanted] for wanted in (True, False))
    ends = ", ".join(f"{times[each['length']]:.2f} times at {each['length']:,} symbols" for each in (first, last))
    gap = word_gap("sequences", "transformer", "recurrent")
    return [
        row(
            "Attention has constant path length",
            "share of the last output's gradient at the first symbol, untrained layers of width 192",
            reach,
            f"{HOLDS} (one measurement, no interval)",
            "bench/claims.json",
        ),
        row(
            "Attention is faster, because it is parallel",
            f"forward and backward pass, {record['processor']}: time of recurrence divided by time of attention",
            ends,
            f"{HOLDS} up to {max(faster)} symbols, {FAILS} from {min(slower)} on (one machine, no interval)",
            "bench/claims.json",
        ),
        row(
            "Transformers beat recurrent networks",
            "words: 20 minutes of training each, 3 seeds; Transformer minus RNN with attention",
            f"word errors {gap} points",
            judged(gap, positive=False),
            "sequences/",
        ),
    ]


def hybrids() -> list[str]:
    """Hybrids join the best of both."""
    over, under = ladder_gap("hybrid", "vit", 20), ladder_gap("cnn", "hybrid", 20)
    other = Gap(value=-under.value, low=-under.high, high=-under.low, decided=under.decided)
    where = "all of Fashion-MNIST, 20 epochs, 3 seeds; test accuracy"
    return [
        row(
            "Hybrids join the best of both: better than a ViT",
            f"{where}; hybrid minus ViT",
            f"{over} points",
            judged(over, positive=True),
            "ladder/",
        ),
        row(
            "... and better than a CNN",
            f"{where}; hybrid minus CNN",
            f"{other} points",
            judged(other, positive=True),
            "ladder/",
        ),
    ]


def row(claim: str, experiment: str, numbers: str, judgement: str, record: str) -> str:
    """One line of the table."""
    return f"| {claim} | {experiment} | {numbers} | {judgement} | [results/{record}](../../results/{record}) |"


def measured(name: str, lines: Callable[[], list[str]], claim: str) -> list[str]:
    """The lines of an experiment of `lab/claims.py`, or one that gives the command for it if it has no record."""
    if (RESULTS / "claims" / f"{name}.json").exists():
        return lines()
    return [f"| {claim} | `make claims ARGS={name}` | | {MISSING} | |"]


def claims() -> str:
    """One row for each claim, or for each part of it."""
    lines = ["| what is said | experiment | result (95 % interval) | verdict | record |", "|---|---|---|---|---|"]
    for found in (heads(), positions(), data(), looking(), recurrence(), hybrids()):
        lines += found
    return "\n".join(lines) + "\n"


TABLES: dict[str, Callable[[], str]] = {"lecture-claims": claims}
