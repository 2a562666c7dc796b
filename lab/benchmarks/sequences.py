"""Compare training speed of our Transformer with a plain `torch.nn.Transformer`, and time the decoding of validation words.

`python -m lab.benchmarks.sequences` takes seven minutes and writes results/bench/sequences.json.

All contenders use the same shape, training words of cmudict, label smoothing, dropout and one thread. The plain one is typical
code: fp32, AdamW, `nn.Transformer` with its own masks, shuffled words padded to the longest in each batch. It also runs with our
batches of similar length, and with bf16, to show what each of these gains. Ours is the step of the recipe: Muon, clipping,
explicit attention, and the precision of the speed plan. It also runs with AdamW, and with the recipe's 128 pairs per step. The
cost of Muon is per step, so it doubles per pair there. The step of 256 pairs is profiled as well.

Each contender has its own process, because ours tells glibc to keep freed memory, which would also speed up the plain one.
Lengths differ between batches, so in each round every contender gets STEPS batches. Ours are evenly spaced from the shortest to
the longest, as in an epoch. The speed in a round is pairs divided by seconds; a speedup is the ratio of two speeds.
"""

import argparse
import itertools
import multiprocessing
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import torch

from fittingroom.core.randomness import generator
from fittingroom.core.rundir import make_folder, write_json
from fittingroom.data.seq2seq.batches import PairBatch, TrainPairBatches, pair_batch
from fittingroom.evaluation.generate import generate
from fittingroom.recipes import recipe
from fittingroom.tasks.seq2seq.config import Seq2seqConfig
from fittingroom.tasks.seq2seq.training import Seq2seqTask
from fittingroom.training.environment import processor
from fittingroom.training.speed.engine import set_up_process
from fittingroom.training.speed.plan import Plan, first_guess
from fittingroom.training.speed.probe import SCHEDULE_STEPS, Trial
from fittingroom.training.step import new_state
from lab.benchmarks.plain_sequences import PlainSteps
from lab.benchmarks.profiling import profile_of
from lab.benchmarks.targets import PRODUCTS

RECORD = Path(__file__).parents[2] / "results" / "bench" / "sequences.json"
STEPS, ROUNDS, BATCH = 10, 7, 256
AS_IT_COMES = "nn.Transformer, fp32, as it comes"
SAME_BATCHES = "nn.Transformer, fp32, our batches"
AS_THE_RECIPE = "fittingroom, Muon as the recipe"


