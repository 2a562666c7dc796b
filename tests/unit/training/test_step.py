"""The training step: the loop and the probe make the same one, bit for bit, and each of its parts does what it says."""

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.data.images.augment import AugmentConfig
from fittingroom.tasks.base import Placed, Task
from fittingroom.tasks.config import OptimConfig, ScheduleConfig
from fittingroom.tasks.load import open_task
from fittingroom.tasks.seq2seq.config import Seq2seqConfig
from fittingroom.training.loop import train
from fittingroom.training.module import TrainingModule
from fittingroom.training.schedule import lr_factor
from fittingroom.training.speed.engine import set_up_process
from fittingroom.training.speed.plan import Plan
from fittingroom.training.speed.probe import SCHEDULE_STEPS, Trial
from fittingroom.training.step import TrainState, new_optimizer, new_state, step
from tests.image_fixture import TINY_MODELS, tiny_image_config, write_npz
from tests.pairs_fixture import GREEK, TINY, made_up, write_tsv

pytestmark = pytest.mark.usefixtures("torch_as_before")

FP32 = Plan(
    device="cpu", precision="fp32", channels_last=False, attention="explicit", compile=False, num_threads=1
)  # fmt: skip
BF16 = Plan(**{**vars(FP32), "precision": "bf16"})
EVERYTHING: dict[str, Any] = {
    "ema_decay": 0.8, "clip_norm": 0.3, "label_smoothing": 0.1, "seed": 5,
    "augment": AugmentConfig(shift_pixels=1, mixup_alpha=0.2, erase_rate=0.3),
}  # fmt: skip
"""All that the step has to do with, and all that is drawn by chance."""
STEPS = 5


def image_task(folder: Path, model: str = "vit", **changes: Any) -> Task:
    drops = {"vit": {"drop_rate": 0.2, "drop_path_rate": 0.2}, "cnn": {"drop_rate": 0.2}, "hybrid": {"drop_rate": 0.2}}
    values = {**EVERYTHING, "model_config": {**TINY_MODELS[model], **drops[model]}, **changes}
    return open_task(tiny_image_config(write_npz(folder), model, **values))


def pair_task(folder: Path, model: str = "transformer") -> Task:
    path = write_tsv(folder / "pairs.tsv", made_up(GREEK, 200))
    values = {key: value for key, value in EVERYTHING.items() if key != "augment"}
    config = {**TINY[model], "drop_rate": 0.2}
    return open_task(Seq2seqConfig(model=model, model_config=config, data=str(path), epochs=2, batch_size=16, **values))


def new(task: Task, plan: Plan = FP32, total_steps: int = SCHEDULE_STEPS) -> TrainState:
    """A state that can make steps."""
    state = new_state(task, plan, total_steps=total_steps)
    state.optimizer, state.schedule = new_optimizer(state)
    return state


def some_steps(state: TrainState, number: int) -> list[float]:
    """The losses of the next steps."""
    batches = itertools.islice(state.task.batches.from_step(state.num_steps), number)
    return [step(state, state.placed.place(batch)).item() for batch in batches]


def weights(state: TrainState) -> dict[str, Tensor]:
    """Of the model and of its average, buffers too."""
    average = {} if state.average is None else state.average.state_dict()
    found = {**state.model.state_dict(), **{f"average.{name}": value for name, value in average.items()}}
    return {name: value.detach().clone() for name, value in found.items()}


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


