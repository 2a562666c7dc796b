"""A run that cannot fit in memory is refused by arithmetic; all others start."""

import pytest
import torch
from torch import nn

from fittingroom.core.errors import FittingRoomError
from fittingroom.tasks.classification.training import ClassificationTask
from fittingroom.training import memory
from fittingroom.training.memory import check_memory
from tests.unit.training.machine import GUESS, tiny_config, tiny_task

PLAN = GUESS.__class__(**{**vars(GUESS), "precision": "fp32"})


def task_of(**changes: object) -> ClassificationTask:
    return tiny_task(tiny_config("vit", **changes))


def test_weights_gradients_and_moments_must_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = sum(each.numel() for each in task_of().new_model().state_dict().values()) * 4
    monkeypatch.setattr(memory, "_kept_bytes", lambda state: 0)
    monkeypatch.setattr(memory, "memory_bytes", lambda: 3 * weights)
    check_memory(task_of(), PLAN)
    monkeypatch.setattr(memory, "memory_bytes", lambda: 3 * weights - 1)
    with pytest.raises(
        FittingRoomError, match=r"vit does not fit in memory: training needs over .* choose a smaller model"
    ):
        check_memory(task_of(), PLAN)


def test_what_a_step_keeps_grows_with_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: 300_000)
    check_memory(task_of(batch_size=4), PLAN)
    with pytest.raises(FittingRoomError, match="for a step of 64"):
        check_memory(task_of(batch_size=64), PLAN)


def test_a_machine_that_does_not_say_its_memory_and_a_model_that_cannot_be_traced_are_no_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory, "memory_bytes", lambda: None)
    check_memory(task_of(), PLAN)
    monkeypatch.setattr(memory, "memory_bytes", lambda: 10**9)

    class Stubborn(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))
            self.weight.sum().item()

    task = task_of()
    monkeypatch.setattr(type(task), "new_model", lambda self: Stubborn())
    check_memory(task, PLAN)


def test_the_check_draws_nothing_from_torch() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check_memory(task_of(), PLAN)
    assert torch.equal(torch.rand(2), expected)
