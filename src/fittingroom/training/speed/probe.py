"""The probe: time a few real training steps under each candidate plan.

Two plans take turns, step by step, so that a noisy machine slows both alike.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from fittingroom.models.layers.attention import AttentionCore
from fittingroom.tasks.base import Task
from fittingroom.training.speed.plan import Plan
from fittingroom.training.step import TrainState, new_optimizer, new_state, step

STEPS, WARM_STEPS = 5, 2
SCHEDULE_STEPS = 1000
"""Length of the learning rate schedule. The probe runs its first steps, which are in the warm-up as in a real run."""
WORTH_CHANGING = 1.03
"""A part of the plan changes only for a speedup of at least 3 %: less is noise."""
HOPELESS = 3.0
"""Timing stops early if a candidate's best step is this many times slower: emulated bf16 would take minutes."""
STEADY = 1.5
"""Timings with a larger spread are too noisy to be cached."""
LOSS_TOLERANCE = 0.02
"""Largest relative difference between a candidate's losses and those in fp32."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One row of the probe's table: a candidate compared with the best plan so far."""

    part: str
    plan: Plan
    step_seconds: float
    speedup: float
    """Median ratio of the best plan's step time to the candidate's, over all turns."""
    spread: float
    """Upper quartile divided by lower quartile of these ratios: 1 on a quiet machine."""
    agrees: bool
    """Whether its losses agree within the tolerance with the first plan's, which is in fp32 unless the user chose otherwise."""
    first_step_seconds: float
    """Seconds of the first step, which includes compiling."""

    def to_dict(self) -> dict[str, Any]:
        """The row for environment.json."""
        numbers = ("step_seconds", "speedup", "spread", "first_step_seconds")
        rounded = {key: round(getattr(self, key), 6) for key in numbers}
        return {"part": self.part, **rounded, "agrees": self.agrees, "plan": asdict(self.plan)}


class Trial:
    """Training steps under one plan, from the run's initial weights. `new_trial` also gives it the run's batches."""

    def __init__(self, state: TrainState, batches: Iterator[tuple[Tensor, ...]]) -> None:
        self.state = state
        state.model.to(state.plan.device)
        if state.average is not None:
            state.average.to(state.plan.device)
        state.optimizer, state.schedule = new_optimizer(state)
        self.batches = batches
        self.seconds: list[float] = []
        self.losses: list[float] = []

    @property
    def plan(self) -> Plan:
        """The plan that the trial measures."""
        return self.state.plan

    def step(self) -> float:
        """Do one step as in training. Return its seconds, excluding the loading of the batch, which no plan changes."""
        torch.set_num_threads(self.plan.num_threads)
        batch = self.state.placed.place(next(self.batches))
        start = time.perf_counter()
        loss = step(self.state, batch)
        self.losses.append(loss.item())  # waits for a device that computes asynchronously
        self.seconds.append(time.perf_counter() - start)
        return self.seconds[-1]


def probe(task: Task, guess: Plan, fixed: frozenset[str]) -> tuple[Plan, list[Timing]]:
    """Improve `guess` part by part. Return the fastest plan whose losses agree with fp32, and the table of timings.

    Parts named in `fixed` stay unchanged, and so does `compile`: `probe_compile` measures that for long runs.
    """
    before = torch.get_num_threads()
    try:
        return _probe(task, guess, fixed)
    finally:
        torch.set_num_threads(before)


def _probe(task: Task, guess: Plan, fixed: frozenset[str]) -> tuple[Plan, list[Timing]]:
    start = guess if "precision" in fixed else replace(guess, precision="fp32")
    best = new_trial(task, start)
    table: list[Timing] = []
    expected: list[float] = []
    for part in ("precision", "attention", "channels_last", "num_threads"):
        if part in fixed:
            continue
        for value in _candidates(part, best.state):
            challenger = new_trial(task, replace(best.plan, **{part: value}))
            best.batches = task.batches.from_step(0)  # the challenger's batches: lengths can differ by a factor of 3
            table.append(duel(part, best, challenger, expected or best.losses))
            while len(best.losses) < WARM_STEPS + STEPS:  # a hopeless challenger ended the duel early
                best.step()
            expected = expected or best.losses[:]
            if table[-1].agrees and table[-1].speedup > WORTH_CHANGING:
                best = challenger
    return best.plan, table


def probe_compile(task: Task, plan: Plan) -> Timing:
    """Time the compiled plan against the same plan uncompiled. Passes on any error of torch.compile."""
    before = torch.get_num_threads()
    try:
        eager = new_trial(task, plan)
        compiled = new_trial(task, replace(plan, compile=True))
        return duel("compile", eager, compiled, eager.losses)
    finally:
        torch.set_num_threads(before)


def time_step(task: Task, plan: Plan) -> float:
    """Median seconds of a training step under `plan`."""
    before = torch.get_num_threads()
    try:
        trial = new_trial(task, plan)
        return statistics.median([trial.step() for _ in range(WARM_STEPS + STEPS)][WARM_STEPS:])
    finally:
        torch.set_num_threads(before)


def new_trial(task: Task, plan: Plan) -> Trial:
    """A trial of `plan` with its own model, the run's initial weights and the run's batches."""
    return Trial(new_state(task, plan, total_steps=SCHEDULE_STEPS), task.batches.from_step(0))


def duel(part: str, best: Trial, challenger: Trial, expected: list[float]) -> Timing:
    """Time both plans in turns. The first steps, which allocate memory and select kernels, do not count."""
    rounds = [(best.step(), challenger.step()) for _ in range(WARM_STEPS)]
    # Compare the challenger's best step with the other's worst: a single stall must not end the duel.
    if min(challenger.seconds) <= HOPELESS * max(best.seconds[-WARM_STEPS:]):
        rounds += [(best.step(), challenger.step()) for _ in range(STEPS)]
    pairs = rounds[WARM_STEPS:] or rounds[-1:]
    agrees = all(
        abs(found - wanted) <= LOSS_TOLERANCE * abs(wanted)
        for found, wanted in zip(challenger.losses, expected, strict=False)
    )
    return Timing(
        part=part,
        plan=challenger.plan,
        step_seconds=statistics.median(seconds for _, seconds in pairs),
        speedup=statistics.median(ours / theirs for ours, theirs in pairs),
        spread=_spread([ours / theirs for ours, theirs in pairs]),
        agrees=agrees,
        first_step_seconds=challenger.seconds[0],
    )


def _spread(ratios: list[float]) -> float:
    """Upper quartile divided by lower quartile; 1 for a single ratio."""
    if len(ratios) < 2:
        return 1.0
    lower, _, upper = statistics.quantiles(ratios, n=4, method="inclusive")
    return upper / lower


def _candidates(part: str, state: TrainState) -> list[Any]:
    """The other values of `part` that could be faster for this model on this device."""
    plan, modules = state.plan, list(state.model.modules())
    if part == "precision":
        return [] if plan.device == "mps" else ["bf16"]
    if part == "attention":
        other = "fused" if plan.attention == "explicit" else "explicit"
        return [other] if any(isinstance(module, AttentionCore) for module in modules) else []
    if part == "channels_last":
        return [not plan.channels_last] if any(_is_spatial(module) for module in modules) else []
    return [1] if plan.device == "cpu" and plan.num_threads > 1 else []


def _is_spatial(module: nn.Module) -> bool:
    # If the kernel equals the stride, as in a patch projection, it is a matrix product: layout makes no difference.
    return isinstance(module, nn.Conv2d) and module.kernel_size != module.stride and module.kernel_size != (1, 1)