class Losses(pl.Callback):
    """The loss of every step of a Trainer."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *args: Any, **kwargs: Any) -> None:
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        self.found.append(loss.item())


@pytest.mark.thorough
@pytest.mark.usefixtures("torch_as_before")
@pytest.mark.parametrize("plan", [FP32, BF16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("make", [image_task, pair_task], ids=["images", "pairs"])
def test_the_loop_and_the_probe_train_the_same_network_bit_for_bit(
    tmp_path: Path, make: Callable[[Path], Task], plan: Plan
) -> None:
    set_up_process(plan)
    module, losses = TrainingModule(make(tmp_path), plan, total_steps=STEPS), Losses()
    train(module, folder=tmp_path / "run", callbacks=[losses], checkpoint_seconds=1e9)
    torch.manual_seed(1)  # what others draw makes no difference
    other = make(tmp_path)
    trial = Trial(new_state(other, plan, total_steps=STEPS), other.batches.from_step(0))
    for _ in range(STEPS):
        torch.rand(3)
        trial.step()
    assert losses.found == trial.losses and len(set(trial.losses)) == STEPS
    assert module.state.num_steps == trial.state.num_steps == STEPS
    assert_same(weights(module.state), weights(trial.state))
    assert_same(module.state.final_model.state_dict(), trial.state.final_model.state_dict())


@pytest.mark.parametrize("make", [image_task, pair_task], ids=["images", "pairs"])
def test_dropout_is_a_function_of_seed_and_step(tmp_path: Path, make: Callable[[Path], Task]) -> None:
    one, other = new(make(tmp_path)), new(make(tmp_path))
    first = some_steps(one, 3)
    torch.manual_seed(3)
    assert first == some_steps(other, 3)
    again = new(make(tmp_path))
    again.num_steps = 1
    batch = again.placed.place(next(again.task.batches.from_step(0)))
    assert step(again, batch).item() != first[0]  # the same batch and weights, another step: other units are dropped


def test_a_step_from_a_copy_of_the_state_is_the_step_that_was_made(tmp_path: Path) -> None:
    state = new(image_task(tmp_path))
    some_steps(state, 2)
    other = new(image_task(tmp_path))
    other.model.load_state_dict(copy.deepcopy(state.model.state_dict()))
    assert other.average is not None and state.average is not None
    other.average.load_state_dict(copy.deepcopy(state.average.state_dict()))
    other.optimizer.load_state_dict(copy.deepcopy(state.optimizer.state_dict()))
    other.schedule.load_state_dict(state.schedule.state_dict())
    other.num_steps = state.num_steps
    assert some_steps(state, 2) == some_steps(other, 2)
    assert_same(weights(state), weights(other))


# The parts


@pytest.mark.parametrize("optim", ["muon", "adamw"])
@pytest.mark.parametrize("clip_norm", [0.05, 0.0, 1e9])
def test_the_whole_gradient_is_clipped_before_the_update(tmp_path: Path, optim: Any, clip_norm: float) -> None:
    state = new(image_task(tmp_path, clip_norm=clip_norm, optim=OptimConfig(name=optim)))
    norms: list[float] = []

    def observe(optimizer: Any, *args: Any) -> None:
        gradients = [param.grad for param in state.model.parameters() if param.grad is not None]
        norms.append(torch.cat([each.flatten() for each in gradients]).norm().item())

    state.optimizer.register_step_pre_hook(observe)
    some_steps(state, 3)
    assert len(norms) == 3
    if clip_norm == 0.05:
        assert norms == pytest.approx([0.05] * 3, rel=1e-4)
    else:
        assert min(norms) > 0.1
    assert all(param.grad is None for param in state.model.parameters())  # the next step begins with nothing


def test_the_average_follows_the_weights_with_its_decay_and_the_buffers_too(tmp_path: Path) -> None:
    state = new(image_task(tmp_path, "cnn", ema_decay=0.75))
    assert state.average is not None and any("running_mean" in name for name in state.model.state_dict())
    expected: dict[str, Tensor] = {}
    for number in range(4):
        some_steps(state, 1)
        for name, value in state.model.state_dict().items():
            now = value.detach().clone()
            kept = number > 0 and value.is_floating_point()
            expected[name] = 0.75 * expected[name] + 0.25 * now if kept else now
    found = state.average.module.state_dict()
    for name, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-6)
    assert state.final_model is state.average.module
    assert not torch.equal(next(state.final_model.parameters()), next(state.model.parameters()))


def test_without_a_decay_the_model_itself_is_final(tmp_path: Path) -> None:
    state = new(image_task(tmp_path, ema_decay=0.0))
    assert state.average is None and state.final_model is state.model


@pytest.mark.parametrize("shape", ["linear", "cosine", "constant", "inverse_sqrt"])
def test_every_rate_follows_the_schedule_step_by_step(tmp_path: Path, shape: Any) -> None:
    schedule = ScheduleConfig(shape=shape, warmup_rate=0.3)
    state = new(image_task(tmp_path, schedule=schedule, optim=OptimConfig(lr=0.004, muon_lr=0.03)), total_steps=10)
    used: list[list[float]] = []
    state.optimizer.register_step_pre_hook(
        lambda optimizer, *args: used.append([group["lr"] for group in optimizer.param_groups])
    )
    some_steps(state, 10)
    peaks = [0.03 if group.get("method") == "muon" else 0.004 for group in state.optimizer.param_groups]
    assert set(peaks) == {0.03, 0.004}
    for number, rates in enumerate(used):
        assert rates == pytest.approx([peak * lr_factor(number, 10, schedule) for peak in peaks])


@pytest.mark.parametrize(("optim", "name"), [("muon", "optim.muon_lr"), ("adamw", "optim.lr")])
@pytest.mark.parametrize(("value", "word"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_a_loss_that_is_not_finite_ends_the_run_and_names_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optim: Any, name: str, value: float, word: str
) -> None:
    config = OptimConfig(name=optim, muon_lr=0.02, lr=0.01)
    task = image_task(tmp_path, optim=config, schedule=ScheduleConfig(shape="constant", warmup_rate=0.6))
    state = new(task, total_steps=10)
    some_steps(state, 1)
    before, real = weights(state), task.loss
    monkeypatch.setattr(task, "loss", lambda model, batch: real(model, batch) * value)
    rate, third = {"muon": (0.005, "0.0067"), "adamw": (0.0025, "0.0033")}[optim]
    assert rate in [
        pytest.approx(group["lr"]) for group in state.optimizer.param_groups
    ]  # what this step would have had
    with pytest.raises(FittingRoomError) as caught:
        some_steps(state, 1)
    assert str(caught.value) == (
        f"loss became {word} at step 1 of 10, {name} {rate}: lower it, for example --set {name}={third}"
    )
    assert_same(weights(state), before)  # the last good weights are still there
    assert state.num_steps == 1


def test_the_trainer_ends_with_the_same_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = image_task(tmp_path)
    module, real = TrainingModule(task, FP32, total_steps=STEPS), task.loss
    monkeypatch.setattr(task, "loss", lambda model, batch: real(model, batch) * float("nan"))
    with pytest.raises(FittingRoomError, match="loss became nan at step 0 of 5"):
        train(module, folder=tmp_path / "run", checkpoint_seconds=1e9)


class Twice(nn.Module):
    """One linear layer, or two with the same weights, one after the other."""

    def __init__(self, shared: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(64, 64, bias=False)
        self.second = self.first if shared else copy.deepcopy(self.first)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.second(self.first(inputs))


def test_gradients_of_a_weight_that_is_used_twice_are_summed_in_fp32() -> None:
    """With autocast's cache the two gradients would meet at one bf16 copy of the weight, and be summed in bf16."""
    inputs = torch.randn(32, 64, generator=torch.Generator().manual_seed(1))
    gradients = []
    for shared in (True, False):
        model = Twice(shared)
        placed = Placed(model=model, bf16=True)
        with placed.autocast():
            assert not torch.is_autocast_cache_enabled()
            out = placed.model(inputs)
        assert out.dtype == torch.bfloat16
        out.float().square().mean().backward()
        gradients.append([param.grad for param in model.parameters()])
    (summed,), (first, second) = gradients
    assert summed is not None and first is not None and second is not None
    assert torch.equal(summed, first + second)
    assert not torch.equal(summed, (first.bfloat16() + second.bfloat16()).float())


def test_without_bf16_nothing_is_cast() -> None:
    placed = Placed(model=Twice(shared=False))
    with placed.autocast():
        assert placed.model(torch.ones(1, 64)).dtype == torch.float32


def test_the_loss_is_in_fp32_whatever_the_plan(tmp_path: Path) -> None:
    state = new(image_task(tmp_path), BF16)
    batch = state.placed.place(next(state.task.batches.from_step(0)))
    assert step(state, batch).dtype == torch.float32
    assert all(param.dtype == torch.float32 for param in state.model.parameters())


def test_placing_a_batch_keeps_its_kind_and_lays_out_images(tmp_path: Path) -> None:
    images = torch.rand(2, 3, 4, 4)
    placed = Placed(model=None, channels_last=True).place((images, torch.zeros(2)))
    assert type(placed) is tuple and placed[0].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(placed[0], images)
    pairs = next(pair_task(tmp_path).batches.from_step(0))
    assert type(Placed(model=None, channels_last=True).place(pairs)) is type(pairs)
