"""Machines to measure on whose clock is a table, and a run so small that real steps take milliseconds."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from fittingroom.data.images.augment import AugmentConfig
from fittingroom.data.images.dataset import Splits
from fittingroom.data.images.fashion_mnist import SPEC
from fittingroom.data.spec import ImageSet
from fittingroom.models import build_model
from fittingroom.tasks.classification.config import ClassificationConfig
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.training.speed.plan import Plan
from fittingroom.training.step import TrainState

TINY: dict[str, dict[str, Any]] = {
    "vit": {"embed_dim": 16, "depth": 1, "num_heads": 2, "patch_size": 14},
    "cnn": {"widths": [4, 8], "blocks": [0, 1]},
    "hybrid": {"embed_dim": 16, "depth": 1, "num_heads": 2, "stem_widths": [4, 8], "stem_strides": [2, 2]},
}
GUESS = Plan(
    device="cpu", precision="bf16", channels_last=False, attention="explicit", compile=False, num_threads=2
)  # fmt: skip


def tiny_config(model: str = "hybrid", **changes: Any) -> ClassificationConfig:
    """A run of four steps, of which everything may be changed."""
    values = {"model": model, "model_config": TINY[model], "batch_size": 16, "augment": AugmentConfig(shift_pixels=1)}
    length = {} if "budget_seconds" in changes else {"epochs": 1.0}
    return ClassificationConfig(**{**values, **length, **changes})


def tiny_task(config: ClassificationConfig, num_images: int = 64) -> ClassificationTask:
    """The run on noise with labels, which are its validation images too."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (num_images, 1, 28, 28), generator=draw, dtype=torch.uint8)
    train = ImageSet(images, torch.arange(num_images) % 10, torch.arange(num_images))
    task = ClassificationTask(config)
    task.splits = Splits(spec=SPEC, train=train, val=train, open_test=lambda log, why: train, test_index=train.index)
    return task


tiny_problem = tiny_task


def all_weights(state: TrainState) -> dict[str, torch.Tensor]:
    """The weights of the model, and of their average where there is one."""
    average = {} if state.average is None else state.average.state_dict()
    named = {"model": state.model.state_dict(), "average": average}
    return {f"{part}.{name}": value for part, weights in named.items() for name, value in weights.items()}


class Machine:
    """In place of `probe.new_trial`: seconds of a step and its loss are functions of plan and step."""

    def __init__(
        self,
        seconds: Callable[[Plan], float] = lambda plan: 0.3,
        losses: Callable[[Plan, int], float] = lambda plan, step: 2.3 - 0.01 * step,
        *,
        compiling: float = 30.0,
        has_compiler: bool = True,
    ) -> None:
        self.seconds, self.losses, self.compiling, self.has_compiler = seconds, losses, compiling, has_compiler
        self.trials: list[MachineTrial] = []

    def __call__(self, task: ClassificationTask, plan: Plan) -> Any:
        model = build_model(task.config.model, task.config.model_config)
        self.trials.append(MachineTrial(self, model, plan))
        return self.trials[-1]

    @property
    def plans(self) -> list[Plan]:
        """Of all trials so far."""
        return [trial.plan for trial in self.trials]


class MachineTrial:
    """What the probe asks of `Trial`."""

    def __init__(self, machine: Machine, model: torch.nn.Module, plan: Plan) -> None:
        self.machine, self.plan, self.state = machine, plan, SimpleNamespace(plan=plan, model=model)
        self.seconds: list[float] = []
        self.losses: list[float] = []

    def step(self) -> float:
        """One step by the table."""
        plan, number = self.plan, len(self.seconds)
        if plan.compile and not self.machine.has_compiler:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nand a long story below it")
        compiling = self.machine.compiling if plan.compile and number == 0 else 0.0
        self.losses.append(self.machine.losses(plan, number))
        self.seconds.append(self.machine.seconds(plan) + compiling)
        return self.seconds[-1]
