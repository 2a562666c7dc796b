"""The probe: a few real training steps under each candidate plan, timed in turns, so that a noisy machine harms all alike."""

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
SCHEDULE_STEPS = 1000  # of the schedule whose first steps are made: a warm-up, as in the run itself
WORTH_CHANGING = 1.03  # a part of the plan is changed for at least 3 %: less is noise
HOPELESS = 3.0  # a candidate that is so many times slower at its best is not timed further: emulated bf16 takes minutes
STEADY = 1.5  # the most spread of a duel that one would call measured
LOSS_TOLERANCE = 0.02  # largest relative difference of a candidate's losses from those in fp32


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One line of the probe's table: a candidate against the best plan before it."""

    part: str
    plan: Plan
    step_seconds: float
    speedup: float
    """Median ratio of the best plan's step to the candidate's, taken in turns."""
    spread: float
    """Upper over lower quartile of the turns' ratios: 1 on a quiet machine."""
    agrees: bool
    """Its losses are those of the first plan, which is fp32 unless the user fixed another, within the tolerance."""
    first_step_seconds: float
    """The first step alone: compiling counts there."""

    def to_dict(self) -> dict[str, Any]:
        """For environment.json."""
        numbers = ("step_seconds", "speedup", "spread", "first_step_seconds")
        rounded = {key: round(getattr(self, key), 6) for key in numbers}
        return {"part": self.part, **rounded, "agrees": self.agrees, "plan": asdict(self.plan)}


class Trial:
    """Training steps from the run's own first weights, under one plan; `new_trial` gives it the run's own batches."""

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
        """How it computes."""
        return self.state.plan

    def step(self) -> float:
        """One step as the loop makes it; its seconds, without the making of the batch: no plan changes that."""
        torch.set_num_threads(self.plan.num_threads)
        batch = self.state.placed.place(next(self.batches))
        start = time.perf_counter()
        loss = step(self.state, batch)
        self.losses.append(loss.item())  # waits for a device that computes on its own time
        self.seconds.append(time.perf_counter() - start)
        return self.seconds[-1]


def probe(task: Task, guess: Plan, fixed: frozenset[str]) -> tuple[Plan, list[Timing]]:
    """The fastest plan whose losses agree with fp32, part by part from `guess`, and the table; `fixed` parts stay.

    Compiling is not among them: `probe_compile` asks for it, where a run is long enough to earn its cost back.
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
            best.batches = task.batches.from_step(0)  # the challenger's: in length they may differ threefold
            table.append(duel(part, best, challenger, expected or best.losses))
            while len(best.losses) < WARM_STEPS + STEPS:  # a hopeless challenger ended it early
                best.step()
            expected = expected or best.losses[:]
            if table[-1].agrees and table[-1].speedup > WORTH_CHANGING:
                best = challenger
    return best.plan, table


def probe_compile(task: Task, plan: Plan) -> Timing:
    """The plan, compiled, against itself. Raises whatever torch.compile raises where there is no compiler."""
    before = torch.get_num_threads()
    try:
        eager = new_trial(task, plan)
        compiled = new_trial(task, replace(plan, compile=True))
        return duel("compile", eager, compiled, eager.losses)
    finally:
        torch.set_num_threads(before)


def time_step(task: Task, plan: Plan) -> float:
    """Median seconds of a training step under a plan that needs no choosing."""
    before = torch.get_num_threads()
    try:
        trial = new_trial(task, plan)
        return statistics.median([trial.step() for _ in range(WARM_STEPS + STEPS)][WARM_STEPS:])
    finally:
        torch.set_num_threads(before)


def new_trial(task: Task, plan: Plan) -> Trial:
    """On a model of its own, with the run's first weights."""
    return Trial(new_state(task, plan, total_steps=SCHEDULE_STEPS), task.batches.from_step(0))


def duel(part: str, best: Trial, challenger: Trial, expected: list[float]) -> Timing:
    """Both make their steps in turns; the first ones, which find memory and kernels, do not count."""
    rounds = [(best.step(), challenger.step()) for _ in range(WARM_STEPS)]
    # Its best against the other's worst: one stall of the machine must not end a duel.
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
    """Upper over lower quartile; 1 of a single ratio."""
    if len(ratios) < 2:
        return 1.0
    lower, _, upper = statistics.quantiles(ratios, n=4, method="inclusive")
    return upper / lower


def _candidates(part: str, state: TrainState) -> list[Any]:
    """The values of a part that can make a difference to this model on this device."""
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
    # A patch projection's kernel is its stride: a matrix product, to which layout means nothing.
    return isinstance(module, nn.Conv2d) and module.kernel_size != module.stride and module.kernel_size != (1, 1)
