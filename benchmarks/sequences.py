"""Training of our Transformer beside `torch.nn.Transformer` trained plainly, and the time to write a part of cmudict:
`python -m benchmarks.sequences`, three minutes. Writes results/bench/sequences.json.

Both have the same shape, batches of cmudict's training words, label smoothing, dropout and one thread. The plain one is as most
would write it: fp32, AdamW, `nn.Transformer` with its own masks; once more under bf16 autocast. Ours is the recipe's step:
Muon, clipping, the speed plan's bf16 and explicit attention; once more with AdamW. Where the recipe's step spends its time is
profiled beside it.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.profiling import profile_of
from benchmarks.targets import PRODUCTS
from fittingroom.core.rundir import make_folder, write_json
from fittingroom.data.pair_batches import PairBatch
from fittingroom.data.vocabulary import PAD_ID
from fittingroom.evaluation.writing import write_all
from fittingroom.models.layers.positions import sinusoidal_1d
from fittingroom.recipes import recipe
from fittingroom.training.config import PairRunConfig
from fittingroom.training.engine import set_up_process
from fittingroom.training.environment import processor
from fittingroom.training.pairs import PairProblem
from fittingroom.training.plan import Plan, first_guess
from fittingroom.training.probe import Trial, new_trial

RECORD = Path(__file__).parents[1] / "results" / "bench" / "sequences.json"
WARM, ROUNDS, BATCH = 3, 15, 256


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


class PlainSteps:
    """Training steps of `Plain`."""

    def __init__(self, problem: PairProblem, *, bf16: bool) -> None:
        torch.manual_seed(0)
        sizes = problem.config.model_config
        self.model = Plain(sizes["src_vocab_size"], sizes["tgt_vocab_size"]).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-4)
        self.batches, self.bf16 = problem.batches.from_step(0), bf16

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


def ours(problem: PairProblem, plan: Plan, optimizer: str) -> Trial:
    """Training steps of `fit`."""
    config = problem.config
    changed = PairProblem(replace(config, optim=replace(config.optim, name=optimizer)))
    return new_trial(changed, plan)


def main() -> None:
    """Measure in turns, write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    parser.add_argument("--out", type=Path, default=RECORD, metavar="FILE")
    args = parser.parse_args()
    config = recipe("transformer", epochs=1)
    assert isinstance(config, PairRunConfig)
    problem = PairProblem(replace(config, batch_size=BATCH))
    plan = replace(first_guess(config), num_threads=1)
    set_up_process(plan)
    contenders: dict[str, Callable[[], float]] = {
        "nn.Transformer, fp32, as it comes": PlainSteps(problem, bf16=False).step,
        "nn.Transformer, bf16": PlainSteps(problem, bf16=True).step,
        "fittingroom, as the recipe": ours(problem, plan, "muon").step,
        "fittingroom, AdamW": ours(problem, plan, "adamw").step,
        "fittingroom, fp32": ours(problem, replace(plan, precision="fp32"), "muon").step,
    }
    rounds = [{name: step() for name, step in contenders.items()} for _ in range(WARM + args.rounds)][WARM:]
    seconds = {name: statistics.median(each[name] for each in rounds) for name in contenders}
    base = next(iter(contenders))
    speedup = {name: statistics.median(each[base] / each[name] for each in rounds) for name in contenders}
    rows = [
        {"name": name, "step_seconds": round(seconds[name], 4), "speedup": round(speedup[name], 3)} for name in seconds
    ]
    profile = profile_of(ours(problem, plan, "muon").step, args.rounds)
    unavoidable = profile["step_seconds"] * sum(profile["shares"][kind] for kind in (PRODUCTS, "optimizer"))
    record = {
        "processor": f"{processor()}, 1 thread", "torch": torch.__version__, "batch_size": BATCH, "rounds": args.rounds,
        "step": rows, "profile": profile, "limit": round(seconds[base] / unavoidable, 3),
    }  # fmt: skip
    make_folder(args.out.parent)
    write_json(args.out, {**record, "decoding": decoding()})
    for row in rows:
        print(f"{row['name']}: {row['step_seconds'] * 1000:.0f} ms, {row['speedup']:.2f} x")


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