def of_like_length(batches: TrainPairBatches) -> list[PairBatch]:
    """STEPS batches of the first epoch, evenly spaced from the shortest targets to the longest."""
    rows = sorted(
        (pair_batch(batches.pairs, picked) for picked in batches.order(0)), key=lambda row: row.tgt_in.shape[1]
    )
    return [rows[(2 * step + 1) * len(rows) // (2 * STEPS)] for step in range(STEPS)]


def shuffled(batches: TrainPairBatches) -> list[PairBatch]:
    """STEPS batches as from `DataLoader(shuffle=True)`, each padded to its longest word."""
    order = torch.randperm(len(batches.pairs), generator=generator(batches.seed, "plain order"))
    return [pair_batch(batches.pairs, picked) for picked in order[: STEPS * BATCH].split(BATCH)]


def halved(batches: list[PairBatch]) -> list[PairBatch]:
    """The same pairs in twice as many batches: the recipe's own size."""
    return [PairBatch(*(part.chunk(2)[half] for part in batch)) for batch in batches for half in (0, 1)]


def padding(batches: list[PairBatch]) -> float:
    """Share of padding in sources and targets."""
    masks = [mask for batch in batches for mask in (batch.src_mask, batch.tgt_mask)]
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)


def ours(task: Seq2seqTask, batches: list[PairBatch], plan: Plan, optimizer: str) -> Trial:
    """Training steps of `fit`."""
    config = task.config
    changed = Seq2seqTask(replace(config, optim=replace(config.optim, name=optimizer)))
    return Trial(new_state(changed, plan, total_steps=SCHEDULE_STEPS), itertools.cycle(batches))


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One row of the table."""

    name: str
    batches: Literal["shuffled", "like", "halved"] = "like"
    precision: Literal["fp32", "bf16"] = "fp32"
    optimizer: Literal["muon", "adamw"] | None = None
    """Our optimizer; None for the plain contender, which uses torch's AdamW."""


def all_contenders(precision: Literal["fp32", "bf16"]) -> list[Contender]:
    """The contenders. `precision` is the one of the speed plan on this machine."""
    found = [
        Contender(name=AS_IT_COMES, batches="shuffled"),
        Contender(name=SAME_BATCHES),
        Contender(name=f"{AS_THE_RECIPE} ({precision})", precision=precision, optimizer="muon"),
        Contender(name=f"fittingroom, AdamW ({precision})", precision=precision, optimizer="adamw"),
        Contender(
            name=f"fittingroom, the recipe, {BATCH // 2} pairs a step ({precision})", batches="halved", precision=precision,
            optimizer="muon",
        ),
    ]  # fmt: skip
    if precision == "bf16":  # elsewhere bf16 is emulated: it takes minutes, and nobody would use it
        found += [
            Contender(name="nn.Transformer, bf16, our batches", precision="bf16"),
            Contender(name=f"{AS_THE_RECIPE} (fp32)", optimizer="muon"),
        ]
    return found


def the_task() -> tuple[Seq2seqTask, Plan]:
    """cmudict at BATCH pairs a step, and the plan of one thread that this machine takes."""
    config = recipe("transformer", epochs=1)
    assert isinstance(config, Seq2seqConfig)
    return Seq2seqTask(replace(config, batch_size=BATCH)), replace(first_guess(config), num_threads=1)


def turn_of(contender: Contender) -> Callable[[], float]:
    """A function that trains on BATCH pairs and returns the seconds."""
    task, plan = the_task()
    made = {"shuffled": shuffled, "like": of_like_length, "halved": lambda batches: halved(of_like_length(batches))}
    batches = made[contender.batches](task.batches)
    if contender.optimizer is None:
        torch.set_num_threads(1)
        return PlainSteps(task, batches, bf16=contender.precision == "bf16").step
    plan = replace(plan, precision=contender.precision)
    set_up_process(plan)
    step = ours(task, batches, plan, contender.optimizer).step
    return (lambda: step() + step()) if contender.batches == "halved" else step


def serve(contender: Contender, pipe: Connection) -> None:
    """Runs in a new process: does a turn for each request from the pipe."""
    turn = turn_of(contender)
    while pipe.recv():
        pipe.send(turn())


@contextmanager
def processes(contenders: list[Contender]) -> Iterator[dict[str, Callable[[], float]]]:
    """Name -> a function that requests a turn of that contender and waits for its seconds."""
    context, started = multiprocessing.get_context("spawn"), []
    turns: dict[str, Callable[[], float]] = {}
    for contender in contenders:
        here, there = context.Pipe()
        assert isinstance(here, Connection)
        started.append(context.Process(target=serve, args=(contender, there), daemon=True))
        started[-1].start()
        there.close()  # so that a contender that dies is an EOFError, not an endless wait
        turns[contender.name] = partial(ask, here)
    try:
        yield turns
    finally:
        for process in started:
            process.terminate()
            process.join()


def ask(pipe: Connection) -> float:
    """One turn."""
    pipe.send(True)
    return pipe.recv()


def main() -> None:
    """Measure in turns and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--out", type=Path, default=RECORD, metavar="FILE")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f"--rounds {args.rounds}: at least one round is needed")
    task, plan = the_task()
    assert plan.precision in ("fp32", "bf16")
    with processes(all_contenders(plan.precision)) as turns:
        seconds = in_turns(turns, args.rounds)
    rows = [row_of(name, seconds) for name in seconds]
    set_up_process(plan)
    like, mixed = of_like_length(task.batches), shuffled(task.batches)
    profile = profile_of(ours(task, like, plan, "muon").step, STEPS)
    unavoidable = sum(profile["shares"][kind] for kind in (PRODUCTS, "optimizer"))
    recipe_row = next(row for row in rows if row["name"].startswith(AS_THE_RECIPE))
    record = {
        "processor": f"{processor()}, 1 thread", "torch": torch.__version__, "batch_size": BATCH, "rounds": args.rounds,
        "steps_a_round": STEPS, "padding": {"shuffled": round(padding(mixed), 3), "like": round(padding(like), 3)},
        "step": rows, "profile": profile,
        "limit": {name: round(recipe_row["speedup"][name]["median"] / unavoidable, 3) for name in (AS_IT_COMES, SAME_BATCHES)},
    }  # fmt: skip
    make_folder(args.out.parent)
    write_json(args.out, {**record, "decoding": decoding()})
    for row in rows:
        print(f"{row['name']}: {row['pairs_per_second']:.0f} pairs/s, {row['speedup'][AS_IT_COMES]['median']:.2f} x")


def in_turns(turns: dict[str, Callable[[], float]], num_rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round. An additional warm-up round is dropped."""
    rounds = [dict.fromkeys(turns, 0.0) for _ in range(1 + num_rounds)]
    for sums, _ in itertools.product(rounds, range(STEPS)):
        for name, turn in turns.items():
            sums[name] += turn()
    return {name: [sums[name] for sums in rounds[1:]] for name in turns}


def row_of(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Pairs per second, and speedup over the plain contenders: median, lowest and highest round."""
    speedup = {}
    for base in (AS_IT_COMES, SAME_BATCHES):
        ratios = [theirs / mine for theirs, mine in zip(seconds[base], seconds[name], strict=True)]
        values = {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}
        speedup[base] = {key: round(value, 3) for key, value in values.items()}
    return {
        "name": name,
        "pairs_per_second": round(STEPS * BATCH / statistics.median(seconds[name]), 1),
        "speedup": speedup,
    }


def decoding() -> dict[str, float | int]:
    """Seconds to decode all validation words greedily with the included weights, in fp32 and one thread like `evaluate`."""
    from fittingroom.tasks.load import load_run

    model = load_run("transformer", "seq2seq").model
    task = Seq2seqTask(Seq2seqConfig(model="transformer", epochs=1.0))
    start = time.perf_counter()
    generate(model, task.val, task.max_len)
    return {"num_words": len(task.splits.val), "seconds": round(time.perf_counter() - start, 2)}


if __name__ == "__main__":
    main()
